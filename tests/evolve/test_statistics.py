"""Intervals against what is known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evolve.statistics import Estimate, crossed, estimate, paired


def test_equal_values_have_no_spread() -> None:
    assert estimate([0.25] * 7) == Estimate(0.25, 0.25, 0.25, 7)


def test_the_interval_is_that_of_the_normal_where_it_has_to_be() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.2, size=400)
    found = estimate(list(values))
    error = values.std() / math.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    found = [estimate(list(rng.random(20))) for _ in range(200)]
    covered = sum(each.low <= 0.5 <= each.high for each in found) / len(found)
    assert 0.88 <= covered <= 0.99


def test_the_same_values_give_the_same_interval() -> None:
    values = [0.1, 0.9, 0.4, 0.4]
    assert estimate(values) == estimate(values)


def test_pairs_are_by_task_and_only_where_both_are() -> None:
    ours = {"a": 0.9, "b": 0.5, "c": 1.0}
    theirs = {"b": 0.1, "a": 0.5, "d": 0.0}
    found = paired(ours, theirs)
    assert (found.mean, found.low, found.high, found.n) == pytest.approx((0.4, 0.4, 0.4, 2))


def test_pairing_takes_out_what_tasks_have_in_common() -> None:
    tasks = {str(i): i / 20 for i in range(20)}
    better = {task: score + 0.05 for task, score in tasks.items()}
    gain = paired(better, tasks)
    assert gain.low == pytest.approx(0.05)
    assert estimate(list(better.values())).high - estimate(list(better.values())).low > 0.2


def test_seeds_that_differ_widen_the_interval_beyond_their_tasks() -> None:
    alike = crossed([[0.5] * 20] * 5)
    seeds = crossed([[value] * 20 for value in (0.0, 0.25, 0.5, 0.75, 1.0)])
    flat = estimate([0.0, 0.25, 0.5, 0.75, 1.0] * 20)
    assert alike.mean == seeds.mean == flat.mean == 0.5
    assert alike.n == seeds.n == 5
    assert alike.low == alike.high == 0.5
    assert seeds.high - seeds.low > 2 * (flat.high - flat.low)


def test_tasks_that_all_seeds_share_are_no_more_tasks_for_that() -> None:
    tasks = [0.0, 1.0] * 10
    one, five = crossed([tasks]), crossed([tasks] * 5)
    assert five.high - five.low == pytest.approx(one.high - one.low, rel=0.3)
