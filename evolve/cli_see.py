"""The commands that tell of a run: what happened in it, and a report to be mailed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evolve.options import ARCHIVE, ArchiveOption, ForceOption, JsonOption

RunArgument = Annotated[int | None, typer.Argument(metavar="RUN", help="Number of the run; by default the newest.")]


def log(
    run_number: RunArgument = None,
    archive: ArchiveOption = ARCHIVE,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends, or Ctrl-C.")] = False,
    count: Annotated[int | None, typer.Option("--count", "-n", min=0, help="Of the past only so many lines.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what happened in a run, a line each: designs with scores and reasons, calls of models, insights, hints.

    With --json a line of JSON each; `python -m pydoc evolve.commands` lists the fields.

    Example: evolve log 1 --follow -n 20
    """
    from evolve.commands.log import show_log

    show_log(archive, run_number, follow=follow, count=count, as_json=as_json)


def report(
    run_number: RunArgument = None,
    archive: ArchiveOption = ARCHIVE,
    to: Annotated[Path | None, typer.Option(help="The file; by default run-NUMBER.html here.")] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a run's report as one HTML file that needs nothing else: result, curve, the best design with its code,
    held-out results, cost, flags and versions.

    Example: evolve report 1 --to report.html
    """
    from evolve.commands.report import write_report

    write_report(archive, run_number, to, force=force, as_json=as_json)


COMMANDS = (log, report)
