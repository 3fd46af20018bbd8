"""What is to be done in each family of MiniHack levels, and how far it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from domains.minihack_engine import View
from domains.minihack_level import SQUEAKY_BOARD, Level

FAR = 10_000
"""Farther than any way through a level."""


class Track(Protocol):
    """The state of one episode's task."""

    won: bool
    lost: bool
    progress: float
    """From 0 at the start to 1 at the goal."""

    def follow(self, view: View) -> None:
        """Take note of what the last action led to."""


class Tracker(Protocol):
    """Begins to follow a task."""

    def __call__(self, level: Level, start: View) -> Track:
        """The task at its start; `level` is what is true then."""


@dataclass(frozen=True, slots=True)
class Quest:
    """One family's task in words, what else than walking and fighting it takes, and how it is followed."""

    goal: str
    track: Tracker
    verbs: frozenset[str] = frozenset()

    @property
    def handles_things(self) -> bool:
        """Whether what lies on the floor matters."""
        return bool(self.verbs & {"take", "eat"})

    @property
    def shows_inventory(self) -> bool:
        """Whether what is carried matters."""
        return bool(self.verbs & {"take", "zap"})


class Way:
    """Go somewhere: done on the stairs down."""

    def __init__(self, level: Level, start: View) -> None:
        self.won = False
        self.lost = False
        self.progress = 0.0
        self._place = start.place
        self._to_go = self.measure(level, start)
        self._whole = max(1, self.left(start))

    def measure(self, level: Level, start: View) -> dict[int, int]:
        """Steps from each cell to the goal."""
        return level.distances([] if level.stairs is None else [level.stairs])

    def follow(self, view: View) -> None:
        """Take note of where the player is."""
        if view.place != self._place:
            self.lost = True
        elif not view.over:
            self.won = self.reached(view)
            self.progress = max(self.progress, 1 - self.left(view) / self._whole)

    def left(self, view: View) -> int:
        """How far it still is."""
        return self._to_go.get(view.cell, FAR)

    def reached(self, view: View) -> bool:
        """Whether the task is done."""
        return view.on_stairs


class KeyWay(Way):
    """The way to the key, and from there to the stairs."""

    def measure(self, level: Level, start: View) -> dict[int, int]:
        """Steps to the stairs; those to the key are measured beside them."""
        to_stairs = super().measure(level, start)
        self._to_key = level.distances(level.objects)
        self._beyond_key = max((to_stairs.get(cell, 0) for cell in level.objects), default=0)
        self._carried = len(start.inventory)
        return to_stairs

    def left(self, view: View) -> int:
        """How far it still is: over the key, until it is carried."""
        if len(view.inventory) > self._carried:
            return super().left(view)
        return self._to_key.get(view.cell, FAR) + self._beyond_key


class Hunt(Way):
    """Memento: find the grid bug and kill it; a squeaky board ends the episode."""

    def measure(self, level: Level, start: View) -> dict[int, int]:
        """Steps to the grid bug, by ways without a board."""
        within = level.distances([start.cell])
        boards = {cell for cell, kind in level.traps.items() if kind == SQUEAKY_BOARD}
        return level.distances([cell for cell in level.monsters if cell in within], boards)

    def follow(self, view: View) -> None:
        """Take note of the board's squeak."""
        super().follow(view)
        self.lost = self.lost or "squeak" in view.message

    def reached(self, view: View) -> bool:
        """Whether the grid bug is dead."""
        return "You kill the grid bug" in view.message


class Harvest(Way):
    """Explore maze: apples are worth half of what the stairs are, which end the episode.

    Here nothing is gained on the way, and what was reached counts in full: the score is MiniHack's own over its most.
    """

    APPLES = 4
    EATEN = ("This apple is delicious", "Delicious!  Must be a Macintosh!", "last bite of your meal", "Core dumped.")

    def __init__(self, level: Level, start: View) -> None:
        super().__init__(level, start)
        self._eaten = 0

    def follow(self, view: View) -> None:
        """Take note of an apple eaten and of the stairs."""
        if any(words in view.message for words in (*self.EATEN, "Blecch!  Rotten food!")):
            self._eaten += 1
        over = view.on_stairs and not view.over
        self.won = over and self._eaten >= self.APPLES
        self.lost = view.place != self._place or (over and not self.won)
        self.progress = 2 * (self._eaten / 2 + over) / (self.APPLES / 2 + 1)
