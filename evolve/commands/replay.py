"""`evolve replay`: whether a run's decisions come out the same from what its archive holds."""

from __future__ import annotations

from pathlib import Path

import typer

from evolve.commands.show import say, say_json, say_table
from evolve.commands.tables import config_of, reading
from evolve.errors import InputError


def replay_run(path: Path, number: int, *, as_json: bool) -> None:
    """Decide a run's requests again."""
    from evolve.replay import Replay
    from sandbox.source import SourceChecker

    with reading(path) as archive, SourceChecker() as checker:
        run = archive.run(number)
        if config_of(run).strategy == "eval":
            raise InputError(f"run {number} is one of `evolve eval`, which decides nothing")
        decisions = Replay(archive, run, checker).decisions()
    differing = [decision for decision in decisions if decision.difference]
    if as_json:
        found = [{"request": each.request, "design": each.design, "difference": each.difference} for each in differing]
        say_json({"run": number, "requests": len(decisions), "differences": found})
    elif differing:
        rows = [(str(each.request), each.design[:10], each.difference) for each in differing]
        say_table(("#request", "design", "~difference"), rows)
    else:
        say(f"All {len(decisions)} requests of run {number} come out the same: the parents, and what was written.")
    if differing:
        raise typer.Exit(1)
