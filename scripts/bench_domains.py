"""Is there something for a memory to carry? Each domain with no memory, an expert, and what the expert would tell.

    .venv/bin/python scripts/bench_domains.py recall textworld:cooking my_game:make

The agent is `lexical`. *Plan* is the expert's own actions, told once at the beginning; *next* is what the expert would
do now, told before every action; the better of both is the oracle memory. A domain of the right difficulty has the
agent between .05 and .85 without memory, its expert at .9 at least, and the oracle memory above none. Intervals are
95 %, by bootstrap over tasks, differences paired by task. Without names, all installed domains that are not made of
others. Prints tables, and one line of JSON at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from domains import registry
from domains.base import Domain, HasExpert, Role, TaskSpec
from domains.conformance import EXPERT, Subject, examine
from evolve.agents.lexical import LexicalAgent
from evolve.commands.show import estimate_text
from evolve.evaluation import by_task
from evolve.play import cut, play
from evolve.statistics import Estimate, estimate, paired
from sandbox.guest import Item, Retrieved, Step, Task

Scores = dict[str, float]

LOWEST, HIGHEST = 0.05, 0.85
"""Between these the agent's score without memory says something."""
BUDGET = 1000
"""Tokens of memory, as in a run."""
PLAY_SECONDS = 3.0
ENVIRONMENTS = 10
SAME = ("repeats in fresh processes", "plays in threads")
"""Checks of the conformance suite that say whether episodes are equal."""


class Adviser:
    """Tells what an expert would do now, in a twin of the environment that takes the same actions."""

    def __init__(self, domain: Domain, spec: TaskSpec, seed: int) -> None:
        assert isinstance(domain, HasExpert)
        self._twin = domain.environment(spec)
        observation, info = self._twin.reset(seed=seed)
        self._expert = domain.expert(spec, self._twin)
        self._advice = self._expert.act(observation, info)
        self.retrieved: list[Retrieved] = []

    def begin(self, task: Task) -> Sequence[Item]:
        """The expert's first action."""
        return self._tell(0)

    def after(self, steps: Sequence[Step]) -> Sequence[Item]:
        """The expert's action after these."""
        observation, *_, info = self._twin.step(steps[-1].action)
        self._advice = self._expert.act(observation, info)
        return self._tell(len(steps))

    def close(self) -> None:
        """Close the twin."""
        self._twin.close()

    def _tell(self, step: int) -> Sequence[Item]:
        items = (Item.of(self._advice),)
        self.retrieved.append(Retrieved(step, items))
        return items


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a domain is, and what an environment takes; memory is that of child processes too."""

    steps_per_second: float
    reset_ms: float
    open_ms: float
    environment_mb: float
    same: dict[str, bool]


def led(domain: Domain, spec: TaskSpec, seed: int) -> tuple[float, list[str]]:
    """An expert's score, and what it did."""
    assert isinstance(domain, HasExpert)
    done: list[str] = []
    with closing(domain.environment(spec)) as environment:
        observation, info = environment.reset(seed=seed)
        expert = domain.expert(spec, environment)
        while info["actions"]:
            done.append(expert.act(observation, info))
            observation, *_, info = environment.step(done[-1])
    return float(info["score"]), done


def advised(domain: Domain, spec: TaskSpec, seed: int) -> float:
    """The agent's score where it is told before every action what the expert would do."""
    with closing(Adviser(domain, spec, seed)) as adviser:
        return play(domain, spec, LexicalAgent(), seed, adviser).score


def planned(domain: Domain, spec: TaskSpec, seed: int) -> float:
    """The agent's score where it is told the expert's actions, each once, at the beginning."""
    plan = [Item.of(action) for action in dict.fromkeys(led(domain, spec, seed)[1])]
    return play(domain, spec, LexicalAgent(), seed, cut(plan, BUDGET)[0]).score


def scores_of(domain: Domain, tasks: int, repeats: int) -> dict[str, Scores]:
    """Scores by task of every arm; all play the same tasks with the same seeds."""
    specs = domain.tasks(Role.DEPLOYMENT)[:tasks]
    domain.prepare(specs)

    def averaged(score: Callable[[Domain, TaskSpec, int], float]) -> Scores:
        return by_task([(spec.id, score(domain, spec, seed)) for spec in specs for seed in range(repeats)])

    arms = {"no memory": averaged(lambda *task: play(task[0], task[1], LexicalAgent(), task[2]).score)}
    if isinstance(domain, HasExpert):
        arms |= {
            "expert": averaged(lambda *task: led(*task)[0]),
            "plan": averaged(planned),
            "next": averaged(advised),
        }
    return arms


