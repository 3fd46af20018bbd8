"""What reuse and the small rung save and what they cost.

    .venv/bin/python scripts/bench_rungs.py --archive rungs.db --domain recall
    .venv/bin/python scripts/bench_rungs.py --replay learning.db

The first form runs the same searches with the small rung and without, paired by search seed. Episodes are those that a
search would have paid for in an archive of its own, equal ones once, without baselines and collection. The best design
of each search, by its score on all deployment tasks, plays held-out test tasks. The same command goes on where it
stopped.

The second form goes through the runs of an archive that had no small rung, and plays nothing. Reuse changes no score,
for episodes of equal address are equal, so that the same design wins with it and without. A design that is a suspect
on the rung's tasks by the known episodes would have been dropped at most: whether it would takes new ones of its
parent. So the best design would have won with the rung as well wherever it is no suspect, given the same proposals.
It also tells how well a rank on the rung's tasks foretells the rank on all of them, and on the others alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from archive.opening import open_archive
from archive.store import Archive
from archive.tables import Run, State
from domains import registry
from domains.base import Role
from evolve import finals
from evolve.asking import Conversation
from evolve.config import RunConfig
from evolve.judging import Trial
from evolve.plan import draw
from evolve.proposers.registry import make as make_proposer
from evolve.results import baseline_scores, candidates, task_scores
from evolve.rungs import Audit, audit, small_tasks
from evolve.session import sit_down
from evolve.statistics import estimate, upper_bound
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
        Conversation(search, make_strategy(config), make_proposer(config), specs).run()
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


# Runs of an archive once more


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one run would have paid, and whether its best design would have got past the small rung."""

    run: int
    strategy: str
    designs: int
    scored: int
    """Episodes that are paid without reuse: those that scores are made of, and those of designs that told the same."""
    paid: int
    """Different ones among them."""
    paid_with_rung: int
    """The same with all suspects dropped: of them those on the rung's tasks only, but new ones of their parents."""
    suspects: int
    best_by_search_wins: bool
    best_of_finals_wins: bool | None
    """None where there were no finals."""
    small_and_full: float
    """Spearman's rank correlation over the designs, of their scores on the rung's tasks with those on all."""
    small_and_rest: float
    """The same with those on the other tasks."""


def replay(archive: Archive, run: Run, small: int) -> Replayed:
    """Take a run's designs through a small rung of so many tasks, by the episodes that they played."""
    assert run.id is not None
    config = RunConfig.model_validate_json(run.config)
    specs = draw(registry.load(config.domain), Role.DEPLOYMENT, config.deployment, config.seed)
    tasks = {spec.id for spec in small_tasks(config.seed, specs, small)}
    without = baseline_scores(archive, run.id)["no_memory"]
    keys: set[bytes | None] = set()
    kept: set[bytes | None] = set()
    suspects, again = set(), set()
    means: list[tuple[float, ...]] = []
    scored = archive.count_states(run.id)[State.REJECTED] * config.deployment * config.repeats
    rows = candidates(archive, run.id)
    for row in rows:
        parent = next(iter(archive.parents_of(run.id, row.design_id)), None)
        ours = task_scores(archive, run.id, row.design_id)
        theirs = task_scores(archive, run.id, parent) if parent is not None else without
        differences = [ours[task] - theirs[task] for task in sorted(tasks & theirs.keys())]
        if is_suspect := upper_bound(differences) < config.drop_margin:
            suspects.add(row.design_id)
            again.add(parent)
        means.append(tuple(fmean(ours[task] for task in some) for some in (tasks, ours, ours.keys() - tasks)))
        outcomes = archive.outcomes(row.id or 0)
        scored += len(outcomes)
        keys |= {outcome.episode for outcome in outcomes}
        kept |= {outcome.episode for outcome in outcomes if not is_suspect or outcome.task_id in tasks}
    ranked = finals.ranking(archive, run.id)
    return Replayed(
        run.id,
        config.strategy,
        len(rows),
        scored,
        len(keys - {None}),
        len(kept - {None}) + small * config.repeats * len(again - {None}),
        len(suspects),
        rows[0].design_id not in suspects,
        ranked[0].design not in suspects if ranked else None,
        *(rank_correlation(means, other) for other in (1, 2)),
    )


def rank_correlation(means: Sequence[tuple[float, ...]], other: int) -> float:
    """Spearman's, of the first of the designs' means with another one; 0 where all are equal."""
    from scipy.stats import spearmanr

    found = float(spearmanr([each[0] for each in means], [each[other] for each in means]).statistic)
    return found if found == found else 0.0


def replay_all(path: Path, small: int) -> dict[str, Any]:
    """All finished runs of an archive, a line for each, and their sum."""
    with closing(open_archive(path)) as archive:
        runs = [run for run in archive.runs() if run.status == "done"]
        found = [replay(archive, run, small) for run in runs if not RunConfig.model_validate_json(run.config).small]
    for each in found:
        sys.stderr.write(f"{each}\n")
    if not found:
        raise SystemExit(f"{path} has no finished run without a small rung")
    scored, paid, with_rung = (sum(getattr(each, name) for each in found) for name in PAYMENTS)
    in_finals = [each.best_of_finals_wins for each in found if each.best_of_finals_wins is not None]
    return {
        "runs": len(found),
        "small": small,
        "designs": sum(each.designs for each in found),
        "paid_share_with_reuse": round(paid / scored, 3),
        "paid_share_with_reuse_and_rung_at_least": round(with_rung / scored, 3),
        "suspects": sum(each.suspects for each in found),
        "same_best_with_reuse": [len(found), len(found)],
        "same_best_with_rung_at_least": [sum(each.best_by_search_wins for each in found), len(found)],
        "same_best_of_finals_with_rung_at_least": [sum(in_finals), len(in_finals)],
        **{name: _over_runs([getattr(each, name) for each in found]) for name in ("small_and_full", "small_and_rest")},
    }


def _over_runs(values: Sequence[float]) -> list[float | None]:
    found = estimate(values)
    return [found.mean, *(found.interval or (None, None))]


PAYMENTS = ("scored", "paid", "paid_with_rung")


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
    parser.add_argument("--replay", type=Path, help="an archive whose runs had no small rung; nothing is played")
    arguments = parser.parse_args()
    if arguments.replay is not None:
        print(json.dumps(replay_all(arguments.replay, arguments.small)))
        return
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
            "test_gain_of_rungs": [gain.mean, *(gain.interval or (None, None))],
            "seeds": len(pairs),
        }
    print(json.dumps({"domain": arguments.domain, "small": arguments.small, **results}))


if __name__ == "__main__":
    main()
