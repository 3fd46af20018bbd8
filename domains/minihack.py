"""MiniHack: small NetHack levels in nine families, read as text and acted on in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import ClassVar

from domains.base import DomainError, Expert, Role, TaskSpec, TextEnvironment, chosen_families
from domains.minihack_engine import FEWER_RATS
from domains.minihack_play import MiniHackEnvironment
from domains.minihack_quests import Harvest, Hunt, KeyWay, Quest, Way

SIZES = {Role.COLLECTION: 60, Role.DEPLOYMENT: 60, Role.REFLECTION: 30, Role.CONFIRMATION: 60, Role.TEST: 100}
"""Tasks of a family in each role."""

FIRST_SEEDS = {role: 10_000 * (number + 1) for number, role in enumerate(Role)}
"""Level seeds of a role count up from here, so that no level is in two roles."""

MAX_STEPS = 100


@dataclass(frozen=True, slots=True)
class Family:
    """Levels of one kind, by the names of MiniHack's environments, and what is to be done there.

    `harder` are larger or harder ones, met in every second test task and nowhere else.
    """

    levels: tuple[str, ...]
    harder: tuple[str, ...]
    quest: Quest


_STAIRS = "and reach the stairs down"

FAMILIES = {
    "room": Family(
        ("Room-Random-15x15", "Room-Dark-15x15", "Room-Monster-15x15", "Room-Trap-15x15"),
        ("Room-Ultimate-15x15",),
        Quest(f"Cross the room {_STAIRS}.", Way),
    ),
    "maze": Family(
        ("MazeWalk-9x9", "MazeWalk-15x15"),
        ("MazeWalk-45x19",),
        Quest(f"Find the way through the maze {_STAIRS}.", Way),
    ),
    "corridor": Family(
        ("Corridor-R2", "Corridor-R3"),
        ("Corridor-R5",),
        Quest(f"Find the way through rooms, doors and corridors {_STAIRS}.", Way, frozenset({"kick"})),
    ),
    "battle": Family(
        (FEWER_RATS,),
        ("CorridorBattle", "CorridorBattle-Dark"),
        Quest(f"Fight the rats, one at a time, {_STAIRS}.", Way),
    ),
    "quest": Family(
        ("Quest-Easy",),
        ("Quest-Medium",),
        Quest(f"Freeze the lava with what you carry, cross it {_STAIRS}.", Way, frozenset({"zap"})),
    ),
    "key": Family(
        ("KeyRoom-Fixed-S5", "KeyRoom-S5", "KeyRoom-Dark-S5"),
        ("KeyRoom-S15", "KeyRoom-Dark-S15"),
        Quest(f"Pick up the key, unlock the door with it {_STAIRS}.", KeyWay, frozenset({"take", "unlock"})),
    ),
    "memento": Family(
        ("Memento-Short-F2", "Memento-F2"),
        ("Memento-F4",),
        Quest("Kill the grid bug. The creature behind the bars tells where it is; a squeaky board ends all.", Hunt),
    ),
    "river": Family(
        ("River-Narrow",),
        ("River", "River-Lava", "River-Monster"),
        Quest(f"Push boulders into the river until you can cross it, {_STAIRS}.", Way),
    ),
    "explore": Family(
        ("ExploreMaze-Easy", "ExploreMaze-Easy-Mapped"),
        ("ExploreMaze-Hard", "ExploreMaze-Hard-Mapped"),
        Quest("Eat the four apples, then reach the stairs down, which end the episode.", Harvest, frozenset({"eat"})),
    ),
}

_INSTALL = "pip install 'palimpsest[minihack]'"


class MiniHack:
    """Some or all families; one family alone is a domain of its own name, with the same tasks."""

    tasks_version: ClassVar[str] = "1"
    max_steps: ClassVar[int] = MAX_STEPS

    def __init__(self, families: Sequence[str] = tuple(FAMILIES)) -> None:
        self.families, self.name = chosen_families("minihack", families, FAMILIES)
        self.version = f"{self.tasks_version}-{engine_version()}"

    def tasks(self, role: Role) -> Sequence[TaskSpec]:
        """All tasks of a role, the families taking turns; the harder ones have it in their id."""
        first = FIRST_SEEDS[role]
        return [
            TaskSpec(f"{family}-{role}-{number:03}{'-harder' * _harder(role, number)}", family, role, first + number)
            for number in range(SIZES[role])
            for family in self.families
        ]

    def level(self, spec: TaskSpec) -> str:
        """The MiniHack environment that a task's level is from, without prefix and version."""
        family, number = FAMILIES[spec.family], spec.seed - FIRST_SEEDS[spec.role]
        if spec.role is Role.TEST:
            names, number = (family.harder if _harder(spec.role, number) else family.levels), number // 2
        else:
            names = family.levels
        return names[number % len(names)]

    def prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Nothing is needed on disk."""

    def environment(self, spec: TaskSpec) -> MiniHackEnvironment:
        """Open the task for play."""
        return MiniHackEnvironment(FAMILIES[spec.family].quest, self.level(spec), spec.seed, MAX_STEPS)

    def expert(self, spec: TaskSpec, environment: TextEnvironment) -> Expert:
        """Plays by what is true of the level."""
        from domains.minihack_expert import expert

        if not isinstance(environment, MiniHackEnvironment):
            raise TypeError(f"{environment} is not an environment of MiniHack")
        return expert(spec.family, environment)


def engine_version() -> str:
    """The versions of what levels and play come from; raises where they are not installed or do not load."""
    try:
        versions = f"{version('nle')}-{version('minihack')}"
    except PackageNotFoundError as missing:
        raise DomainError(f"{missing.name} is not installed, and MiniHack needs it: {_INSTALL}") from missing
    if find_spec("pkg_resources") is None:
        raise DomainError("minihack needs pkg_resources, which setuptools 82 dropped: pip install 'setuptools<82'")
    return versions


def _harder(role: Role, number: int) -> bool:
    return role is Role.TEST and number % 2 == 1
