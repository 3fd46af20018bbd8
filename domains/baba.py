"""Baba Is AI: puzzles whose rules are words on the map, and can be pushed. Written from its rules; no dependency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from domains.baba_levels import FAMILIES, Level, draw_level
from domains.baba_rules import Cell
from domains.baba_solver import solve
from domains.baba_text import GOAL, IDLE, describe, draw, moves
from domains.base import Role, TaskSpec, TextEnvironment, chosen_families

SIZES = {Role.COLLECTION: 60, Role.DEPLOYMENT: 60, Role.REFLECTION: 30, Role.CONFIRMATION: 60, Role.TEST: 100}
"""Tasks of a family in each role."""

FIRST_SEEDS = {role: 10_000 * (number + 1) for number, role in enumerate(Role)}
"""Seeds of a role count up from here; what a level looks like also belongs to one role only."""

SHARES = {role: number for number, role in enumerate(Role)}
MAX_STEPS = 100


class BabaEnvironment(TextEnvironment):
    """One level; nothing in it is random once it is drawn, so the seed of `reset` changes nothing.

    Winning scores 1, and is what BALROG counts. Before that each stage of the intended solution (a rule to break or to
    make) that was ever reached counts 1 / (number of stages, the going to WIN included). Where nothing is YOU any more
    the level starts again, as in BALROG, but its steps and its score go on.
    """

    def __init__(self, level: Level, max_steps: int = MAX_STEPS) -> None:
        self.level = level
        self._max_steps = max_steps
        self.board = level.board.copy()
        self._moves: dict[str, str] = {}
        self._steps = 0
        self._reached: set[int] = set()
        self._score = 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin the level."""
        super().reset(seed=seed)
        self.board = self.level.board.copy()
        self._moves = moves(self.board)
        self._steps = 0
        self._reached = set()
        self._score = 0.0
        return describe(self.board), self._info(won=False)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Make a listed move."""
        if action not in self._moves:
            raise ValueError(f"{action!r} is not among the listed actions {list(self._moves)}")
        self._steps += 1
        won = lost = False
        note = ""
        if action != IDLE:
            _, won, lost = self.board.advance(self._moves[action])
            note = self._after(won, lost)
        score = 1.0 if won else len(self._reached) / len(self.level.stages)
        reward, self._score = score - self._score, score
        truncated = not (won or lost) and self._steps >= self._max_steps
        self._moves = {} if won or lost or truncated else moves(self.board)
        return note or describe(self.board), reward, won or lost, truncated, self._info(won=won)

    def render(self) -> Any:  # gymnasium leaves the type of what is drawn to a type variable
        """The board as text for people."""
        return draw(self.board)

    def _after(self, won: bool, lost: bool) -> str:
        """Note what a move reached; what to say in place of, or before, the board where it did not just go on."""
        if won or lost:
            return "You win." if won else "You lose."
        rules = self.board.rules
        self._reached.update(number for number, stage in enumerate(self.level.stages) if stage.reached(rules))
        if self.board.yous():
            return ""
        self.board = self.level.board.copy()
        return f"Nothing was you any more, and the level was set up again.\n\n{describe(self.board)}"

    def _info(self, *, won: bool) -> dict[str, Any]:
        return {"goal": GOAL, "actions": list(self._moves), "score": self._score, "won": won}


class Solver:
    """Plays the solution that was found when the level was drawn, and another where a player left it.

    Where the player left no way that the solver finds, it idles until the level starts again.
    """

    def __init__(self, environment: BabaEnvironment) -> None:
        self._environment = environment
        self._expected: list[Cell] = []
        self._left: list[str] = []
        self._stuck = False

    def act(self, observation: str, info: Mapping[str, Any]) -> str:
        """The listed move in the next direction of the solution."""
        board, level = self._environment.board, self._environment.level
        if board.cells == level.board.cells:
            self._left, self._stuck = list(level.solution), False
        elif not self._stuck and board.cells != self._expected:
            self._left = list(solve(board, level.stages) or ())
        self._stuck = not self._left
        if self._stuck:
            return IDLE
        direction = self._left.pop(0)
        after = board.copy()
        after.advance(direction)
        self._expected = after.cells
        actions: list[str] = info["actions"]
        return next(action for action in actions if direction in action.split())


class Baba:
    """Some or all families; one family alone is a domain of its own name, with the same tasks."""

    version: ClassVar[str] = "1"
    max_steps: ClassVar[int] = MAX_STEPS

    def __init__(self, families: Sequence[str] = tuple(FAMILIES)) -> None:
        self.families, self.name = chosen_families("baba", families, FAMILIES)

    def tasks(self, role: Role) -> Sequence[TaskSpec]:
        """All tasks of a role, the families taking turns, and the kinds of each family too."""
        return [
            TaskSpec(f"{_kind(family, number)}-{role}-{number:03}", family, role, FIRST_SEEDS[role] + number)
            for number in range(SIZES[role])
            for family in self.families
        ]

    def prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Nothing is needed on disk."""

    def environment(self, spec: TaskSpec) -> BabaEnvironment:
        """Open the task for play."""
        return BabaEnvironment(self.level(spec))

    def expert(self, spec: TaskSpec, environment: TextEnvironment) -> Solver:
        """Play what the solver finds."""
        assert isinstance(environment, BabaEnvironment)
        return Solver(environment)

    def level(self, spec: TaskSpec) -> Level:
        """The level of a task."""
        kind = _kind(spec.family, spec.seed - FIRST_SEEDS[spec.role])
        return draw_level(kind, spec.seed, SHARES[spec.role], len(Role))


def _kind(family: str, number: int) -> str:
    """The kind of level that has this number in its family, which goes through its kinds in turn."""
    kinds = list(FAMILIES[family])
    return kinds[number % len(kinds)]
