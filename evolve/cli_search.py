"""The commands that show how a search went about its work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evolve.options import ARCHIVE, ArchiveOption, JsonOption

RunArgument = Annotated[int | None, typer.Argument(metavar="RUN", help="By default the newest.")]


def pareto(run_number: RunArgument = None, archive: ArchiveOption = ARCHIVE, as_json: JsonOption = False) -> None:
    """Show the designs of a run that none beats in score, cost and delay together, and what they were diagnosed with.

    Example: evolve pareto 1
    """
    from evolve.commands.pareto import show_pareto

    show_pareto(archive, run_number, as_json=as_json)


def tree(
    run_number: RunArgument = None,
    archive: ArchiveOption = ARCHIVE,
    depth: Annotated[int, typer.Option(min=1, help="Generations that are shown.")] = 8,
    as_json: JsonOption = False,
) -> None:
    """Show the designs of a run as a tree, each under the one that it was asked of, with score and visits.

    Where the strategy is empirical-mcts: also Q, and what the comparison with its parent came to.

    Example: evolve tree 1 --depth 3
    """
    from evolve.commands.tree import show_tree

    show_tree(archive, run_number, depth, as_json=as_json)


def compare(
    run_numbers: Annotated[list[int] | None, typer.Argument(metavar="RUN...", help="By default all searches.")] = None,
    archive: ArchiveOption = ARCHIVE,
    by: Annotated[str, typer.Option(help="What is equal: episodes, designs or dollars.")] = "episodes",
    plot: Annotated[Path | None, typer.Option(help="Also draw the curves: FILE.png, .svg or .pdf.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show runs side by side at equal budget: the gain of the best so far, what the finals confirmed, and p-values.

    Runs that differ in the search seed alone are one side. Differences are paired by seed and task, p is Holm's.

    Example: evolve compare 1 2 3 --plot curves.svg
    """
    from evolve.commands.compare import show_comparison

    show_comparison(archive, run_numbers or (), by, plot, as_json=as_json)


def elites(run_number: RunArgument = None, archive: ArchiveOption = ARCHIVE, as_json: JsonOption = False) -> None:
    """Show the best design of a run for each kind of store and each range of retrieved tokens.

    Example: evolve elites 1
    """
    from evolve.commands.elites import show_elites

    show_elites(archive, run_number, as_json=as_json)


COMMANDS = (pareto, tree, compare, elites)
