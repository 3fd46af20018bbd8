"""What the nodes of a search tree are worth: formulas of Empirical-MCTS (arXiv 2602.04248, section 3, and its code).

A node has a place in the order in which it came, so that a parent always stands before its children; -1 is no parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Any

import numpy as np

Vector = np.ndarray[Any, np.dtype[np.float64]]

SCALE = 10.0
"""Values lie between 0 and this."""
EPSILON = 1e-5
"""Keeps the bound of what was never visited finite."""


def local_value(ours: float, theirs: float) -> float:
    """Probability that we are better, by the totals of a comparison (Bradley and Terry 1952).

    >>> local_value(7.0, 7.0)
    0.5
    """
    return 1 / (1 + exp(theirs - ours))


def rewards(everywhere: Vector, beside_parent: Vector, share: float) -> Vector:
    """R = (share * global value + (1 - share) * local value) * 10, shape (nodes,)."""
    return SCALE * (share * everywhere + (1 - share) * beside_parent)


def backed_up(reward: Vector, parents: Sequence[int], rate: float) -> Vector:
    """Q of each node: its reward, then Q(parent) <- (1 - rate) Q(parent) + rate Q(child), the latest child first.

    >>> backed_up(np.array([4.0, 8.0, 2.0]), [-1, 0, 0], 0.5)
    array([5.5, 8. , 2. ])
    """
    values: list[float] = reward.tolist()
    for place in range(len(values) - 1, 0, -1):
        parent = parents[place]
        if parent >= 0:
            values[parent] += rate * (values[place] - values[parent])
    return np.array(values)


def visits(requests: Sequence[float], parents: Sequence[int]) -> Vector:
    """N of each node: itself, and all requests for children in its subtree, those under way included.

    >>> visits([2, 1, 0], [-1, 0, 0])
    array([4., 2., 1.])
    """
    below = list(requests)
    for place in range(len(below) - 1, 0, -1):
        if parents[place] >= 0:
            below[parents[place]] += below[place]
    return 1.0 + np.array(below, dtype=float)


def upper_bounds(values: Vector, visited: Vector, parents: Sequence[int], total: int, exploration: float) -> Vector:
    """UCB of each node: Q + C sqrt(ln(N(parent) + 1) / (N + epsilon)); a root's parent was visited `total` times."""
    places = np.asarray(parents)
    above = np.where(places >= 0, visited[places], total)
    return np.asarray(values + exploration * np.sqrt(np.log(above + 1) / (visited + EPSILON)))
