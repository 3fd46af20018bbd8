"""The unit that building blocks pass on: a remembered line with the evidence for it. And the words of a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sandbox.guest.design import Item, Trajectory

_WORD = re.compile(r"[\w']+")
_LINE = 120
SLOT = "_"
"""Stands in a template for words that differ from task to task."""


def words(text: str) -> list[str]:
    """Lower-case words in order, slots left out.

    >>> words("Take the knife from _")
    ['take', 'the', 'knife', 'from']
    """
    return list(_words_of_line(text)) if len(text) <= _LINE else _words(text)


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word != SLOT]


@lru_cache(maxsize=1 << 15)
def _words_of_line(text: str) -> tuple[str, ...]:
    """The words of a text that is short enough to be remembered, as lines are: they are asked for again and again."""
    return tuple(_words(text))


def lines(text: str) -> Iterator[str]:
    """Sentences and lines of an observation, stripped, without the empty ones."""
    for line in re.split(r"[\n.!?;]+", text):
        if stripped := line.strip():
            yield stripped


def overlap(text: str, other: str) -> float:
    """Share of the first text's distinct words that the second holds, in [0, 1].

    >>> overlap("take knife", "a knife lies here")
    0.5
    """
    mine = set(words(text))
    return len(mine & set(words(other))) / len(mine) if mine else 0.0


def ratio(a: float, b: float) -> float:
    """`a / b` that is defined everywhere: the divisor is kept at least .001 away from zero."""
    return a / (b if abs(b) >= 0.001 else 0.001)


@dataclass(slots=True)
class Record:
    """One line with what its episodes say of it. Sums grow when equal lines are merged."""

    text: str
    gain: float = 0.0
    """Score gains credited to it, summed."""
    score: float = 0.0
    """Scores of the episodes that it came from, summed."""
    wins: int = 0
    """Episodes it came from that succeeded."""
    count: int = 1
    """Episodes it came from."""
    position: float = 0.0
    """Where in its episodes it came, 0 (start) to 1 (end), on average."""
    last: int = 0
    """Number of the latest episode that it came from, counted by its encoder."""
    key: str = ""
    """What it is looked up by, where that is not its text; such a record is found by its key alone."""

    @property
    def name(self) -> str:
        """What a store keeps it under: its text, behind its key where it has one."""
        return f"{self.key}\x1f{self.text}" if self.key else self.text

    @property
    def mean_gain(self) -> float:
        """Score gain per episode that held it."""
        return self.gain / self.count

    @property
    def mean_score(self) -> float:
        """Mean score of the episodes that held it."""
        return self.score / self.count

    @property
    def win_rate(self) -> float:
        """Share of successes by Laplace's rule of succession, so that one lucky episode is no certainty."""
        return (self.wins + 1) / (self.count + 2)

    @property
    def length(self) -> int:
        """Number of words."""
        return len(words(self.text))

    def absorb(self, other: Record) -> None:
        """Take in the evidence of another record of the same line."""
        total = self.count + other.count
        self.position = (self.position * self.count + other.position * other.count) / total
        self.gain += other.gain
        self.score += other.score
        self.wins += other.wins
        self.count = total
        self.last = max(self.last, other.last)

    def item(self) -> Item:
        """The record as it is told to the agent."""
        return Item.of(self.text)

    def dump(self) -> list[Any]:
        """Its fields, all of JSON types; `Record(*dumped)` is the inverse."""
        return list(_FIELDS(self))


_FIELDS = attrgetter(*Record.__dataclass_fields__)


def record_of(text: str, trajectory: Trajectory, at: int, gain: float = 0.0, last: int = 0, key: str = "") -> Record:
    """A record of one line of an episode that came at step `at`."""
    position = at / max(1, len(trajectory.steps) - 1)
    return Record(text, gain, trajectory.score, int(trajectory.success), 1, position, last, key)


def merged(records: Iterable[Record]) -> list[Record]:
    """Records of equal name within one episode made one: gains add up, the first position stays, it is one episode."""
    kept: dict[str, Record] = {}
    for record in records:
        if (same := kept.get(record.name)) is None:
            kept[record.name] = record
        else:
            same.gain += record.gain
    return list(kept.values())
