"""The commands about what is played: which domains there are, whether one keeps its contract, and playing one."""

from __future__ import annotations

from typing import Annotated

import typer

from evolve.options import ARCHIVE, ArchiveOption, JsonOption, RunOption, RuntimeOption, SandboxOption, UnsafeOption

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def domains(invocation: typer.Context, as_json: JsonOption = False) -> None:
    """List the domains, or check one: whether each is installed, its tasks, its reward, its licence."""
    if invocation.invoked_subcommand is None:
        list_(as_json)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the domains: whether each is installed, its tasks, its reward, its licence, what it compares with."""
    from evolve.commands.domains import list_domains

    list_domains(as_json=as_json)


@app.command()
def check(
    domain: Annotated[str, typer.Argument(help="A domain's name, or package.module:factory.")],
    as_json: JsonOption = False,
) -> None:
    """Check that a domain does what every domain has to do. Exit code 1 where it does not.

    A factory is a function without arguments, or a class, of a module that is installed or in the current folder.

    Example: evolve domains check my_game:make
    """
    from evolve.commands.domains import check_domain

    check_domain(domain, as_json=as_json)


def play(
    domain: Annotated[str, typer.Argument(help="A domain's name, or package.module:factory.")],
    task: Annotated[str | None, typer.Argument(help="A task's id, or its number; else drawn by the seed.")] = None,
    role: Annotated[str, typer.Option(help="Whose tasks: reflection, collection, deployment, confirmation.")] = (
        "reflection"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Draws the task, and what is random in play.")] = 0,
    design: Annotated[str | None, typer.Option(help="Show what this design of the archive tells.")] = None,
    archive: ArchiveOption = ARCHIVE,
    run_number: RunOption = None,
    sandbox: SandboxOption = None,
    runtime: RuntimeOption = None,
    allow_unsafe: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Play a task yourself, with or without a design's memory. Type an action or its number; q, or Ctrl-D, ends it.

    Whoever has seen the tasks that select or confirm designs should write none: by default it is a reflection task.
    Test tasks are not to be had. With --json the game goes to standard error, and what came of it to standard output.

    Example: evolve play recall --design 1-84f2
    """
    from evolve.commands.play import Wish, play_task

    wish = Wish(domain, role, task, seed)
    told = (archive, design, run_number, sandbox, runtime) if design is not None else None
    play_task(wish, told, allow_unsafe=allow_unsafe, as_json=as_json)
