"""The Enhanced Borda Count against the closure computed afresh, and its values on known orders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.strategies.borda import FIRST, BordaCount

RESULTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] != pair[1]), max_size=40)


def closure_wins(candidates: int, results: list[tuple[int, int]]) -> list[int]:
    """Wins by Floyd-Warshall over all results, as LLaMA-Berry has it; members of a cycle do not beat each other."""
    above = np.zeros((candidates, candidates), dtype=bool)
    for winner, loser in results:
        above[winner, loser] = True
    for between in range(candidates):
        above |= np.outer(above[:, between], above[between])
    return [int(wins) for wins in (above & ~above.T).sum(axis=1)]


@given(RESULTS)
def test_wins_are_those_of_the_closure_at_every_step(results: list[tuple[int, int]]) -> None:
    count = BordaCount(10)
    for number, (winner, loser) in enumerate(results, 1):
        count.beat(winner, loser)
        assert [count.wins(each) for each in range(10)] == closure_wins(10, results[:number])


def test_room_grows_and_an_order_is_kept() -> None:
    count, candidates = BordaCount(), 3 * FIRST
    for number in range(candidates):
        assert count.add() == number
        if number:
            count.beat(number, number - 1)
    assert [count.wins(each) for each in range(candidates)] == list(range(candidates))
    assert count.beats(candidates - 1, 0)
    assert not count.beats(0, candidates - 1)
    assert count.values(np.zeros(candidates)) == pytest.approx(np.arange(candidates) / (candidates - 1))


def test_what_was_not_compared_is_ordered_by_preference_and_equals_share_their_rank() -> None:
    count = BordaCount(4)
    count.beat(0, 1)
    assert count.values(np.array([0.0, 0.0, 2.0, 1.0])) == pytest.approx([1, 0, 2 / 3, 1 / 3])
    assert count.values(np.zeros(4)) == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3])
    assert BordaCount(1).values(np.zeros(1)) == pytest.approx([1])


def test_a_candidate_cannot_beat_itself() -> None:
    with pytest.raises(ValueError, match="candidate 1 cannot beat itself"):
        BordaCount(2).beat(1, 1)
