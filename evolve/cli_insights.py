"""The commands about what is known across runs, and about what a person tells a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evolve.options import ARCHIVE, ArchiveOption, ForceOption, JsonOption

app = typer.Typer(rich_markup_mode=None)

NumberArgument = Annotated[int, typer.Argument(metavar="NUMBER", help="Of an insight; `evolve insights list` says it.")]


@app.callback(invoke_without_command=True)
def insights(invocation: typer.Context, archive: ArchiveOption = ARCHIVE, as_json: JsonOption = False) -> None:
    """List, show, forget, export and import what was learned across runs; by default they are listed."""
    if invocation.invoked_subcommand is None:
        list_(archive, None, 30, as_json)


@app.command("list")
def list_(
    archive: ArchiveOption = ARCHIVE,
    domain: Annotated[str | None, typer.Option(help="What counts there, the most first.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """List insights: what was tried, in what situation, what it gained beyond what changes usually do, and its credit.

    Example: evolve insights list --domain recall
    """
    from evolve.commands.insights import list_insights

    list_insights(archive, domain, count, as_json=as_json)


@app.command()
def show(number: NumberArgument, archive: ArchiveOption = ARCHIVE, as_json: JsonOption = False) -> None:
    """Show an insight with its evidence and its history, also one that was merged or forgotten."""
    from evolve.commands.insights import show_insight

    show_insight(archive, number, as_json=as_json)


@app.command()
def learn(
    run_number: Annotated[int, typer.Argument(metavar="RUN", help="A run that did not learn itself.")],
    archive: ArchiveOption = ARCHIVE,
    as_json: JsonOption = False,
) -> None:
    """Learn from a run that is in the archive, as `evolve run --insights` does meanwhile. Twice is no more than once.

    Example: evolve insights learn 1
    """
    from evolve.commands.insights import learn_from

    learn_from(archive, run_number, as_json=as_json)


@app.command()
def forget(
    number: NumberArgument,
    why: Annotated[str, typer.Option(help="Kept with it.")] = "a person said so",
    archive: ArchiveOption = ARCHIVE,
    as_json: JsonOption = False,
) -> None:
    """Forget an insight. Runs that have begun go on with it, so that they can be repeated; its history stays."""
    from evolve.commands.insights import forget_insight

    forget_insight(archive, number, why, as_json=as_json)


@app.command("export")
def export_(
    file: Annotated[Path, typer.Argument(help="Where to, a line of JSON for each.")],
    force: ForceOption = False,
    archive: ArchiveOption = ARCHIVE,
    as_json: JsonOption = False,
) -> None:
    """Write all insights, with their evidence, as JSON lines for another archive."""
    from evolve.commands.insights import export_insights

    export_insights(archive, file, force=force, as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="What `evolve insights export` wrote.")],
    archive: ArchiveOption = ARCHIVE,
    as_json: JsonOption = False,
) -> None:
    """Take in insights of another archive. Evidence of a run that is known already is not counted twice."""
    from evolve.commands.insights import import_insights

    import_insights(archive, file, as_json=as_json)


def hint(
    run_number: Annotated[int, typer.Argument(metavar="RUN", help="Number of the run.")],
    text: Annotated[
        str | None, typer.Argument(help="What its proposers should know; without it hints are listed.")
    ] = None,
    archive: ArchiveOption = ARCHIVE,
    as_json: JsonOption = False,
) -> None:
    """Tell a run's proposers something, also while it runs: all requests from then on are given it.

    A model reads it. To the genetic proposer the names of operators and building blocks in it mean more of them, and
    after words such as `avoid` or `without` fewer. Its effect is listed beside it.

    Example: evolve hint 1 "try ByReward, avoid Contrast"
    """
    from evolve.commands.insights import give_hint

    give_hint(archive, run_number, text, as_json=as_json)


COMMANDS = (hint,)
