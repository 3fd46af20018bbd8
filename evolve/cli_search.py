"""The commands that show how a search went about its work."""

from __future__ import annotations

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


COMMANDS = (pareto, tree)
