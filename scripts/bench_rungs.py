"""What the small rung saves and what it costs: the same searches with it and without, paired by search seed.

    .venv/bin/python scripts/bench_rungs.py --archive rungs.db --domain recall

Episodes are those that a search would have paid for in an archive of its own, equal ones once, without baselines and
collection. The best design of each search, by its score on all deployment tasks, plays held-out test tasks. The same
command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from archive.store import Archive
from archive.tables import State
from domains.base import Role
from evolve.asking import Conversation
from evolve.config import RunConfig
from evolve.judging import Trial
from evolve.proposers.registry import make as make_proposer
from evolve.results import candidates
from evolve.rungs import Audit, audit
from evolve.session import sit_down
from evolve.statistics import estimate
from evolve.strategies.registry import make as make_strategy


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one search came to."""

    best: str
    paid: int
    dropped: int
    audit: Audit
    tested: float
    """Mean score of the best design on the test tasks."""


def paid(archive: Archive, run_id: int) -> int:
    """Different episodes that a run's candidates played for selection, and their parents for comparison."""
    baselines = {member.design_id for member in archive.members(run_id) if not member.number}
    trial = Trial(Role.DEPLOYMENT, (), 1)
    rows = [row for name in (trial.name, f"{trial.name}:again") for row in archive.evaluations(run_id, name)]
    keys = {
        outcome.episode
        for row in rows
        if row.id is not None and row.design_id not in baselines
        for outcome in archive.outcomes(row.id)
    }
    return len(keys - {None})


def search(config: RunConfig, path: Path, tasks: int) -> Outcome:
    """Run one search, and test its best design."""
    with sit_down(config, path, lambda progress: None) as sitting:
        search, archive = sitting.search, sitting.archive
        specs = search.prepare(Role.DEPLOYMENT, config.deployment)
        search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
        Conversation(search, make_strategy(config), make_proposer(config.proposer), specs).run()
        best = candidates(archive, search.run_id)[0].design_id
        test = search.prepare(Role.TEST, tasks)
        tested = search.evaluated(best, Trial(Role.TEST, test, 1))
        return Outcome(
            best,
            paid(archive, search.run_id),
            len(archive.reached(search.run_id, State.DROPPED)),
            audit(archive, search.run_id, config.finalists),
            fmean(tested.values()) if tested else 0.0,
        )


def main() -> None:
    """Run all pairs, print a line for each and, last, one of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, default=Path("rungs.db"))
    parser.add_argument("--domain", default="recall")
    parser.add_argument("--strategies", nargs="+", default=["alma", "sequential", "best-of-n"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--designs", type=int, default=40)
    parser.add_argument("--small", type=int, default=12)
    parser.add_argument("--tasks", type=int, default=40, help="test tasks")
    parser.add_argument("--sandbox")
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    results = {}
    for strategy in arguments.strategies:
        pairs = []
        for seed in range(arguments.seeds):
            common = {name: getattr(arguments, name) for name in ("domain", "designs", "sandbox", "workers")}
            config = RunConfig(**common, strategy=strategy, seed=seed, reproducible=True)
            rungs = config.model_copy(update={"small": arguments.small})
            pair = [search(each, arguments.archive, arguments.tasks) for each in (config, rungs)]
            pairs.append(pair)
            sys.stderr.write(f"{strategy} seed {seed}: without {pair[0]}, with {pair[1]}\n")
        gain = estimate([with_.tested - without.tested for without, with_ in pairs])
        results[strategy] = {
            "paid_without": sum(without.paid for without, _ in pairs),
            "paid_with": sum(with_.paid for _, with_ in pairs),
            "dropped": sum(with_.dropped for _, with_ in pairs),
            "audited": sum(with_.audit.audited for _, with_ in pairs),
            "audited_better": sum(with_.audit.better for _, with_ in pairs),
            "same_best": sum(with_.best == without.best for without, with_ in pairs),
            "test_gain_of_rungs": [gain.mean, gain.low, gain.high],
            "seeds": len(pairs),
        }
    print(json.dumps({"domain": arguments.domain, "small": arguments.small, **results}))


if __name__ == "__main__":
    main()
