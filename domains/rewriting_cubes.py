"""Color-Cubes as text (arXiv 2601.15086, section 2): cubes that teleport, and are seen only when one does."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from domains.base import TextEnvironment

COLOURS = ("red", "blue", "green", "yellow")
COLUMNS = "abcdef"
ROWS = range(1, 7)
MOVES_PER_TARGET = 3
"""Any cell is at most two moves away, so that one in three may be wasted."""

GOAL = "Go to the target cube, then to the next target, in three moves each on average."
"""Without a digit or a letter that could stand for a cell."""


@dataclass(frozen=True, slots=True)
class Level:
    """How hard it is. The paper's N is `cubes`; its K, the number of phases, we read as `targets`, reached in turn."""

    cubes: int
    targets: int
    drift: float = 0.0
    """The paper's p_teleport: how likely a move makes some cube that is not the target teleport."""
    colours_shown: bool = True
    """Whether later views tell the cubes apart; the first always does."""

    @property
    def moves(self) -> int:
        """The moves after which time is up."""
        return MOVES_PER_TARGET * self.targets


LEVELS = {
    "trivial": Level(cubes=1, targets=1),
    "medium": Level(cubes=4, targets=6, drift=0.25),
    "extreme": Level(cubes=4, targets=6, drift=0.25, colours_shown=False),
}


class Cell(NamedTuple):
    """A place in the grid."""

    column: str
    row: int

    def __str__(self) -> str:
        return f"column {self.column}, row {self.row}"


GRID = tuple(Cell(column, row) for row in ROWS for column in COLUMNS)


class ColorCubes(TextEnvironment):
    """A grid in which one moves along a row or a column, any distance, as a rook does.

    The task draws the start, the seed of `reset` all that happens later. Exactly one cube teleports at a time, never
    into the row or column that one stands in: so a target is two moves away, and one move after it was last seen.
    The score is the share of targets reached before time is up.
    """

    def __init__(self, seed: int, level: Level) -> None:
        self._seed = seed
        self._level = level
        self._rng = Random()
        self._listing = list(GRID)
        self._cubes: dict[str, Cell] = {}
        self._me = GRID[0]
        self._target = ""
        self._reached = 0
        self._moved = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin with everything in view."""
        super().reset(seed=seed)
        self._rng = Random(f"cubes {self._seed}")
        self._listing = self._rng.sample(GRID, len(GRID))  # else equal agent seeds mean equal walks in every task
        self._me = self._rng.choice(GRID)
        self._cubes = {}
        for colour in self._rng.sample(COLOURS, self._level.cubes):
            self._teleport(colour)
        self._target = self._rng.choice(list(self._cubes))
        self._reached = self._moved = 0
        self._rng = Random(f"cubes {self._seed} {self.np_random.integers(2**32)}")
        return self._view(colours_shown=True), self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Move to a cell of the same row or column; the cubes are seen again only if one teleports."""
        moves = {} if self._over else self._moves()
        if action not in moves:
            raise ValueError(f"{action!r} is not among the listed actions {list(moves)}")
        self._me = moves[action]
        self._moved += 1
        if self._me == self._cubes[self._target]:
            self._reached += 1
            text = f"You touch the {self._target} cube and it vanishes.\n{self._next_phase()}"
            return text, 1 / self._level.targets, self._over, False, self._info()
        text = self._drifted() or _line("You", self._me)
        return text, 0.0, self._over, False, self._info()

    def truth(self) -> list[str]:
        """What a perfect memory would tell now: where the target is."""
        return [] if self._over else [_line(self._target.capitalize(), self._cubes[self._target])]

    @property
    def _over(self) -> bool:
        return self._reached == self._level.targets or self._moved == self._level.moves

    def _next_phase(self) -> str:
        if self._over:
            return "It is over."
        self._teleport(self._target)
        self._target = self._rng.choice(list(self._cubes))
        return self._view(colours_shown=self._level.colours_shown)

    def _drifted(self) -> str:
        """The view after a cube that is not the target moved, or nothing where none did."""
        others = [colour for colour in self._cubes if colour != self._target]
        if self._over or not others or self._rng.random() >= self._level.drift:
            return ""
        self._teleport(self._rng.choice(others))
        return f"A cube moves.\n{self._view(colours_shown=self._level.colours_shown)}"

    def _teleport(self, colour: str) -> None:
        taken = set(self._cubes.values())
        away = [cell for cell in GRID if cell.column != self._me.column and cell.row != self._me.row]
        self._cubes[colour] = self._rng.choice([cell for cell in away if cell not in taken])

    def _view(self, *, colours_shown: bool) -> str:
        cells = sorted(self._cubes.items(), key=lambda pair: GRID.index(pair[1]))
        lines = [_line("You", self._me), f"Target: {self._target}"]
        lines += [_line(colour.capitalize() if colours_shown else "Some cube", cell) for colour, cell in cells]
        return "\n".join(lines)

    def _moves(self) -> dict[str, Cell]:
        reachable = [cell for cell in self._listing if (cell.column == self._me.column) != (cell.row == self._me.row)]
        return {f"go to {cell}": cell for cell in reachable}

    def _info(self) -> dict[str, Any]:
        return {
            "goal": GOAL,
            "actions": [] if self._over else list(self._moves()),
            "score": self._reached / self._level.targets,
            "won": self._reached == self._level.targets,
        }


def _line(name: str, cell: Cell) -> str:
    return f"{name}: {cell}"
