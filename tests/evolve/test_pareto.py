"""Non-dominated sorting against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.pareto import pareto_ranks

POINTS = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=30)


def by_definition(points: list[tuple[int, ...]]) -> list[int]:
    """Ranks by peeling off front after front, each found by comparing all pairs."""
    ranks: dict[int, int] = {}
    while len(ranks) < len(points):
        left = [number for number in range(len(points)) if number not in ranks]
        front = [one for one in left if not any(dominates(points[other], points[one]) for other in left)]
        ranks |= dict.fromkeys(front, max(ranks.values(), default=-1) + 1)
    return [ranks[number] for number in range(len(points))]


def dominates(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return one != other and all(mine >= theirs for mine, theirs in zip(one, other, strict=True))


@given(POINTS)
def test_ranks_are_those_of_the_definition(points: list[tuple[int, ...]]) -> None:
    assert pareto_ranks(np.array(points, dtype=float)).tolist() == by_definition(points)


@pytest.mark.parametrize(("enough", "ranks"), [(1, [0, 1, 1, 1]), (2, [0, 1, 2, 2]), (None, [0, 1, 2, 3])])
def test_sorting_stops_when_enough_are_ranked(enough: int | None, ranks: list[int]) -> None:
    assert pareto_ranks(np.array([[4.0], [3.0], [2.0], [1.0]]), enough).tolist() == ranks


def test_no_design_has_no_rank() -> None:
    assert pareto_ranks(np.empty((0, 3))).tolist() == []
