"""Does the search learn? Gain of its best designs on held-out test tasks, for each strategy over several search seeds.

    .venv/bin/python scripts/bench_learning.py --archive learning.db

Every run and every test is kept in the archive, so the same command goes on where it stopped. Strategies have the same
number of designs, tasks and episodes. Differences are paired by task; intervals resample search seeds and tasks.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import fmean

from archive.tables import Look
from domains.base import Role
from evolve import finals
from evolve.asking import Conversation
from evolve.commands.show import estimate_json, estimate_text
from evolve.config import RunConfig
from evolve.judging import Trial
from evolve.loop import BASELINES
from evolve.proposers.registry import make as make_proposer
from evolve.results import candidates
from evolve.session import sit_down
from evolve.statistics import Estimate, crossed
from evolve.strategies.registry import make as make_strategy

Differences = dict[str, list[list[float]]]


def learn(config: RunConfig, archive: Path, tasks: int, repeats: int) -> dict[str, dict[str, float]]:
    """Search, play the finals, then play the test tasks with the best design and the baselines; scores by task."""
    with sit_down(config, archive, lambda progress: None) as sitting:
        search = sitting.search
        specs = search.prepare(Role.DEPLOYMENT, config.deployment)
        search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
        Conversation(search, make_strategy(config), make_proposer(config), specs).run()
        finals.play(search)
        ranked = finals.ranking(sitting.archive, search.run_id)
        best = ranked[0].design if ranked else candidates(sitting.archive, search.run_id)[0].design_id
        test = search.prepare(Role.TEST, tasks)
        search.evaluate_baselines(Role.TEST, test, repeats)
        tested = search.evaluated(best, Trial(Role.TEST, test, repeats))
        scores = {**search.baselines, "best": tested or {spec.id: 0.0 for spec in test}}
        row = Look(run_id=search.run_id, design_id=best, result=json.dumps(scores), created=time.time())
        sitting.archive.save(row)
        played, reused = search.scheduler.played, search.scheduler.reused
    promised = f"search {ranked[0].searched.mean:+.3f}, confirmed {ranked[0].confirmed.mean:+.3f}, " if ranked else ""
    sys.stderr.write(
        f"{config.strategy} seed {config.seed}: {promised}"
        f"test {' '.join(f'{name} {fmean(s.values()):.3f}' for name, s in scores.items())}, "
        f"{played} episodes played, {reused} reused\n"
    )
    return {name: dict(by_task) for name, by_task in scores.items()}


def main() -> None:
    """Run all seeds of all strategies, the seeds of one after the other, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, default=Path("learning.db"))
    parser.add_argument("--domain", default="textworld:cooking")
    parser.add_argument("--strategies", nargs="+", default=["alma", "random", "best-of-n"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--designs", type=int, default=60)
    parser.add_argument("--tasks", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--finalists", type=int, default=5, help="designs that play the finals")
    parser.add_argument("--confirmation", type=int, default=40, help="tasks of the finals")
    parser.add_argument("--sandbox")
    parser.add_argument("--reward-scale", type=float, default=1.0, help="alma: lambda of its selection")
    parser.add_argument("--visit-penalty", type=float, default=0.5, help="alma: alpha of its selection")
    parser.add_argument("--temperature", type=float, default=0.5, help="alma: of its softmax")
    arguments = parser.parse_args()
    began = time.monotonic()
    gains: dict[str, Differences] = {}
    for seed in range(arguments.seeds):
        for strategy in arguments.strategies:
            config = RunConfig(
                domain=arguments.domain,
                strategy=strategy,
                seed=seed,
                designs=arguments.designs,
                sandbox=arguments.sandbox,
                reward_scale=arguments.reward_scale,
                visit_penalty=arguments.visit_penalty,
                temperature=arguments.temperature,
                finalists=arguments.finalists,
                confirmation=arguments.confirmation,
            )
            scores = learn(config, arguments.archive, arguments.tasks, arguments.repeats)
            for baseline in BASELINES:
                differences = [scores["best"][task] - scores[baseline][task] for task in sorted(scores["best"])]
                gains.setdefault(strategy, {}).setdefault(baseline, []).append(differences)
    report(gains, time.monotonic() - began)


def report(gains: dict[str, Differences], seconds: float) -> None:
    """Print a table for people and, last, one line of JSON."""
    results: dict[str, dict[str, Estimate]] = {
        strategy: {baseline: crossed(groups) for baseline, groups in by_baseline.items()}
        for strategy, by_baseline in gains.items()
    }
    print(f"| strategy | {' | '.join(f'gain over {name}' for name in BASELINES)} | search seeds |")
    print("|---" * (len(BASELINES) + 2) + "|")
    for strategy, by_baseline in results.items():
        cells = [estimate_text(gain, signed=True) for gain in by_baseline.values()]
        print(f"| {strategy} | {' | '.join(cells)} | {len(gains[strategy]['no_memory'])} |")
    flat = {s: {b: estimate_json(gain) for b, gain in by_baseline.items()} for s, by_baseline in results.items()}
    print(json.dumps({"seconds": round(seconds), "gains": flat}))


if __name__ == "__main__":
    main()
