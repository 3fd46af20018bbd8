"""Does the search learn, and which way of searching most? Sides with equal tasks and seeds, at equal episodes.

    .venv/bin/python scripts/bench_search.py --seeds 3 --set domain=recall designs=30
    .venv/bin/python scripts/bench_search.py alma "alma visit_penalty=0" random --archive ablation.db

A side is a strategy with settings of its own; --set is for all sides. Settings are the fields of a configuration file
of `evolve run`. Every episode, run and test is kept in the archive, so the same command goes on where it stopped, and
one with more sides, seeds or designs adds to it. `evolve compare --archive ARCHIVE` shows the same again. With --test
the design that a run's finals put first also plays held-out tasks.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from archive.opening import open_archive
from archive.store import Archive
from archive.tables import Look, Run
from domains.base import Role
from evolve import finals
from evolve.asking import Conversation
from evolve.commands.compare import show_comparison
from evolve.commands.show import estimate_text, say_heading, say_table
from evolve.config import RunConfig, make_config
from evolve.errors import InputError
from evolve.judging import Trial
from evolve.loop import BASELINES
from evolve.proposers.registry import make as make_proposer
from evolve.session import sit_down
from evolve.sides import choice, gains_of, over_seeds, read_sides
from evolve.strategies.registry import NAMES
from evolve.strategies.registry import make as make_strategy


def settings(words: Iterable[str]) -> dict[str, Any]:
    """Fields of a configuration from `name=value`."""
    found = {}
    for word in words:
        name, is_set, value = word.partition("=")
        if not is_set:
            raise InputError(f"a setting is NAME=VALUE, such as visit_penalty=0, not {word!r}")
        found[name] = value
    return found


def configurations(sides: Sequence[str], seeds: int, common: dict[str, Any]) -> list[RunConfig]:
    """What is to be run, the sides of a seed one after the other, so that an early end leaves whole seeds."""
    made = []
    for seed in range(seeds):
        for side in sides:
            strategy, *own = shlex.split(side)
            made.append(make_config(None, {**common, **settings(own), "strategy": strategy, "seed": seed}))
            make_strategy(made[-1])
    return made


def finished(path: Path, config: RunConfig, tests: int) -> int | None:
    """The run that has done all that is asked for, if there is one."""
    with closing(open_archive(path)) as archive:
        for run in archive.runs():
            known = RunConfig.model_validate_json(run.config)
            is_it = run.identity == config.identity(run.domain_version, run.agent_version)
            if is_it and run.status == "done" and known.designs >= config.designs and _is_played(archive, run, tests):
                return run.id
    return None


def _is_played(archive: Archive, run: Run, tests: int) -> bool:
    """Whether what the run chose played the tests; where nothing could be chosen there is nothing to play."""
    assert run.id is not None
    chosen = choice(archive, run.id)
    return not tests or chosen is None or archive.evaluation(run.id, chosen, Role.TEST) is not None


def search(config: RunConfig, path: Path, tests: int, repeats: int) -> int:
    """Do a whole run, or go on with it, and have what it chose play the test tasks; its number."""
    with sit_down(config, path, lambda progress: None) as sitting:
        search = sitting.search
        specs = search.prepare(Role.DEPLOYMENT, config.deployment)
        search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
        Conversation(search, make_strategy(config, search.evidence), make_proposer(config), specs).run()
        finals.play(search)
        chosen = choice(sitting.archive, search.run_id)
        if tests and chosen is not None:
            held_out = search.prepare(Role.TEST, tests)
            search.evaluate_baselines(Role.TEST, held_out, repeats)
            scores = search.evaluated(chosen, Trial(Role.TEST, held_out, repeats))
            result = {name: dict(by_task) for name, by_task in {**search.baselines, "best": scores}.items()}
            row = Look(run_id=search.run_id, design_id=chosen, result=json.dumps(result), created=time.time())
            sitting.archive.save(row)
        return search.run_id


def print_gains(path: Path, numbers: Sequence[int], tests: int) -> None:
    """Print the gain over each baseline, of what the runs chose."""
    role, told = ("test", "held-out test tasks") if tests else ("confirmation", "tasks that the search did not use")
    rows = []
    with closing(open_archive(path)) as archive:
        sides, _ = read_sides(archive, [archive.run(number) for number in numbers])
        for side in sides:
            gains = [[gains_of(archive, course.run, role, name) for course in side.courses] for name in BASELINES]
            cells = [estimate_text(over_seeds(each), signed=True) if all(each) else "-" for each in gains]
            rows.append((side.name, str(len(side.courses)), *cells))
    say_heading(f"Gain over the baselines, on {told}")
    say_table(("side", "#seeds", *(f"#over {name.replace('_', ' ')}" for name in BASELINES)), rows)


def main() -> None:
    """Do the runs that are missing, and print how the sides compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sides", nargs="*", metavar="SIDE", help="by default every strategy")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="of all sides")
    parser.add_argument("--archive", type=Path, default=Path("search.db"))
    parser.add_argument("--seeds", type=int, default=5, help="search seeds of each side")
    parser.add_argument("--test", type=int, default=0, help="held-out tasks; 0: none, the finals have to do")
    parser.add_argument("--test-repeats", type=int, default=2, help="episodes of each of them")
    parser.add_argument("--by", default="episodes", help="what is equal: episodes, designs or dollars")
    arguments = parser.parse_args()
    tests, repeats, path = arguments.test, arguments.test_repeats, arguments.archive
    try:
        numbers = []
        for config in configurations(arguments.sides or NAMES, arguments.seeds, settings(arguments.set)):
            began, number = time.monotonic(), finished(path, config, tests) if path.exists() else None
            if number is None:
                number = search(config, path, tests, repeats)
                sys.stderr.write(
                    f"run {number}: {config.strategy}, seed {config.seed}, {time.monotonic() - began:.0f} s\n"
                )
            numbers.append(number)
        show_comparison(path, numbers, arguments.by)
        print_gains(path, numbers, tests)
    except InputError as error:
        sys.exit(f"bench_search: {error}")


if __name__ == "__main__":
    main()
