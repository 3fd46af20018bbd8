"""Memory rewriting (arXiv 2601.15086): what was true is void later, and who tells the old with the new misleads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from domains.base import Role, TaskSpec, TextEnvironment, chosen_families
from domains.rewriting_cubes import LEVELS, ColorCubes
from domains.rewriting_tmaze import MAX_STEPS, EndlessTMaze

SIZES = {Role.COLLECTION: 60, Role.DEPLOYMENT: 60, Role.REFLECTION: 30, Role.CONFIRMATION: 60, Role.TEST: 100}
"""Tasks of a family in each role."""

FIRST_SEEDS = {role: 10_000 * (number + 1) for number, role in enumerate(Role)}
"""Seeds of a role count up from here, so that no task is in two roles."""

FAMILIES: dict[str, Callable[[int], EndlessTMaze | ColorCubes]] = {
    "tmaze-fixed": partial(EndlessTMaze, uniform=False),
    "tmaze-uniform": partial(EndlessTMaze, uniform=True),
    **{f"cubes-{name}": partial(ColorCubes, level=level) for name, level in LEVELS.items()},
}


class Seer:
    """Acts by what a perfect memory would tell."""

    def __init__(self, environment: EndlessTMaze | ColorCubes) -> None:
        self._environment = environment

    def act(self, observation: str, info: Mapping[str, Any]) -> str:
        """The action that agrees most with the truth."""
        [truth] = self._environment.truth()
        parts = truth.partition(": ")[2].split(", ")
        actions: Sequence[str] = info["actions"]
        return max(actions, key=lambda action: sum(part in action for part in parts))


class Rewriting:
    """Some or all families; one family alone is a domain of its own name, with the same tasks.

    Nothing that holds in one episode holds in the next: only a memory that is asked at every step is of use.
    Episodes end by the games' own clocks, so that none is truncated.
    """

    version: ClassVar[str] = "1"
    max_steps: ClassVar[int] = max(MAX_STEPS, *(level.moves for level in LEVELS.values()))

    def __init__(self, families: Sequence[str] = tuple(FAMILIES)) -> None:
        self.families, self.name = chosen_families("rewriting", families, FAMILIES)

    def tasks(self, role: Role) -> Sequence[TaskSpec]:
        """All tasks of a role, the families taking turns."""
        first = FIRST_SEEDS[role]
        return [
            TaskSpec(f"{family}-{role}-{number:03}", family, role, first + number)
            for number in range(SIZES[role])
            for family in self.families
        ]

    def prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Nothing is needed on disk."""

    def environment(self, spec: TaskSpec) -> EndlessTMaze | ColorCubes:
        """Open the task for play."""
        return FAMILIES[spec.family](spec.seed)

    def expert(self, spec: TaskSpec, environment: TextEnvironment) -> Seer:
        """Sees what is hidden."""
        assert isinstance(environment, EndlessTMaze | ColorCubes)
        return Seer(environment)