def pace_of(name: str, domain: Domain) -> Pace:
    """Random play for a while, and some environments open at once."""
    specs = domain.tasks(Role.COLLECTION)[:ENVIRONMENTS]
    domain.prepare(specs)
    before, began = resident_mb(), time.perf_counter()
    opened = [domain.environment(spec) for spec in specs]
    open_ms = 1000 * (time.perf_counter() - began) / len(specs)
    resets = []
    for environment in opened:
        at = time.perf_counter()
        environment.reset(seed=0)
        resets.append(1000 * (time.perf_counter() - at))
    grown = (resident_mb() - before) / len(specs)
    steps, spent, rng = 0, 0.0, Random(0)
    while spent < PLAY_SECONDS:
        environment = opened[steps % len(opened)]
        _, info = environment.reset(seed=steps)
        at = time.perf_counter()
        while info["actions"]:
            *_, info = environment.step(rng.choice(info["actions"]))
            steps += 1
        spent += time.perf_counter() - at
    for environment in opened:
        environment.close()
    subject = Subject(name)
    same = {check: examine(subject, check).passed for check in SAME}
    return Pace(steps / spent, median(resets), open_ms, grown, same)


def resident_mb() -> float:
    """Memory of this process and its children, what is shared counted in part."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it ended meanwhile
                continue
            children.setdefault(parent, []).append(int(entry.name))
    total, left = 0, [os.getpid()]
    while left:
        process = left.pop()
        left += children.get(process, [])
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 1024


def measure(name: str, tasks: int, repeats: int) -> dict[str, Any]:
    """All of one domain."""
    domain = registry.load(name)
    began = time.monotonic()
    arms = scores_of(domain, tasks, repeats)
    scores = {arm: estimate(list(by.values())) for arm, by in arms.items()}
    gains: dict[str, Estimate] = {arm: paired(arms[arm], arms["no memory"]) for arm in ("plan", "next") if arm in arms}
    pace = pace_of(name, domain)
    return {
        "version": domain.version,
        "tasks": len(arms["no memory"]),
        "scores": scores,
        "gains": gains,
        "pace": asdict(pace),
        "remarks": remarks(scores, gains),
        "seconds": round(time.monotonic() - began, 1),
    }


def remarks(scores: Mapping[str, Estimate], gains: Mapping[str, Estimate]) -> list[str]:
    """What is not as it has to be."""
    without = scores["no memory"].mean
    found = [] if LOWEST <= without <= HIGHEST else [f"no memory is outside {LOWEST} to {HIGHEST}"]
    if not gains:
        return [*found, "no expert"]
    if scores["expert"].mean < EXPERT:
        found.append(f"its expert is below {EXPERT}")
    if max(gain.low for gain in gains.values()) <= 0:
        found.append("no oracle memory is above none")
    return found


def show(results: dict[str, dict[str, Any]]) -> None:
    """Tables for people."""
    width = max(map(len, results)) + 2
    print(f"\n{'score':{width}}" + "".join(f"{arm:>22}" for arm in ("no memory", "expert", "plan", "next")))
    for name, result in results.items():
        cells = [estimate_text(result["scores"].get(arm)) for arm in ("no memory", "expert", "plan", "next")]
        print(f"{name:{width}}" + "".join(f"{cell:>22}" for cell in cells))
    print(f"\n{'over no memory':{width}}{'plan':>26}{'next':>26}  remarks")
    for name, result in results.items():
        cells = [estimate_text(result["gains"].get(arm), signed=True) for arm in ("plan", "next")]
        said = "; ".join(result["remarks"]) or "ok"
        print(f"{name:{width}}" + "".join(f"{cell:>26}" for cell in cells) + f"  {said}")
    heads = "".join(f"{head:>10}" for head in ("steps/s", "open ms", "reset ms", "MB each"))
    print(f"\n{'pace':{width}}{heads}  equal in processes, threads")
    for name, result in results.items():
        pace = result["pace"]
        numbers = [pace[key] for key in ("steps_per_second", "open_ms", "reset_ms", "environment_mb")]
        same = ", ".join("yes" if pace["same"][check] else "NO" for check in SAME)
        print(f"{name:{width}}" + "".join(f"{number:>10.1f}" for number in numbers) + f"  {same}")


def whole(names: Sequence[str]) -> list[str]:
    """Names but of those domains that others are parts of."""
    return [name for name in names if not any(other.startswith(f"{name}:") for other in names)]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domains", nargs="*", metavar="DOMAIN")
    parser.add_argument("--tasks", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    installed = [info.name for info in registry.available() if info.installed]
    results = {}
    for name in arguments.domains or whole(installed):
        results[name] = measure(name, arguments.tasks, arguments.repeats)
        print(f"{name}: {results[name]['seconds']} s", flush=True)
    show(results)
    print(json.dumps(results, default=asdict))


if __name__ == "__main__":
    main()
