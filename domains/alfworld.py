"""ALFWorld (arXiv 2010.03768): household tasks as text, on its own engine; six families, after ALFRED's task types.

The benchmark's games are played where `$ALFWORLD_DATA` has them. Else games are made from what the package ships: the
same engine, rules, commands and rooms, but other things in other places, so that scores are not those of the benchmark.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from domains.alfworld_data import Published, data_directory
from domains.alfworld_games import FIRST_SEEDS, Generated, engine_version
from domains.alfworld_goal import FAMILIES, HouseholdExpert
from domains.alfworld_play import AlfWorldEnvironment
from domains.base import Role, TaskSpec, TextEnvironment, chosen_families


class Source(Protocol):
    """Where games come from."""

    @property
    def version(self) -> str:
        """Changes with the games."""

    def sizes(self, families: Sequence[str]) -> dict[Role, int]:
        """Tasks of each family in each role."""

    def prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Make what is missing."""

    def path(self, spec: TaskSpec) -> Path:
        """The game file of a task."""


class AlfWorld:
    """Some or all families; one family alone is a domain of its own name, with the same tasks."""

    tasks_version: ClassVar[str] = "1"

    def __init__(self, families: Sequence[str] = tuple(FAMILIES), max_steps: int = 50) -> None:
        engine = engine_version()
        root = data_directory()
        self._source: Source = Generated() if root is None else Published(root)
        self.families, self.name = chosen_families("alfworld", families, FAMILIES)
        self.max_steps = max_steps
        self.version = f"{self.tasks_version}-{self._source.version}-{engine}-{max_steps}"

    def tasks(self, role: Role) -> Sequence[TaskSpec]:
        """All tasks of a role, the families taking turns."""
        first = FIRST_SEEDS[role]
        return [
            TaskSpec(f"{family}-{role}-{number:03}", family, role, first + number)
            for number in range(self._source.sizes(self.families)[role])
            for family in self.families
        ]

    def prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Make the games that the cache lacks, in one child process."""
        self._source.prepare(specs)

    def environment(self, spec: TaskSpec) -> AlfWorldEnvironment:
        """Open the task for play, making its game first where need be."""
        self.prepare([spec])
        return AlfWorldEnvironment(self._source.path(spec), self.max_steps)

    def expert(self, spec: TaskSpec, environment: TextEnvironment) -> HouseholdExpert:
        """One who knows where everything is."""
        if not isinstance(environment, AlfWorldEnvironment):
            raise TypeError(f"the expert of {self.name} plays its own environments, not {type(environment).__name__}")
        return HouseholdExpert(environment)
