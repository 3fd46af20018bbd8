"""The expert for the river levels: pushes boulders into one row of the river until it can be crossed."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from domains.minihack_actions import SEARCH
from domains.minihack_expert import Walker
from domains.minihack_level import LIQUIDS
from domains.minihack_play import MiniHackEnvironment
from domains.minihack_text import COLUMNS, COMPASS

MOVES = {name: dy * COLUMNS + dx for name, (dx, dy) in COMPASS.items()}
MOST_STATES = 30_000
"""States of one search: where the player and the boulder are."""


class Push(NamedTuple):
    """A way to push a boulder into the river: directions, the row in which it sinks, and where the boulder is."""

    moves: list[str]
    row: int
    boulder: int


class Bridger(Walker):
    """Fills the row of the river that takes the fewest steps, then crosses it."""

    def __init__(self, environment: MiniHackEnvironment) -> None:
        super().__init__(environment)
        self._moves: list[str] = []
        self._here = -1
        self._chosen: tuple[int, int] | None = None

    def choose(self, actions: list[str]) -> str:
        """The next step of the best push, or over the bridge."""
        plan = self.plan(self.goals())
        if plan is None:
            return SEARCH
        if not any(self.level.kinds[cell] in LIQUIDS for _, _, cell in plan.moves):
            return self.take(plan, actions)
        if not self._moves or self._here != self.environment.view.cell:
            push = self._best()
            if push is None:
                return SEARCH
            self._moves = push.moves
        return self._follow(actions)

    def _follow(self, actions: list[str]) -> str:
        """The first of the moves that are left, with those after it in the same direction where one key does all."""
        cell, name = self.environment.view.cell, self._moves[0]
        same = next((i for i, move in enumerate(self._moves) if move != name), len(self._moves))
        together = []
        if same == len(self._moves) > 1:
            together.append(f"push far {name}")
        if self._run(cell, name, ()) == cell + same * MOVES[name]:
            together.append(f"far {name}")
        for action in (*together, f"push {name}", f"go {name}"):
            if action in actions:
                done = same if action in together else 1
                self._here = cell + done * MOVES[name]
                self._moves = self._moves[done:]
                return action
        self._moves = []
        return SEARCH

    def _boulder(self, cell: int) -> bool:
        return cell in self.level.objects  # also those that are out of sight

    def _best(self) -> Push | None:
        """The first push towards the row whose remaining gaps cost least; once begun, the rest of that push."""
        if self._chosen is not None and self._chosen[0] in self.level.objects:
            boulder, row = self._chosen
            begun = next((push for push in self._pushes(boulder) if push.row == row), None)
            if begun is not None:
                return begun
        pushes: dict[int, list[Push]] = {}
        for boulder in self.level.objects:
            for push in self._pushes(boulder):
                pushes.setdefault(push.row, []).append(push)
        choices = []
        for row, ways in pushes.items():
            gaps = sum(kind in LIQUIDS for kind in self.level.kinds[row * COLUMNS : (row + 1) * COLUMNS])
            ways.sort(key=lambda push: len(push.moves))
            if len(ways) >= gaps:
                choices.append((sum(len(push.moves) for push in ways[:gaps]), row))
        if not choices:
            return None
        best = pushes[min(choices)[1]][0]
        self._chosen = best.boulder, best.row
        return best

    def _pushes(self, boulder: int) -> list[Push]:
        """The shortest way to sink a boulder in each row that it can reach, breadth first."""
        wet = {cell for cell, kind in enumerate(self.level.kinds) if kind in LIQUIDS}
        stopped = (self.level.objects | self.level.monsters) - {boulder}
        beside = {
            cell: [(name, there) for name, there in self.level.steps(cell) if there not in stopped]
            for cell in self.level.distances([self.environment.view.cell], wet)
        }
        start = self.environment.view.cell, boulder
        came: dict[tuple[int, int], tuple[tuple[int, int], str]] = {start: (start, "")}
        found: dict[int, Push] = {}
        queue = deque([start])
        while queue and len(came) < MOST_STATES:
            state = queue.popleft()
            player, stone = state
            for name, there in beside[player]:
                moved = stone
                if there == stone:
                    moved = stone + MOVES[name]
                    if (name, moved) not in beside.get(stone, ()):
                        continue
                    if moved in wet:
                        row = moved // COLUMNS
                        found.setdefault(row, Push([*_trace(start, state, came), name], row, boulder))
                        continue
                new = there, moved
                if there not in wet and new not in came:
                    came[new] = state, name
                    queue.append(new)
        return list(found.values())


def _trace(
    start: tuple[int, int], state: tuple[int, int], came: dict[tuple[int, int], tuple[tuple[int, int], str]]
) -> list[str]:
    moves = []
    while state != start:
        state, name = came[state]
        moves.append(name)
    return moves[::-1]
