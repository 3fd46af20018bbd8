"""Does what one search learned help the next? A second run is told it, and scored on tasks that it was not learned on.

    .venv/bin/python scripts/bench_insights.py --seeds 5 --set domain=recall designs=30

For each search seed, in an archive of its own: a first run that keeps insights; a second one with another seed that is
told them; and the same second run without them. By seed: the share of the first run's episodes after which the second
had the first one's final gain over no memory, each on its own deployment tasks. The same command goes on where it
stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from archive.opening import open_archive
from domains.base import Role
from evolve.asking import Conversation
from evolve.commands.show import estimate_text, say_heading, say_table
from evolve.config import RunConfig, make_config
from evolve.errors import InputError
from evolve.proposers.registry import make as make_proposer
from evolve.session import sit_down
from evolve.sides import Axis, Course, course
from evolve.statistics import estimate
from evolve.strategies.registry import make as make_strategy

AXIS: Axis = "episodes"
OTHER = 1000
"""What is added to the search seed of the second run."""


def search(config: RunConfig, path: Path) -> Course:
    """Do a run without finals, or go on with it."""
    with sit_down(config, path, lambda progress: None) as sitting:
        search = sitting.search
        specs = search.prepare(Role.DEPLOYMENT, config.deployment)
        search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
        Conversation(search, make_strategy(config, search.evidence), make_proposer(config), specs).run()
        number = search.run_id
    with closing(open_archive(path)) as archive:
        return course(archive, number, config)


def reached(first: Course, second: Course) -> float | None:
    """The share of the first run's episodes after which the second had its final gain; none where it never had."""
    goal = first.gain(AXIS, first.total.on(AXIS))
    spent = (step.spent.on(AXIS) for step in second.steps if step.gain >= goal)
    episodes = next(spent, None)
    return None if episodes is None else episodes / first.total.on(AXIS)


def of_seed(seed: int, settings: dict[str, Any], folder: Path) -> tuple[Course, Course, Course]:
    """The first run, the second one that is told of it, and the second one that is not."""
    path = folder / f"insights-{seed}.db"
    first = make_config(None, {**settings, "seed": seed, "insights": True})
    told = first.model_copy(update={"seed": seed + OTHER})
    untold = told.model_copy(update={"insights": False})
    return search(first, path), search(told, path), search(untold, path)


def print_table(rows: Sequence[tuple[Course, Course, Course]]) -> None:
    """Print a line for each seed, and what they come to."""
    lines: list[tuple[str, ...]] = []
    shares: tuple[list[float | None], list[float | None]] = [], []
    for first, told, untold in rows:
        found = [reached(first, each) for each in (told, untold)]
        for into, share in zip(shares, found, strict=True):
            into.append(share)
        gains = (f"{each.gain(AXIS, each.total.on(AXIS)):+.3f}" for each in (first, told, untold))
        lines.append((str(first.seed), *gains, *("never" if share is None else f"{share:.2f}" for share in found)))
    say_heading("A second run that is told what the first one learned")
    say_table(("#seed", "#first", "#told", "#untold", "#told: share of episodes", "#untold"), lines)
    for name, found in zip(("told", "untold"), shares, strict=True):
        middle = median(float("inf") if share is None else share for share in found)
        within = sum(share is not None and share <= 0.7 for share in found)
        sys.stdout.write(f"{name}: within .70 on {within} of {len(found)} seeds, median share {middle:.2f}\n")
    differences = [told.area(AXIS, budget) - untold.area(AXIS, budget) for budget, told, untold in _budgets(rows)]
    said = estimate_text(estimate(differences), signed=True)
    sys.stdout.write(f"area under the curve, told less untold: {said}\n")


def _budgets(rows: Sequence[tuple[Course, Course, Course]]) -> list[tuple[float, Course, Course]]:
    return [(min(told.total.on(AXIS), untold.total.on(AXIS)), told, untold) for _, told, untold in rows]


def main() -> None:
    """Do the runs that are missing, and print how they compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="fields of a configuration file")
    parser.add_argument("--folder", type=Path, default=Path("insights"), help="for the archives, one for each seed")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    settings = dict(pair.partition("=")[::2] for pair in arguments.set)
    arguments.folder.mkdir(exist_ok=True)
    try:
        rows = []
        for seed in range(arguments.seeds):
            rows.append(of_seed(seed, {**settings, "finalists": 0}, arguments.folder))
            sys.stderr.write(f"seed {seed} done\n")
        print_table(rows)
    except InputError as error:
        sys.exit(f"bench_insights: {error}")


if __name__ == "__main__":
    main()
