"""Means with their intervals. The unit of resampling is the task: seeds are averaged inside it, differences paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval and the number of tasks behind it."""

    mean: float
    low: float
    high: float
    n: int


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13) of one value a task.

    >>> estimate([0.5, 0.5, 0.5])
    Estimate(mean=0.5, low=0.5, high=0.5, n=3)
    """
    import numpy as np

    sample = np.asarray(values, dtype=float)
    draws = np.random.default_rng(0).integers(len(sample), size=(RESAMPLES, len(sample)))
    low, high = np.quantile(sample[draws].mean(axis=1), [0.025, 0.975])
    return Estimate(float(sample.mean()), float(low), float(high), len(sample))


def paired(ours: Mapping[str, float], theirs: Mapping[str, float]) -> Estimate:
    """Mean difference by task with its interval, over the tasks that both have."""
    return estimate([ours[task] - theirs[task] for task in sorted(ours.keys() & theirs.keys())])


def crossed(rows: Sequence[Sequence[float]]) -> Estimate:
    """Mean of a table of search seeds by tasks, both resampled; a task is drawn for all seeds at once: they share it.

    The two-way percentile bootstrap (Owen 2007, the pigeonhole bootstrap); the n is the number of seeds.

    >>> crossed([[0.5, 0.5], [0.5, 0.5]])
    Estimate(mean=0.5, low=0.5, high=0.5, n=2)
    """
    import numpy as np

    table = np.asarray(rows, dtype=float)
    seeds, tasks = table.shape
    rng = np.random.default_rng(0)
    means = [
        table[np.ix_(rng.integers(seeds, size=seeds), rng.integers(tasks, size=tasks))].mean() for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(table.mean()), float(low), float(high), seeds)
