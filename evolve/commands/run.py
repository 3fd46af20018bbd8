"""`evolve run`: a search with a live view, and its table at the end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.cli import program
from evolve.commands.costs import costs_json, costs_of, print_costs
from evolve.commands.live import View
from evolve.commands.show import complain, say, say_json
from evolve.commands.tables import best_rows, print_top, reading, top_json

if TYPE_CHECKING:
    from evolve.config import RunConfig
    from evolve.loop import Search
    from evolve.session import Sitting


def run_search(
    config_file: Path | None, flags: dict[str, Any], path: Path, *, fresh: bool, allow_unsafe: bool, as_json: bool
) -> None:
    """Start or resume a run, and print its table."""
    from domains.base import Role
    from evolve import finals
    from evolve.asking import Conversation
    from evolve.config import make_config
    from evolve.llm.base import SpentError
    from evolve.proposers.registry import make as make_proposer
    from evolve.session import sit_down
    from evolve.strategies.registry import make as make_strategy

    config = make_config(config_file, flags)
    make_strategy(config)  # refuses an unknown one before anything is written
    proposer = make_proposer(config)
    spent = ""
    with View() as view:
        try:
            with sit_down(config, path, view.update, fresh=fresh, allow_unsafe=allow_unsafe) as sitting:
                announce(view, sitting, config, path)
                search = sitting.search
                specs = search.prepare(Role.DEPLOYMENT, config.deployment)
                search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
                Conversation(search, make_strategy(config, search.evidence), proposer, specs).run()
                finals.play(search)
        except SpentError as error:
            spent = str(error)
    _print_result(path, search, as_json=as_json)
    if spent:
        complain(spent)


def announce(view: View, sitting: Sitting, config: RunConfig, path: Path) -> None:
    """Say which run it is, and what runs the designs; warn where that isolates little."""
    from evolve.session import describe

    view.announce(f"run {sitting.run.id} of {path}: {config.strategy} on {game(config)}, seed {config.seed}")
    view.announce(f"sandbox: {describe(sitting.backend)}")
    if sitting.backend.name == "process":
        complain(
            "warning: what runs on `process` has your rights; `evolve doctor` says how to get a sandbox that isolates"
        )
    for sentence in sitting.search.forecast():
        view.announce(sentence)


def game(config: RunConfig) -> str:
    """What is played, and how where that is not static."""
    return config.domain if config.mode == "static" else f"{config.domain} ({config.mode} mode)"


def archive_flag(path: Path) -> str:
    """How a command names this archive: not at all where it is the default."""
    from evolve.options import ARCHIVE

    return "" if path == ARCHIVE else f" --archive {shlex.quote(str(path))}"


def _print_result(path: Path, search: Search, *, as_json: bool) -> None:
    from evolve.finals import ranking

    number, scheduler = search.run_id, search.scheduler
    with reading(path) as archive:
        run = archive.run(number)
        rows = best_rows(archive, run, 5)
        costs = costs_of(path, number)
        if as_json:
            episodes = {"played": scheduler.played, "reused": scheduler.reused}
            say_json({**top_json(archive, run, rows), **episodes, "models": costs_json(number, costs)})
            return
        print_top(archive, run, rows)
        if costs:
            say("\nWhat models cost\n")
            print_costs(costs)
        if rows:
            best = next((finalist.design for finalist in ranking(archive, number)), rows[0].design)
            say(f"\nSee the best design:        {program()} show {best[:10]}{archive_flag(path)}")
            say(f"Test it on held-out tasks:  {program()} test {number}{archive_flag(path)}")
