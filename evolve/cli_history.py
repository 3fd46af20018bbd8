"""The commands for whoever writes designs outside of `evolve run`: a person, or any coding agent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evolve.options import (
    ARCHIVE,
    AddressOption,
    ArchiveOption,
    JsonOption,
    RunOption,
    RuntimeOption,
    SandboxOption,
    UnsafeOption,
    WorkersOption,
)


def trace(
    design: Annotated[str, typer.Argument(help="The leading characters of a design's id; or: collection.")],
    task: Annotated[str | None, typer.Argument(help="The episode of this task; by default the worst.")] = None,
    archive: ArchiveOption = ARCHIVE,
    run_number: RunOption = None,
    play: Annotated[int, typer.Option(min=0, help="First have so many reflection tasks played.")] = 0,
    sandbox: SandboxOption = None,
    runtime: RuntimeOption = None,
    workers: WorkersOption = None,
    allow_unsafe: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show an episode of a design step by step, with what was retrieved when.

    Only of reflection tasks, which score nothing; those that select or test designs are not for the eyes of whoever
    writes the next one. `collection` stands for the episodes that fill the memories.

    Example: evolve trace 1-84f2 --play 3
    """
    from evolve.commands import history

    flags = {"sandbox": sandbox, "runtime": runtime, "workers": workers}
    history.trace(archive, design, task, run_number, play, flags, allow_unsafe=allow_unsafe, as_json=as_json)


def search(
    text: Annotated[str, typer.Argument(help="What is looked for, literally, in any case of its letters.")],
    archive: ArchiveOption = ARCHIVE,
    run_number: RunOption = None,
    code: Annotated[bool, typer.Option("--code", help="In the designs' code.")] = False,
    traces: Annotated[bool, typer.Option("--traces", help="In their episodes on reflection tasks.")] = False,
    collection: Annotated[bool, typer.Option("--collection", help="In the collected episodes.")] = False,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Lines at most.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Show the lines of a run's code and episodes that hold a text; of all, where no place is given."""
    from evolve.commands import history
    from evolve.grep import PLACES

    where = [place for place, is_given in zip(PLACES, (code, traces, collection), strict=True) if is_given]
    history.search(archive, text, where or PLACES, run_number, count, as_json=as_json)


def submit(
    file: Annotated[Path, typer.Argument(help="A Python file with one MemoryDesign.")],
    parent: Annotated[str | None, typer.Option(help="The design that it was made from; else it has none.")] = None,
    change: Annotated[str | None, typer.Option(help="What was changed, in a line.")] = None,
    archive: ArchiveOption = ARCHIVE,
    run_number: RunOption = None,
    sandbox: SandboxOption = None,
    runtime: RuntimeOption = None,
    workers: WorkersOption = None,
    ray_address: AddressOption = None,
    allow_unsafe: UnsafeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Enter a design of your own into a run: it is evaluated like the others, and may become a parent of the next.

    The run gets one design more than it was asked for. What does not load or fails its smoke test is not entered.
    With --json: what `evolve eval` says, and `parents`, `gain_over_parent`, `flips`. Exit code 1 where it fails.

    Example: evolve submit better.py --parent 1-84f2
    """
    from evolve.commands.submit import submit_file

    flags = {"sandbox": sandbox, "runtime": runtime, "workers": workers, "ray_address": ray_address}
    submit_file(file, parent, change, archive, run_number, flags, allow_unsafe=allow_unsafe, as_json=as_json)


COMMANDS = (trace, search, submit)
