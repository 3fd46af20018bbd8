"""Play random episodes; run as a script it prints one, so that processes can be compared.

python -m tests.domains.episodes DOMAIN TASK_NUMBER SEED
"""

from __future__ import annotations

import json
import sys
from random import Random
from typing import Any, Protocol

from domains import registry
from domains.base import Role


class Playable(Protocol):
    def reset(self, *, seed: int | None = None) -> tuple[str, dict[str, Any]]: ...
    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]: ...


def play(environment: Playable, seed: int) -> list[tuple[str, float, bool, bool, dict[str, Any]]]:
    """All that an episode of random listed actions shows, its first observation as a step without reward."""
    rng = Random(seed)
    observation, info = environment.reset(seed=seed)
    seen = [(observation, 0.0, False, False, info)]
    while not (seen[-1][2] or seen[-1][3]):
        seen.append(environment.step(rng.choice(seen[-1][4]["actions"])))
    return seen


def main(name: str, number: str, seed: str) -> None:
    domain = registry.load(name)
    environment = domain.environment(domain.tasks(Role.COLLECTION)[int(number)])
    json.dump(play(environment, int(seed)), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
