"""How unlike the others each design of a run is, in its code and in what it scores where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from evolve.strategies.evidence import Evidence

Vector = np.ndarray[Any, np.dtype[np.float64]]

NEIGHBOURS = 10
FIRST = 64
"""Points for which there is room at the start; room is doubled when it is used up."""
DIGITS = 6
"""Of a distance, so that no library's order of summing decides anything."""


class Space:
    """Points and how far each is from its nearest neighbours, kept as points come in.

    >>> space = Space()
    >>> for x in (0.0, 0.1, 0.9):
    ...     space.add(np.array([x]))
    >>> space.ranks()
    array([0.5, 0. , 1. ])
    """

    def __init__(self, neighbours: int = NEIGHBOURS) -> None:
        self._neighbours = neighbours
        self._count = 0
        self._points: Vector = np.empty((0, 0))
        self._nearest: Vector = np.empty((0, neighbours))
        """Distances to the nearest, in no order; infinite where there are not so many, of shape (room, neighbours)."""

    def add(self, point: Vector) -> None:
        """Take in a point; what is NaN in it is not known of it."""
        if not self._count:
            self._points = np.full((FIRST, len(point)), np.nan)
            self._nearest = np.full((FIRST, self._neighbours), np.inf)
        elif self._count == len(self._points):
            wider = (0, self._count), (0, 0)
            self._points = np.pad(self._points, wider, constant_values=np.nan)
            self._nearest = np.pad(self._nearest, wider, constant_values=np.inf)
        distances = _distances(self._points[: self._count], point)
        known = np.arange(self._count)
        worst = self._nearest[: self._count].argmax(axis=1)
        self._nearest[known, worst] = np.minimum(self._nearest[known, worst], distances)
        nearest = np.sort(distances)[: self._neighbours]
        self._points[self._count] = point
        self._nearest[self._count, : len(nearest)] = nearest
        self._count += 1

    def novelty(self) -> Vector:
        """Mean distance of each point to its nearest (Lehman and Stanley 2011, Abandoning Objectives, section 4)."""
        nearest = self._nearest[: self._count]
        is_there = np.isfinite(nearest)
        total = np.where(is_there, nearest, 0.0).sum(axis=1)
        return np.asarray(total / np.maximum(1, is_there.sum(axis=1)))

    def ranks(self) -> Vector:
        """The same as a rank in [0, 1], the most novel 1; equal ones share their mean rank, a single point has 0."""
        from scipy.stats import rankdata

        return np.asarray((rankdata(self.novelty()) - 1) / max(1, self._count - 1))


def _distances(points: Vector, point: Vector) -> Vector:
    """Mean absolute difference over what is known of both; of points with nothing in common infinite."""
    gaps = np.abs(points - point)
    is_known = ~np.isnan(gaps)
    known = is_known.sum(axis=1)
    total = np.where(is_known, gaps, 0.0).sum(axis=1)
    return np.asarray(np.where(known > 0, total / np.maximum(1, known), np.inf).round(DIGITS))


class Novelty:
    """A run's designs by an embedding of their code and by their scores by task."""

    def __init__(self, evidence: Evidence, weight: float) -> None:
        from sandbox.embedding import Embedder

        self.evidence = evidence
        self.weight = weight
        """What being more unlike the others than all of them adds to a design's value."""
        self._embed = Embedder()
        self._code, self._behaviour = Space(), Space()
        self._tasks: list[str] = []
        self._taken = 0

    def bonus(self, designs: Sequence[str]) -> Vector:
        """What each of the designs, all in the order of telling, gets for being unlike the others, shape (designs,)."""
        self._take_in(designs)
        return self.weight * (self._code.ranks() + self._behaviour.ranks()) / 2

    def _take_in(self, designs: Sequence[str]) -> None:
        """What was told since the last time, of all designs in the order of telling."""
        for design in designs[self._taken :]:
            scores = self.evidence.scores(design)
            self._tasks = self._tasks or self._all_tasks()
            self._code.add(np.array(self._embed([self.evidence.archive.exactly(design).source])[0]))
            self._behaviour.add(np.array([scores.get(task, np.nan) for task in self._tasks]))
        self._taken = max(self._taken, len(designs))

    def _all_tasks(self) -> list[str]:
        """Those that select; a design that was dropped played some of them."""
        from evolve.results import baseline_scores

        evidence = self.evidence
        return sorted(baseline_scores(evidence.archive, evidence.run_id)["no_memory"])
