"""Does the small local model use what it is told? SmolLM2 plays `recall` with the right memory, and without any.

    .venv/bin/python scripts/bench_local_agent.py

The right memory is the commands that are right for the cues of the episode, in an order drawn by the task, with
`--others` right commands for cues that do not come up among them. Both arms play the same tasks with the same seed,
through the gateway and llama.cpp as in a run. Intervals are 95 %, by bootstrap over tasks.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from archive.opening import open_archive
from domains.base import Role, TaskSpec
from domains.recall import CUES, Recall
from evolve.agents import registry
from evolve.agents.base import Account, Agent
from evolve.config import RunConfig
from evolve.llm.gateway import Gateway
from evolve.play import play
from evolve.statistics import estimate, paired
from sandbox.guest import Item

ROLES = (Role.COLLECTION, Role.DEPLOYMENT, Role.REFLECTION, Role.CONFIRMATION)
"""Tasks of all roles but the held-out ones."""


def right_memory(domain: Recall, spec: TaskSpec, others: int) -> tuple[Item, ...]:
    """The right commands of an episode, among some for other cues."""
    rng = random.Random(spec.id)
    asked = domain.cues(spec)
    cues = [*asked, *rng.sample([cue for cue in CUES if cue not in asked], others)]
    rng.shuffle(cues)
    return tuple(Item.of(f"call the {cue} {domain.answer(cue)}") for cue in cues)


def measure(agent: Agent, domain: Recall, specs: list[TaskSpec], others: int, at_once: int) -> dict[str, object]:
    """Play both arms, and compare them."""
    calls = Account()

    def score(spec: TaskSpec, items: tuple[Item, ...]) -> float:
        account = Account()
        trajectory = play(domain, spec, agent, 0, items, "", account)
        calls.calls += account.calls
        calls.misses += account.misses
        return trajectory.score

    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as threads:
        told = [right_memory(domain, spec, others) for spec in specs]
        with_memory = list(threads.map(score, specs, told))
        without = list(threads.map(score, specs, [()] * len(specs)))
    keys = [spec.id for spec in specs]
    gain = paired(dict(zip(keys, with_memory, strict=True)), dict(zip(keys, without, strict=True)))
    arms = {"right memory": estimate(with_memory), "no memory": estimate(without), "gain": gain}
    return {
        "tasks": len(specs),
        "others": others,
        **{name: [round(arm.mean, 3), round(arm.low, 3), round(arm.high, 3)] for name, arm in arms.items() if arm},
        "calls": calls.calls,
        "not listed": calls.misses,
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    """Measure, and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--others", type=int, default=0, help="right commands for other cues, in the memory too")
    parser.add_argument("--model", default="local")
    parser.add_argument("--at-once", type=int, default=2)
    arguments = parser.parse_args()
    domain = Recall()
    specs = [spec for role in ROLES for spec in domain.tasks(role)][: arguments.tasks]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "local.db"
        open_archive(path, write=True).close()
        gateway = Gateway(path, 1, RunConfig(agent=arguments.model, concurrency=arguments.at_once))
        try:
            agent = registry.load(arguments.model, gateway)
            print(json.dumps(measure(agent, domain, specs, arguments.others, arguments.at_once)))
        finally:
            gateway.close()


if __name__ == "__main__":
    main()
