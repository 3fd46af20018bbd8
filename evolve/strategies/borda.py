"""Enhanced Borda Count: a global order of candidates from the few pairs that were compared.

Empirical-MCTS (arXiv 2602.04248) after LLaMA-Berry (arXiv 2410.02884, section 3.3): who beat a winner's loser is taken
to beat the loser too, and a candidate counts those that it beats. The closure is kept as comparisons come in, as a
matrix of bits, so that a step touches only the rows that change.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Vector = np.ndarray[Any, np.dtype[np.float64]]
Bits = np.ndarray[Any, np.dtype[np.uint64]]
Places = np.ndarray[Any, np.dtype[np.intp]]

FIRST = 64
"""Candidates for which there is room at the start; room is doubled when it is used up."""


class BordaCount:
    """Candidates by their numbers 0, 1, ..., and the transitive closure of who beat whom.

    Results that contradict each other close a cycle: its members count as equal, and beat together what any of them
    beats.

    >>> count = BordaCount(3)
    >>> count.beat(0, 1)
    >>> count.beat(1, 2)
    >>> [count.wins(each) for each in range(3)]
    [2, 1, 0]
    """

    def __init__(self, candidates: int = 0) -> None:
        self._count = 0
        self._below = np.zeros((FIRST, FIRST // 64), dtype=np.uint64)
        """Row by row the bits of all that a candidate beats, of shape (room, room / 64)."""
        self._above = self._below.copy()
        """And of all that beat it."""
        self._wins = np.zeros(FIRST, dtype=np.int64)
        for _ in range(candidates):
            self.add()

    def __len__(self) -> int:
        return self._count

    def add(self) -> int:
        """Take in a candidate that was compared with nothing yet, and return its number."""
        if self._count == len(self._wins):
            room = len(self._wins)
            self._wins = np.pad(self._wins, (0, room))
            self._below, self._above = (
                np.pad(bits, ((0, room), (0, room // 64))) for bits in (self._below, self._above)
            )
        self._count += 1
        return self._count - 1

    def beat(self, winner: int, loser: int) -> None:
        """Take in a result, and what follows from it."""
        if winner == loser:
            raise ValueError(f"candidate {winner} cannot beat itself")
        if _has(self._below[winner], loser):
            return
        losers, winners = self._below[loser].copy(), self._above[winner].copy()
        _put(losers, loser)
        _put(winners, winner)
        upper, lower = _places(winners), _places(losers)
        closes_cycle = _has(losers, winner)
        self._wins[upper] += _added(self._below, upper, losers, self._above)
        _added(self._above, lower, winners, self._below)
        if closes_cycle:  # some are both above and below each other now, and so beat each other no more
            equals = np.union1d(upper, lower)
            self._wins[equals] = np.bitwise_count(self._below[equals] & ~self._above[equals]).sum(axis=1)

    def beats(self, one: int, other: int) -> bool:
        """Whether one is above the other, and not the other above it too."""
        return _has(self._below[one], other) and not _has(self._above[one], other)

    def wins(self, candidate: int) -> int:
        """How many candidates it beats, directly or not."""
        return int(self._wins[candidate])

    def values(self, preference: Vector) -> Vector:
        """Global value of each candidate in [0, 1], shape (candidates,): 1 - (rank - 1) / (N - 1), 1 for a single one.

        Ranks are by wins, then by `preference`, shape (candidates,); candidates equal in both share their mean rank.
        """
        if len(self) < 2:
            return np.ones(len(self))
        keys = np.stack([np.asarray(preference, dtype=float), self._wins[: len(self)].astype(float)])
        order = np.lexsort(keys)
        ordered = keys[:, order]
        starts = np.concatenate([[True], np.any(ordered[:, 1:] != ordered[:, :-1], axis=0)])
        group = np.cumsum(starts) - 1
        mean_place = np.bincount(group, weights=np.arange(len(self))) / np.bincount(group)
        found = np.empty(len(self))
        found[order] = mean_place[group] / (len(self) - 1)
        return found


def _added(matrix: Bits, rows: Places, bits: Bits, not_counted: Bits) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Set bits in some rows of a matrix; how many were new in each, those aside that another matrix has there."""
    where = np.ix_(rows, np.flatnonzero(bits))
    before = matrix[where]
    after = before | bits[where[1][0]]
    matrix[where] = after
    return np.asarray(np.bitwise_count(after & ~before & ~not_counted[where]).sum(axis=1, dtype=np.int64))


def _has(bits: Bits, place: int) -> bool:
    return bool(int(bits[place // 64]) >> place % 64 & 1)


def _put(bits: Bits, place: int) -> None:
    bits[place // 64] |= np.uint64(1 << place % 64)


def _places(bits: Bits) -> Places:
    """Where bits are set."""
    return np.flatnonzero(np.unpackbits(bits.astype("<u8").view(np.uint8), bitorder="little"))
