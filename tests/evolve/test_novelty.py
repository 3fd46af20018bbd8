"""What is unlike the rest is found, point by point as in one go, and draws parents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evolve.strategies.alma import parent_probabilities
from evolve.strategies.novelty import Space
from tests.end_to_end.conftest import QUICK, Shell


@pytest.mark.parametrize("count", [1, 5, 150])
def test_points_that_come_in_are_as_all_at_once(count: int) -> None:
    points = np.random.default_rng(count).random((count, 7))
    space = Space(neighbours=4)
    for point in points:
        space.add(point)
    distances = np.abs(points[:, None] - points[None]).mean(axis=2)
    nearest = np.sort(distances, axis=1)[:, 1:5]
    expected = nearest.mean(axis=1) if count > 1 else np.zeros(1)
    np.testing.assert_allclose(space.novelty(), expected, atol=1e-5)


def test_twins_are_less_novel_and_what_is_not_known_counts_for_nothing() -> None:
    space = Space(neighbours=1)
    for point in ([0.0, 0.0], [0.0, np.nan], [1.0, 1.0], [np.nan, np.nan]):
        space.add(np.array(point))
    assert space.novelty().tolist() == [0.0, 0.0, 1.0, 0.0]
    assert space.ranks().argmax() == 2


def test_what_is_unlike_the_others_is_likelier_to_be_a_parent() -> None:
    scores, visits = np.array([0.5, 0.5, 0.5]), np.zeros(3)
    odds = parent_probabilities(scores, visits, 0.2, bonus=np.array([0.0, 0.5, 1.0]))
    assert odds[0] < odds[1] < odds[2]


@pytest.mark.parametrize("strategy", ["alma", "empirical-mcts"])
def test_a_run_that_looks_for_novelty_comes_out_the_same(strategy: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    command = ("run", *QUICK, "--strategy", strategy, "--reproducible", "--finalists", "0", "--novelty", "2", "--json")
    assert shell.here(*command, "--designs", "5").code == 0
    done = shell.here(*command, "--designs", "10")
    assert (done.code, done.json["run"]) == (0, 1)
    whole = shell.here(*command, "--designs", "10", "--archive", "whole.db").json
    assert [each["design"] for each in whole["top"]] == [each["design"] for each in done.json["top"]]
    replayed = shell.here("replay", "1", "--json")
    assert (replayed.code, replayed.json["differences"]) == (0, [])
