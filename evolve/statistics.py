"""Means with their intervals. The unit of resampling is the task: seeds are averaged inside it, differences paired.

Where a design learns from every episode, the tasks of a pass depend on each other: the unit then is the pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, isfinite
from statistics import fmean
from typing import Any

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval and the number of independent units behind it: tasks, passes or search seeds.

    One unit says nothing of the spread: `low` and `high` are infinite then.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval, if there is one."""
        return (self.low, self.high) if isfinite(self.low) else None


@dataclass(frozen=True, slots=True, eq=False)
class Passes(Mapping[str, float]):
    """Scores by task of a memory that learned on meanwhile: the mean of each task, and each pass for itself."""

    each: tuple[Mapping[str, float], ...]

    def __getitem__(self, task: str) -> float:
        return fmean(scores[task] for scores in self.each)

    def __iter__(self) -> Iterator[str]:
        return iter(self.each[0]) if self.each else iter(())

    def __len__(self) -> int:
        return len(self.each[0]) if self.each else 0


Scores = Mapping[str, float]
"""By task; `Passes` where the tasks of a repeat depend on each other."""


def mean(scores: Scores) -> Estimate:
    """Mean score with its interval, over tasks; over passes where that is what the scores are of."""
    if not isinstance(scores, Passes):
        return estimate(list(scores.values()))
    tasks = sorted(scores)
    return crossed([[one[task] for task in tasks] for one in scores.each])


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and expanded percentile bootstrap interval of one value a task; of a single value there is none.

    The plain percentile interval of a small sample is too narrow; its levels are widened so that the interval of a
    normal sample is that of Student's t (Hesterberg 2015, What Teachers Should Know About the Bootstrap, section 5.3).

    >>> estimate([0.5, 0.5, 0.5])
    Estimate(mean=0.5, low=0.5, high=0.5, n=3)
    """
    import numpy as np

    sample = np.asarray(values, dtype=float)
    if len(sample) == 1:
        return Estimate(float(sample[0]), -inf, inf, 1)
    means = sample[_draws(len(sample))].mean(axis=1)
    low, high = np.quantile(means, _levels(len(sample)))
    return Estimate(fmean(values), float(low), float(high), len(sample))


def upper_bound(values: Sequence[float], confidence: float = 0.9) -> float:
    """The one-sided upper confidence bound of the mean of one value a task, by the same bootstrap.

    Its level is widened as in `estimate`, at this end alone (Hesterberg 2015, section 5.3). Of a dozen values the mean
    lies above it in 10 % of normal samples, in 4 to 8 % where most values are zero, and in 22 % where a rare large
    value outweighs many small ones of the other sign: no bound of so few values knows what it did not see.

    >>> upper_bound([-0.5, -0.5, -0.5, -0.5])
    -0.5
    """
    import numpy as np
    from scipy.special import ndtr

    sample = np.asarray(values, dtype=float)
    means = sample[_draws(len(sample))].mean(axis=1)
    return float(np.quantile(means, ndtr(_quantile(len(sample), confidence))))


def paired(ours: Scores, theirs: Scores) -> Estimate:
    """Mean difference by task with its interval, over the tasks that both have; of passes pass by pass."""
    return mean(differences(ours, theirs))


def differences(ours: Scores, theirs: Scores) -> Scores:
    """Differences by task, over the tasks that both have; passes are paired too, for they share the agent's seed."""
    tasks = sorted(ours.keys() & theirs.keys())
    if isinstance(ours, Passes) and isinstance(theirs, Passes):
        pairs = zip(ours.each, theirs.each, strict=False)
        return Passes(tuple({task: a[task] - b[task] for task in tasks} for a, b in pairs))
    return {task: ours[task] - theirs[task] for task in tasks}


def dominance(ours: Scores, theirs: Scores) -> float:
    """Probability that our mean is the higher one, over tasks that both have: its share of bootstrap resamples.

    Resamples in which both are equal count half (Agarwal et al. 2021, arXiv 2108.13264, probability of improvement,
    with the task as the unit and pairs kept together). Passes are too few to resample: there it is the confidence
    in a difference above zero, by the quantiles of `crossed`. A single pass decides nothing.

    >>> dominance({"a": 0.5, "b": 0.9}, {"a": 0.4, "b": 0.8}), dominance({"a": 0.5}, {"a": 0.5})
    (1.0, 0.5)
    >>> dominance(Passes(({"a": 0.5, "b": 0.9},)), Passes(({"a": 0.4, "b": 0.8},)))
    0.5
    """
    import numpy as np

    found = differences(ours, theirs)
    if isinstance(found, Passes):
        centre, error, quantile = _crossed([list(one.values()) for one in found.each])
        levels = np.linspace(0, 1, 1001)[1:-1]
        if not isfinite(error):
            return 0.5
        return float(np.interp(centre, quantile(levels) * error, levels)) if error else 0.5 + 0.5 * np.sign(centre)
    values = np.array(list(found.values()))
    means = values[_draws(len(values))].mean(axis=1)
    return float((means > 0).mean() + 0.5 * (means == 0).mean())


