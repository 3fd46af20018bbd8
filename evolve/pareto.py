"""Pareto ranks: which designs no other one beats in everything, and which only those beat."""

from __future__ import annotations

from typing import Any

import numpy as np

Matrix = np.ndarray[Any, np.dtype[np.float64]]
Ranks = np.ndarray[Any, np.dtype[np.intp]]


def pareto_ranks(fitness: Matrix, enough: int | None = None) -> Ranks:
    """Pareto rank of each row of `fitness`, shape (designs, objectives), all of them to be maximised.

    Rank 0 is the Pareto front, rank 1 the front of what is left without it, and so on: non-dominated sorting, as
    MemEvolve selects (arXiv 2512.18746). Equal rows share their rank. Once `enough` rows have one, the others all get
    the next rank.

    >>> pareto_ranks(np.array([[0.9, -10.0], [0.8, -20.0], [0.5, -1.0]]))
    array([0, 1, 0])
    """
    points, inverse = np.unique(fitness, axis=0, return_inverse=True)
    sizes = np.bincount(inverse, minlength=len(points))
    ranks = np.full(len(points), -1, dtype=np.intp)
    left = np.arange(len(points))[::-1]  # best first objective first, so that nothing is dominated by what follows it
    rank = 0
    while left.size and (enough is None or sizes[ranks >= 0].sum() < enough):
        front = _front(points[left])
        ranks[left[front]] = rank
        left = left[~front]
        rank += 1
    ranks[left] = rank
    return ranks[inverse.reshape(-1)]


def _front(points: Matrix) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of some distinct points, in falling lexicographic order, no other one is at least as good as everywhere."""
    front = np.zeros(len(points), dtype=bool)
    members = np.empty_like(points)
    count = 0
    for place, point in enumerate(points):
        if not (members[:count] >= point).all(axis=1).any():
            members[count] = point
            count += 1
            front[place] = True
    return front
