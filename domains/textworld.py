"""TextWorld: cooking, treasure hunter and coin collector, generated offline and played by the Inform interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from domains.base import Role, TaskSpec, TextEnvironment, chosen_families
from domains.textworld_expert import WalkthroughExpert
from domains.textworld_games import Game, engine_version, generate
from domains.textworld_play import TextWorldEnvironment

SIZES = {Role.COLLECTION: 60, Role.DEPLOYMENT: 60, Role.REFLECTION: 30, Role.CONFIRMATION: 60, Role.TEST: 100}
"""Tasks of a family in each role."""

FIRST_SEEDS = {role: 10_000 * (number + 1) for number, role in enumerate(Role)}
"""Game seeds of a role count up from here, so that no game is in two roles."""

COOKING = (
    # recipe, take, rooms, open, cook, cut, drop
    (1, 1, 1, True, False, False, False),
    (2, 2, 6, True, False, False, False),
    (3, 3, 1, True, True, True, False),
    (1, 1, 6, True, True, False, False),
    (2, 2, 1, False, False, False, False),
    (1, 1, 9, True, False, False, False),
    (3, 2, 6, False, False, False, False),
    (2, 1, 1, True, True, False, True),
    (3, 3, 1, False, False, False, False),
    (1, 1, 6, True, True, True, False),
    (2, 2, 1, True, True, False, False),
    (3, 3, 6, True, False, False, False),
    (1, 1, 1, False, True, True, False),
    (2, 2, 12, True, False, False, False),
    (2, 2, 6, True, True, True, False),
    (3, 3, 1, True, False, False, True),
)
"""The cooking games of sixteen tasks in a row; every role goes through this cycle."""

TREASURE_LEVELS = (21, 22, 23, 24)
COIN_LEVELS = (105, 106, 107, 204)


def cooking(number: int, seed: int) -> Game:
    """The cooking game of a place in the cycle."""
    recipe, take, rooms, opening, cook, cut, drop = COOKING[number % len(COOKING)]
    settings = {"recipe": recipe, "take": take, "go": rooms, "open": opening, "cook": cook, "cut": cut, "drop": drop}
    return Game("cooking", (*settings.items(), ("recipe_seed", seed), ("split", None)), seed)


def treasure_hunter(number: int, seed: int) -> Game:
    """Find the named thing among others in a maze, and do not take the wrong one."""
    return Game("treasure_hunter", (("level", TREASURE_LEVELS[number % len(TREASURE_LEVELS)]),), seed)


def coin_collector(number: int, seed: int) -> Game:
    """Find the coin at the far end of a maze with dead ends."""
    return Game("coin_collector", (("level", COIN_LEVELS[number % len(COIN_LEVELS)]),), seed)


FAMILIES: dict[str, Callable[[int, int], Game]] = {
    "cooking": cooking,
    "treasure": treasure_hunter,
    "coin": coin_collector,
}


class TextWorld:
    """Some or all families; one family alone is a domain of its own name, with the same tasks."""

    tasks_version: ClassVar[str] = "1"

    def __init__(self, families: Sequence[str] = tuple(FAMILIES), max_steps: int = 50) -> None:
        self.families, self.name = chosen_families("textworld", families, FAMILIES)
        self.max_steps = max_steps
        self.version = f"{self.tasks_version}-{engine_version()}-{max_steps}"

    def tasks(self, role: Role) -> Sequence[TaskSpec]:
        """All tasks of a role, the families taking turns."""
        first = FIRST_SEEDS[role]
        return [
            TaskSpec(f"{family}-{role}-{number:03}", family, role, first + number)
            for number in range(SIZES[role])
            for family in self.families
        ]

    def game(self, spec: TaskSpec) -> Game:
        """What the task's game is made from."""
        return FAMILIES[spec.family](spec.seed - FIRST_SEEDS[spec.role], spec.seed)

    def prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Generate the games that the cache lacks, in one child process."""
        generate([self.game(spec) for spec in specs])

    def environment(self, spec: TaskSpec) -> TextWorldEnvironment:
        """Open the task for play, generating its game first where need be."""
        self.prepare([spec])
        return TextWorldEnvironment(self.game(spec).path(), self.max_steps)

    def expert(self, spec: TaskSpec, environment: TextEnvironment) -> WalkthroughExpert:
        """Follows the walkthrough that the generator wrote down."""
        assert isinstance(environment, TextWorldEnvironment)
        return WalkthroughExpert(environment)
