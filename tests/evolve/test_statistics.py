"""Intervals against what is known in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evolve.statistics import (
    Estimate,
    Passes,
    crossed,
    dominance,
    estimate,
    holm,
    mean,
    paired,
    signed_rank,
    upper_bound,
)


def test_equal_values_have_no_spread() -> None:
    assert estimate([0.25] * 7) == Estimate(0.25, 0.25, 0.25, 7)


def test_the_interval_is_that_of_the_normal_where_it_has_to_be() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.2, size=400)
    found = estimate(list(values))
    error = values.std() / math.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


DRAWS: dict[str, tuple[Callable[[np.random.Generator], np.ndarray[Any, Any]], float]] = {
    "normal": (lambda rng: rng.normal(0.5, 0.2, 32), 0.5),
    "solved or not": (lambda rng: (rng.random(32) < 0.3).astype(float), 0.3),
    "differences, most of them zero": (
        lambda rng: (rng.random(48) < 0.4) * rng.choice([-0.25, 0.25, 0.5, 1], 48),
        0.15,
    ),
}


@pytest.mark.parametrize("name", DRAWS)
def test_an_interval_covers_the_truth_as_often_as_it_says(name: str) -> None:
    rng = np.random.default_rng(11)
    draw, truth = DRAWS[name]
    found = [estimate(list(draw(rng))) for _ in range(2000)]
    assert 0.93 <= np.mean([each.low <= truth <= each.high for each in found]) <= 0.97


DOZENS: dict[str, tuple[Callable[[np.random.Generator], np.ndarray[Any, Any]], float, float]] = {
    "normal": (lambda rng: rng.normal(0, 0.3, 12), 0.88, 0.92),
    "most of them zero": (lambda rng: (rng.random(12) < 0.4) * rng.choice([-0.5, -0.25, 0.25, 0.5], 12), 0.9, 0.95),
    "won or lost": (lambda rng: rng.choice([-1.0, 0.0, 0.0, 1.0], 12), 0.9, 0.95),
}


@pytest.mark.parametrize("name", DOZENS)
def test_an_upper_bound_of_a_dozen_differences_holds_as_often_as_it_says(name: str) -> None:
    rng = np.random.default_rng(14)
    draw, least, most = DOZENS[name]
    assert least <= np.mean([upper_bound(list(draw(rng))) >= -1e-12 for _ in range(3000)]) <= most


def test_an_upper_bound_is_that_of_the_normal_where_it_has_to_be() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.2, size=400)
    error = values.std() / math.sqrt(len(values))
    assert upper_bound(list(values)) == pytest.approx(values.mean() + 1.2816 * error, abs=0.1 * error)
    assert upper_bound([0.25] * 7) == 0.25


def test_of_equal_designs_the_luckiest_is_a_rival_only_by_new_episodes() -> None:
    """The parent was the best of ten by its score; its children are just as good, with seeds of their own."""
    rng = np.random.default_rng(15)
    by_old, by_new = [], []
    for _ in range(1500):
        tasks = rng.random(12)
        played = tasks + rng.normal(0, 0.3, (10, 12))
        parent = played[played.mean(axis=1).argmax()]
        child, anew = tasks + rng.normal(0, 0.3, (2, 12))
        by_old.append(upper_bound(list(child - parent)) < 0)
        by_new.append(by_old[-1] and upper_bound(list(child - anew)) < 0)
    assert np.mean(by_old) > 0.25
    assert np.mean(by_new) <= 0.11


@pytest.mark.parametrize(("seed_spread", "task_spread"), [(0.05, 0.2), (0.15, 0.05), (0.1, 0.1)])
def test_a_crossed_interval_covers_the_truth_as_often_as_it_says(seed_spread: float, task_spread: float) -> None:
    rng = np.random.default_rng(12)
    covered = []
    for _ in range(2000):
        table = 0.1 + rng.normal(0, seed_spread, (5, 1)) + rng.normal(0, task_spread, (1, 48))
        found = crossed((table + rng.normal(0, 0.2, (5, 48))).tolist())
        covered.append(found.low <= 0.1 <= found.high)
    assert 0.93 <= np.mean(covered) <= 0.97


def luck_that_lasts(rng: np.random.Generator, passes: int) -> np.ndarray[Any, Any]:
    """Passes through 32 tasks whose memory carries every gain and loss on to all tasks that follow; mean 0.1."""
    return np.asarray(0.1 + rng.normal(0, 0.2, 32) + rng.normal(0, 0.05, (passes, 32)).cumsum(axis=1))


def luck_of_tasks(rng: np.random.Generator, passes: int) -> np.ndarray[Any, Any]:
    """Passes whose tasks depend on nothing before them."""
    return 0.1 + rng.normal(0, 0.2, 32) + rng.normal(0, 0.2, (passes, 32))


def passes_of(table: np.ndarray[Any, Any]) -> Passes:
    return Passes(tuple({str(task): float(score) for task, score in enumerate(row)} for row in table))


@pytest.mark.parametrize("passes", [2, 3, 5])
@pytest.mark.parametrize("draw", [luck_that_lasts, luck_of_tasks])
def test_the_unit_of_dynamic_mode_is_the_pass(draw: Callable[..., np.ndarray[Any, Any]], passes: int) -> None:
    rng = np.random.default_rng(16)
    played = [draw(rng, passes) for _ in range(1000)]
    found = [mean(passes_of(table)) for table in played]
    assert {each.n for each in found} == {passes}
    assert 0.93 <= np.mean([each.low <= 0.1 <= each.high for each in found]) <= 0.98
    if draw is luck_that_lasts:
        by_task = [estimate(list(table.mean(axis=0))) for table in played]
        assert np.mean([each.low <= 0.1 <= each.high for each in by_task]) < 0.65, "tasks are no units here"


def test_one_pass_has_a_score_and_no_interval() -> None:
    one, other = Passes(({"a": 0.5, "b": 0.7},)), Passes(({"a": 0.2, "b": 0.3},))
    assert mean(one) == Estimate(0.6, -math.inf, math.inf, 1)
    assert mean(one).interval is None
    assert paired(one, other).mean == pytest.approx(0.35)
    assert dominance(one, other) == 0.5
    assert estimate([0.5]).interval is None
    assert estimate([0.25, 0.25]).interval == (0.25, 0.25)


def test_passes_are_paired_one_by_one() -> None:
    """A good start for both is no difference between them."""
    starts = (0.0, 0.3, 0.6)
    theirs = Passes(tuple({"a": start, "b": start + 0.2} for start in starts))
    ours = Passes(tuple({"a": start + 0.1, "b": start + 0.3} for start in starts))
    gain = paired(ours, theirs)
    assert (gain.mean, gain.low, gain.high, gain.n) == pytest.approx((0.1, 0.1, 0.1, 3))
    assert mean(ours).high - mean(ours).low > 1
    assert (dominance(ours, theirs), dominance(theirs, ours)) == pytest.approx((1, 0), abs=0.002)
    assert ours == {"a": pytest.approx(0.4), "b": pytest.approx(0.6)}


def test_how_sure_passes_are_agrees_with_their_interval() -> None:
    rng = np.random.default_rng(17)
    for _ in range(50):
        ours, theirs = (passes_of(luck_that_lasts(rng, 4)) for _ in range(2))
        low, high = paired(ours, theirs).interval or (0, 0)
        sure = dominance(ours, theirs)
        assert (sure > 0.975) == (low > 0)
        assert (sure < 0.025) == (high < 0)
        assert dominance(theirs, ours) == pytest.approx(1 - sure)


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
    assert alike == Estimate(0.5, 0.5, 0.5, 5)
    assert seeds.mean == flat.mean == 0.5
    assert seeds.high - seeds.low > 2 * (flat.high - flat.low)


def test_tasks_that_all_seeds_share_are_no_more_tasks_for_that() -> None:
    tasks = [0.0, 1.0] * 10
    one, five = estimate(tasks), crossed([tasks] * 5)
    assert five.high - five.low == pytest.approx(one.high - one.low, rel=0.1)


def test_a_signed_rank_test_agrees_with_published_tables() -> None:
    """Eight differences whose negative ranks sum to 3: p = 10 / 2^8 two-sided (Wilcoxon 1945, table II)."""
    sizes = [0.1, -0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    ours = {str(task): size for task, size in enumerate(sizes)}
    two = signed_rank(ours | {"0": -0.1}, dict.fromkeys(ours, 0.0))
    assert two == pytest.approx(10 / 256)


def test_one_dominates_as_surely_as_its_difference_is_far_from_zero() -> None:
    rng = np.random.default_rng(13)
    tasks = [str(task) for task in range(100)]
    theirs = dict(zip(tasks, rng.normal(0, 1, 100), strict=True))
    ours = {task: value + rng.normal(0, 0.3) for task, value in theirs.items()}
    gain = np.array([ours[task] - theirs[task] for task in tasks])
    normal = 0.5 * (1 + math.erf(gain.mean() / (gain.std() / 10) / math.sqrt(2)))
    assert dominance(ours, theirs) == pytest.approx(normal, abs=0.02)
    assert dominance(theirs, ours) == pytest.approx(1 - dominance(ours, theirs))


def test_holm_keeps_the_order_and_never_exceeds_bonferroni() -> None:
    raw = {"a": 0.01, "b": 0.02, "c": 0.03, "d": 0.9}
    adjusted = holm(raw)
    assert adjusted == pytest.approx({"a": 0.04, "b": 0.06, "c": 0.06, "d": 0.9})
    assert list(adjusted) == sorted(raw, key=lambda name: raw[name])
