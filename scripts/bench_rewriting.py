"""Is what is void overwritten? Memories of one episode on the rewriting families, each in a sandbox, beside an oracle.

    .venv/bin/python scripts/bench_rewriting.py

Prints a table of scores and of paired differences with 95 % bootstrap intervals, and one line of JSON at the end.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.resources import files
from random import Random

from domains.base import Role, TaskSpec
from domains.rewriting import FAMILIES, Rewriting
from evolve.agents.lexical import LexicalAgent
from evolve.building import Memories
from evolve.evaluation import by_task
from evolve.jobs import LiveJob, Recipe
from evolve.live import LivePlay
from evolve.play import play
from evolve.statistics import Estimate, estimate, paired
from sandbox.backends import choose
from sandbox.guest import Item, Retrieved, Step, Task
from sandbox.pool import Pool

Scores = dict[str, float]

DESIGNS = ("append_only", "overwriting", "elimination")
PAIRS = (
    ("overwriting", "append_only"),
    ("elimination", "overwriting"),
    ("overwriting", "no memory"),
    ("oracle", "no memory"),
    ("no memory", "chance"),
)
BUDGET = 1000
"""Tokens of one retrieval, as in a run."""


class Oracle:
    """Tells what holds now, from a twin of the environment that takes the same actions."""

    def __init__(self, domain: Rewriting, spec: TaskSpec, seed: int) -> None:
        self._twin = domain.environment(spec)
        self._twin.reset(seed=seed)
        self.retrieved: list[Retrieved] = []

    def begin(self, task: Task) -> Sequence[Item]:
        """What is shown at the start, as far as it matters."""
        return self._tell(0)

    def after(self, steps: Sequence[Step]) -> Sequence[Item]:
        """What matters now."""
        self._twin.step(steps[-1].action)
        return self._tell(len(steps))

    def _tell(self, step: int) -> Sequence[Item]:
        items = tuple(Item.of(text) for text in self._twin.truth())
        self.retrieved.append(Retrieved(step, items))
        return items


def chance(domain: Rewriting, spec: TaskSpec, seed: int) -> float:
    """The score of listed actions drawn at random, those taken least often first: exploring, as any agent may."""
    environment = domain.environment(spec)
    rng = Random(f"{spec.id} {seed}")
    taken: Counter[str] = Counter()
    _, info = environment.reset(seed=seed)
    while info["actions"]:
        least = min(taken[action] for action in info["actions"])
        action = rng.choice([action for action in info["actions"] if taken[action] == least])
        taken[action] += 1
        *_, info = environment.step(action)
    return float(info["score"])


def designed(domain: Rewriting, specs: Sequence[TaskSpec], repeats: int, pool: Pool, design: str) -> Scores:
    """Scores of a starter design that sees nothing but the running episode; it is asked at every step."""
    source = files("archive.seeds").joinpath(f"{design}.py").read_text(encoding="utf-8")
    job = LiveJob(Recipe(source, 0), tuple(specs), repeats, first_seed=0, smoke=0, budget=BUDGET, dynamic=False)
    lived = LivePlay(domain, LexicalAgent(), pool.lease, job, (), Memories()).run()
    faults = [lived.failure, *(episode.fault for episode in lived.episodes)]
    if any(faults):
        raise SystemExit(f"{design} failed on {domain.name}: {next(filter(None, faults))}")
    return by_task([(episode.task_id, episode.played.score) for episode in lived.episodes if episode.played])


def measure(family: str, tasks: int, repeats: int, pool: Pool) -> dict[str, Scores]:
    """Scores by task of every memory on one family; all play the same tasks with the same seeds."""
    domain = Rewriting([family])
    specs = domain.tasks(Role.DEPLOYMENT)[:tasks]

    def averaged(score: Callable[[TaskSpec, int], float]) -> Scores:
        return by_task([(spec.id, score(spec, seed)) for spec in specs for seed in range(repeats)])

    return {
        "chance": averaged(lambda spec, seed: chance(domain, spec, seed)),
        "no memory": averaged(lambda spec, seed: play(domain, spec, LexicalAgent(), seed).score),
        **{design: designed(domain, specs, repeats, pool, design) for design in DESIGNS},
        "oracle": averaged(
            lambda spec, seed: play(domain, spec, LexicalAgent(), seed, Oracle(domain, spec, seed)).score
        ),
    }


def text(value: Estimate, sign: str = "") -> str:
    """A mean with its interval."""
    return f"{value.mean:{sign}.3f} [{value.low:{sign}.3f}, {value.high:{sign}.3f}]"


def table(title: str, results: dict[str, dict[str, Estimate]], sign: str = "") -> None:
    """Families across, what was measured down."""
    rows = list(next(iter(results.values())))
    print(f"\n{title:28}" + "".join(f"{family:>26}" for family in results))
    for row in rows:
        print(f"{row:28}" + "".join(f"{text(cells[row], sign):>26}" for cells in results.values()))


def main() -> None:
    """Measure all families and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--tasks", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--sandbox")
    arguments = parser.parse_args()
    began = time.monotonic()
    with Pool(choose(arguments.sandbox)) as pool:
        measured = {family: measure(family, arguments.tasks, arguments.repeats, pool) for family in arguments.families}
        sandbox = pool.backend.name
    scores = {family: {name: estimate(list(s.values())) for name, s in by.items()} for family, by in measured.items()}
    gains = {family: {f"{a} - {b}": paired(by[a], by[b]) for a, b in PAIRS} for family, by in measured.items()}
    print(f"{arguments.tasks} deployment tasks, {arguments.repeats} agent seeds, sandbox {sandbox}")
    table("score", scores)
    table("difference, paired by task", gains, "+")
    result = {
        family: {
            name: {part: round(number, 4) for part, number in asdict(value).items()}
            for name, value in {**scores[family], **gains[family]}.items()
        }
        for family in measured
    }
    print(json.dumps({"seconds": round(time.monotonic() - began, 1), "sandbox": sandbox, "families": result}))


if __name__ == "__main__":
    main()
