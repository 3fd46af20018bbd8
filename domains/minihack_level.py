"""What is true of a level, seen or not, read from the engine's memory: for scores and experts, never for a player.

NetHack keeps the current level in exported variables (`level`, `dnstair`, `ftrap`; `rm.h` and `trap.h` of 3.6.6).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from domains.base import DomainError
from domains.minihack_engine import Engine, View
from domains.minihack_text import COLUMNS, COMPASS, ROWS

SECRET_DOOR, SECRET_CORRIDOR, DOOR, ICE_OR_BRIDGE = 14, 15, 22, 33
LIQUIDS = frozenset({16, 17, 18, 20})
"""Pool, moat, water and lava."""
CLOSED, LOCKED = 4, 8
SQUEAKY_BOARD = 4
_BARS_NO_DIAGONALS = 0x1E  # any door but a broken one or an empty doorway

_CELLS = 80 * ROWS
"""NetHack's columns begin at 1; column 0 is unused."""


@dataclass(frozen=True, slots=True)
class Level:
    """A map as flat lists; a cell is `row * COLUMNS + column` of the screen."""

    kinds: bytes
    doors: bytes
    objects: frozenset[int]
    monsters: frozenset[int]
    traps: dict[int, int]
    stairs: int | None

    def open(self, cell: int) -> bool:
        """Whether one could stand there once doors are open, secrets found, liquids filled or frozen."""
        kind = self.kinds[cell]
        return kind in (SECRET_DOOR, SECRET_CORRIDOR) or kind in LIQUIDS or DOOR <= kind <= ICE_OR_BRIDGE

    def steps(self, cell: int) -> Iterator[tuple[str, int]]:
        """The cells beside this one that can be walked to from it, with their directions."""
        straight = self._straight_only(cell)
        column, row = cell % COLUMNS, cell // COLUMNS
        for name, (dx, dy) in COMPASS.items():
            if 0 <= column + dx < COLUMNS and 0 <= row + dy < ROWS:
                there = cell + dy * COLUMNS + dx
                if self.open(there) and not (dx and dy and (straight or self._straight_only(there))):
                    yield name, there

    def distances(self, goals: Iterable[int], blocked: Collection[int] = ()) -> dict[int, int]:
        """Steps from each cell to the nearest goal, by ways that touch no blocked cell."""
        found = dict.fromkeys(goals, 0)
        queue = deque(found)
        while queue:
            cell = queue.popleft()
            for _, there in self.steps(cell):
                if there not in found and there not in blocked:
                    found[there] = found[cell] + 1
                    queue.append(there)
        return found

    def _straight_only(self, cell: int) -> bool:
        kind = self.kinds[cell]
        return kind == SECRET_DOOR or (kind == DOOR and bool(self.doors[cell] & _BARS_NO_DIAGONALS))


def read(engine: Engine, view: View) -> Level:
    """The level as it is now; `view` is what the screen shows of it."""
    import numpy as np

    layout = np.dtype([("glyph", "<i4"), ("kind", "u1"), ("seen", "u1"), ("flags", "<u2")])
    memory, stairs, traps = _memory(engine.library)
    size = _CELLS * layout.itemsize
    cells = np.frombuffer(memory[:size], layout).reshape(80, ROWS)[1:].T
    if (cells["glyph"] != view.glyphs).sum() > view.glyphs.size / 2:
        raise DomainError(
            "this build of nle keeps its levels in another way than nle 1.3: pip install 'palimpsest[minihack]'"
        )
    objects, monsters = (
        frozenset(np.flatnonzero(np.frombuffer(part, "<u8").reshape(80, ROWS)[1:].T).tolist())
        for part in (memory[size : 2 * size], memory[2 * size :])
    )
    return Level(
        kinds=np.ascontiguousarray(cells["kind"]).tobytes(),
        doors=(cells["flags"] & 31).astype(np.uint8).tobytes(),
        objects=objects,
        monsters=monsters,
        traps=traps,
        stairs=_cell(*stairs) if stairs[0] else None,
    )


def _cell(column: int, row: int) -> int:
    return row * COLUMNS + column - 1


def _memory(library: str) -> tuple[bytes, tuple[int, int], dict[int, int]]:
    """The level's cells with what stands on them, the stairs down, and the traps with their kinds."""
    import _ctypes
    import ctypes

    handle = _ctypes.dlopen(library, 4)  # RTLD_NOLOAD: the copy that the engine has open
    try:
        cells = ctypes.string_at(_ctypes.dlsym(handle, "level"), 3 * 8 * _CELLS)
        column, row = ctypes.string_at(_ctypes.dlsym(handle, "dnstair"), 2)
        trap = ctypes.c_void_p.from_address(_ctypes.dlsym(handle, "ftrap")).value
        traps = {}
        while trap:
            entry = ctypes.string_at(trap, 16)  # next, x, y, two places, kind
            traps[_cell(entry[8], entry[9])] = entry[14] & 31
            trap = int.from_bytes(entry[:8], "little")
    finally:
        _ctypes.dlclose(handle)  # one left open would keep the old game alive over a reset
    return cells, (column, row), traps