def signed_rank(ours: Scores, theirs: Scores) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test of the differences by task (Wilcoxon 1945; zeros by Pratt 1959).

    >>> signed_rank({"a": 0.5}, {"a": 0.5})
    1.0
    """
    from scipy.stats import wilcoxon

    found = differences(ours, theirs)
    values = [fmean(one.values()) for one in found.each] if isinstance(found, Passes) else list(found.values())
    if not any(values):
        return 1.0
    return float(wilcoxon(values, zero_method="pratt").pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p-values of a family of tests: the step-down procedure of Holm (1979).

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda pair: pair[1])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p))
        adjusted[name] = highest
    return adjusted


def crossed(rows: Sequence[Sequence[float]]) -> Estimate:
    """Mean of a table of search seeds, or passes, by tasks, both random, with its 95 % interval; n counts the rows.

    All rows share the tasks, so that the variance of the mean has a part of the rows, MS_rows / (rows * tasks), and
    one of the tasks, (MS_tasks - MS_rest) / (rows * tasks) (Searle, Casella and McCulloch 1992, Variance Components,
    section 4.3). The tasks of a row may depend on each other: whatever their covariance, the expectations add up to
    the variance of the mean. Quantiles are Student's of both parts, weighted by them (Cochran and Cox 1957,
    Experimental Designs, section 4.14), which holds for two rows as well; of the bootstraps of such a table none does.

    >>> crossed([[0.5, 0.5], [0.5, 0.5]])
    Estimate(mean=0.5, low=0.5, high=0.5, n=2)
    """
    centre, error, quantile = _crossed(rows)
    half = float(quantile(0.975)) * error
    return Estimate(centre, centre - half, centre + half, len(rows))


def significance(rows: Sequence[Sequence[float]]) -> float:
    """Two-sided p-value of a crossed table's mean being zero, by the quantiles of `crossed`; of one row 1.

    >>> significance([[0.5, 0.5], [0.5, 0.5]]), significance([[0.1, -0.1], [-0.1, 0.1]]), significance([[0.5, 0.4]])
    (0.0, 1.0, 1.0)
    """
    import numpy as np

    centre, error, quantile = _crossed(rows)
    if not isfinite(error) or not error:
        return float(not isfinite(error) or not centre)
    levels = np.geomspace(1e-9, 0.5, 2000)
    return 2 * float(np.interp(-abs(centre), quantile(levels) * error, levels))


def _crossed(rows: Sequence[Sequence[float]]) -> tuple[float, float, Callable[[Any], Any]]:
    """Mean of a crossed table, its standard error, and the quantiles of the mean in such errors."""
    import numpy as np
    from scipy.special import stdtrit

    table = np.asarray(rows, dtype=float)
    count, tasks = table.shape
    centre = fmean(fmean(column) for column in zip(*rows, strict=True))
    if count == 1:
        return centre, inf, lambda level: np.sign(np.asarray(level) - 0.5)
    by_row, by_task = table.mean(axis=1) - centre, table.mean(axis=0) - centre
    rest = table - centre - by_row[:, None] - by_task[None, :]
    freedom = np.array([count - 1, max(1, tasks - 1)])
    of_rows, of_tasks = np.array([tasks * (by_row**2).sum(), count * (by_task**2).sum()]) / freedom
    parts = np.array([of_rows, max(0.0, of_tasks - (rest**2).sum() / freedom.prod())])
    weights = parts / parts.sum() if parts.any() else np.array([1.0, 0.0])

    def quantile(level: Any) -> Any:
        return weights[0] * stdtrit(freedom[0], level) + weights[1] * stdtrit(freedom[1], level)

    return centre, float(np.sqrt(parts.sum() / table.size)), quantile


@cache
def _draws(size: int) -> Any:
    """Indices of a sample's resamples, shape (RESAMPLES, size): always the same, so that comparisons share them."""
    import numpy as np

    return np.random.default_rng(0).integers(size, size=(RESAMPLES, size))


@cache
def _levels(size: int) -> tuple[float, float]:
    """The widened levels of a 95 % interval."""
    from scipy.special import ndtr

    low = float(ndtr(-_quantile(size, 0.975)))
    return low, 1 - low


def _quantile(size: int, level: float) -> float:
    """The normal quantile whose percentile of the resamples stands for a level, in a sample of this size."""
    from scipy.special import ndtri, stdtrit

    return float((size / (size - 1)) ** 0.5 * stdtrit(size - 1, level) if size > 1 else ndtri(level))
