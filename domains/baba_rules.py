"""The rules of the Baba game: things and words on a grid, and the sentences of words that say what things do.

The game is Baba Is AI (Cloos et al. 2024, arXiv 2407.13729), which took it from the puzzle game Baba Is You. Of its
properties those are here that a level of `baba_levels`, or a test, can spell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

NOUNS = ("baba", "ball", "door", "key", "wall")
PROPERTIES = ("you", "win", "lose", "stop", "push")
BORDER = "border"
"""What the outermost cells hold: nothing moves it or enters it, and no word is written on it."""

IS = "IS"
NOUN_WORDS = frozenset(noun.upper() for noun in NOUNS)
PREDICATES = NOUN_WORDS | {name.upper() for name in PROPERTIES}
WORDS = PREDICATES | {IS}
"""A word is a block that can be pushed, written in capitals; a thing is the noun in small letters."""

DIRECTIONS = {"up": (0, -1), "right": (1, 0), "down": (0, 1), "left": (-1, 0)}

Cell = tuple[str, ...]
"""What lies in a cell, the top last. Only the top is read, pushed, entered or moved."""
Sentence = tuple[str, str]
"""A noun, and what it is: a property, or another noun that it turns into."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the sentences on the grid mean."""

    sentences: tuple[Sentence, ...]
    you: frozenset[str]
    win: frozenset[str]
    lose: frozenset[str]
    solid: frozenset[str]
    """What cannot be entered."""
    pushed: frozenset[str]
    """What gives way to what enters it."""
    becomes: Mapping[str, str]


@lru_cache(maxsize=4096)
def rules_of(sentences: tuple[Sentence, ...]) -> Rules:
    """The meaning of sentences; where a noun turns into two others, the first sentence holds."""
    nouns = {name: frozenset(noun for noun, said in sentences if said == name) for name in PROPERTIES}
    becomes = {noun: said for noun, said in reversed(sentences) if said in NOUNS}
    solid, pushed = nouns["stop"] | WORDS | {BORDER}, nouns["push"] | WORDS
    return Rules(sentences, nouns["you"], nouns["win"], nouns["lose"], solid, pushed, becomes)


def read(cells: Sequence[Cell], width: int) -> Rules:
    """The sentences that are written from left to right or from top to bottom, each once, in the order of their IS."""
    found: dict[Sentence, None] = {}
    for at, cell in enumerate(cells):
        if cell and cell[-1] == IS:
            for reach in (1, width):
                subject, predicate = _top(cells[at - reach]), _top(cells[at + reach])
                if subject in NOUN_WORDS and predicate in PREDICATES:
                    found[subject.lower(), predicate.lower()] = None
    return rules_of(tuple(found))


class Outcome(NamedTuple):
    """What a move led to."""

    moved: bool
    """Whether anything changed its place."""
    won: bool
    lost: bool


class Board:
    """A level in play. Cells are numbered row by row, the border included."""

    __slots__ = ("cells", "rules", "width")

    def __init__(self, width: int, cells: list[Cell], rules: Rules | None = None) -> None:
        self.width = width
        self.cells = cells
        self.rules = rules or read(cells, width)

    def copy(self) -> Board:
        """The same position, to be played on apart."""
        return Board(self.width, self.cells.copy(), self.rules)

    def yous(self) -> list[int]:
        """The cells from which what is YOU can move, in reading order."""
        you = self.rules.you
        return [at for at, cell in enumerate(self.cells) if cell and cell[-1] in you]

    def delta(self, direction: str) -> int:
        """How far a cell's number is from its neighbour's."""
        across, along = DIRECTIONS[direction]
        return along * self.width + across

    def ahead(self, at: int, direction: str) -> str | None:
        """What YOU in a cell would push or enter: "" in front of an empty cell, None where nothing would move."""
        ahead = at + self.delta(direction)
        front, end = _top(self.cells[ahead]), ahead
        while _top(self.cells[end]) in self.rules.pushed:
            end += ahead - at
        return None if _top(self.cells[end]) in self.rules.solid else front

    def advance(self, direction: str, held: frozenset[str] = frozenset()) -> Outcome:
        """Move all that is YOU by one cell, then read the rules again and turn things into what they now are.

        YOU wins or loses by the rules that held before the move: by what it enters, or by what it is.
        `held` words stay where they are.
        """
        delta, rules = self.delta(direction), self.rules
        touched: set[str] = set()
        moved: set[str] = set()
        for at in sorted(self.yous(), reverse=delta > 0):  # the foremost first, so that a row of them moves as one
            touched.add(self.cells[at][-1])
            touched.add(self._shift(at, delta, held, moved) or "")
        if not moved.isdisjoint(WORDS):
            self.rules = read(self.cells, self.width)
        if becomes := self.rules.becomes:
            self.cells = [tuple(becomes.get(thing, thing) for thing in cell) for cell in self.cells]
        return Outcome(bool(moved), not touched.isdisjoint(rules.win), not touched.isdisjoint(rules.lose))

    def _shift(self, at: int, delta: int, held: frozenset[str], moved: set[str]) -> str | None:
        """Move the top of a cell, pushing what is in front; what it came to lie on ("" for nothing), None if it stayed.

        What is pushed but cannot move is not entered.
        """
        cells, to = self.cells, at + delta
        front = _top(cells[to])
        if front in self.rules.pushed and front not in held:
            if self._shift(to, delta, held, moved) is None:
                return None
            front = _top(cells[to])
        if front in self.rules.solid:
            return None
        moved.add(cells[at][-1])
        cells[to] = (*cells[to], cells[at][-1])
        cells[at] = cells[at][:-1]
        return front


def _top(cell: Cell) -> str:
    return cell[-1] if cell else ""
