"""What pages show that takes the search's own computations: their results as models, and who computes them.

Nothing here imports `evolve`; the command that serves the dashboard hands in a `Derivations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel


class Estimate(BaseModel):
    """A mean with its 95 % interval, if it has one, over n tasks, passes, seeds or designs."""

    mean: float
    interval: tuple[float, float] | None
    n: int


# Runs


class RunStep(BaseModel):
    """Where the best of a run changed, with what had been spent by then."""

    design: str
    gain: float
    episodes: int
    designs: int
    dollars: float | None


class RunCourse(BaseModel):
    """How one run of a side went, with what it spent in all."""

    run: int
    seed: int
    episodes: int
    designs: int
    dollars: float | None
    steps: list[RunStep]


class RunSide(BaseModel):
    """Runs that differ in the search seed alone. Gains are over no memory, at the budget that all had."""

    side: str
    search: Estimate | None
    """Of the best by then, on the tasks that selected it."""
    area: Estimate | None
    """The mean of that on the way."""
    confirmed: Estimate | None
    """Of what the whole runs chose, on tasks that chose among finalists alone; none where not all played them."""
    test: Estimate | None
    runs: list[RunCourse]


class RunPair(BaseModel):
    """How two sides differ, the first less the second."""

    first: str
    second: str
    difference: Estimate
    p: float
    adjusted: float
    """By Holm, over all pairs of a measure."""


class RunPoint(BaseModel):
    """A place on a curve."""

    at: float
    gain: Estimate


class RunCurve(BaseModel):
    """The gain of the best so far along the budget."""

    side: str
    points: list[RunPoint]


class RunsBeside(BaseModel):
    """Runs side by side at equal budget; the best side first."""

    by: str
    budget: float
    seeds: list[int]
    left_out: list[int]
    measure: str
    """The one that says most: `test`, `confirmed` or `search`."""
    sides: list[RunSide]
    pairs: dict[str, list[RunPair]]
    """By measure."""
    curves: list[RunCurve]
    notes: list[str]
    """What a reader has to know of these figures."""


# Designs


class DesignSide(BaseModel):
    """One of several designs; all but the first are compared with the first."""

    design: str
    run: int
    number: int
    name: str
    """`#12`; or the name of a baseline."""
    change: str
    state: str
    score: Estimate | None
    gain: Estimate | None
    """Over no memory, paired by task."""
    tokens: float | None
    difference: Estimate | None = None
    """From the first, paired over the tasks that both played."""
    p: float | None = None
    adjusted: float | None = None
    """By Holm, over all of them."""
    better: int = 0
    """Tasks on which it is better than the first."""
    worse: int = 0


class TaskBeside(BaseModel):
    """One task: a score for each design, none where it did not play it; differences are from the first."""

    task: str
    no_memory: float | None
    scores: list[float | None]
    differences: list[float | None]


class DesignsBeside(BaseModel):
    """Designs side by side, task by task."""

    domain: str
    designs: list[DesignSide]
    tasks: list[TaskBeside]
    notes: list[str]


# What is known across runs


class InsightLine(BaseModel):
    """One insight, as it is or as it was when it was forgotten or merged."""

    number: int
    known: bool
    kind: str
    subject: str
    domain: str
    stage: str
    """`start`, `weak`, `strong`, or `any`."""
    sentence: str
    gain: float | None
    """Beyond what changes usually do; of a lesson that of the changes which showed it."""
    gain_low: float | None
    gain_high: float | None
    designs: int
    runs: int
    uses: int
    """Designs that were made by it once it was told."""
    wins: int
    """Of these, the ones that did better than usual."""
    credit: float


class InsightEvidence(BaseModel):
    """What one run says of an insight, and what it made of it."""

    source: str
    """Key of the run, the same in whatever archive."""
    run: int | None
    """Its number here, if it is one of this archive."""
    gain: Estimate | None
    uses: int
    wins: int


class InsightOperation(BaseModel):
    """One step in its history."""

    operation: int
    kind: str
    targets: list[int]
    run: int | None
    told: int
    author: str
    reason: str
    gain: Estimate | None
    created: float


class MadeWith(BaseModel):
    """A design that was asked for with an insight or a hint."""

    run: int
    request: int
    design: str
    parent: str | None
    gain: float | None
    """In score over the parent."""


class InsightStory(BaseModel):
    """One insight with all that is behind it."""

    line: InsightLine
    seen_in: list[str]
    """The last designs that showed it."""
    tasks: list[str]
    evidence: list[InsightEvidence]
    history: list[InsightOperation]
    made: list[MadeWith]
    """Requests of this archive that were told it, the newest first, and what came of them."""
    effect: Estimate | None
    """What those designs gained over their parents."""


class HintLine(BaseModel):
    """What a person told a run, and what the designs gained over their parents that were asked for with it."""

    hint: int
    run: int
    text: str
    asked: int
    """After how many requests."""
    created: float
    designs: int
    gain: float | None
    gain_low: float | None
    gain_high: float | None


class TreeValues(BaseModel):
    """What a tree search holds of a run's designs, as columns of equal length."""

    designs: list[str]
    value: list[float | None]
    """Q."""
    visits: list[int]
    """N, those of all below included."""


class Collected(BaseModel):
    """An episode without memory that fills every memory of a run."""

    key: str
    task: str
    repeat: int
    score: float


class CannotShowError(ValueError):
    """What was asked for cannot be shown; the message says why."""


class Derivations(Protocol):
    """Computes from one archive, read-only; may be called from several threads. All raise `CannotShowError`."""

    def close(self) -> None:
        """Let go of the archive."""

    def runs_beside(self, runs: Sequence[int], by: str) -> RunsBeside:
        """Runs at equal budget, counted in episodes, designs or dollars."""

    def designs_beside(self, designs: Sequence[tuple[str, int | None]]) -> DesignsBeside:
        """Designs by the leading characters of their ids, each in a run or in the newest search that has it."""

    def insights(self) -> Sequence[InsightLine]:
        """All that ever were known: those that still are first, and of these the ones with most evidence."""

    def insight(self, number: int) -> InsightStory:
        """One of them."""

    def hints(self) -> Sequence[HintLine]:
        """All hints of all runs."""

    def tree_values(self, run: int) -> TreeValues:
        """The designs of a run with what its tree search holds of them."""

    def collection(self, run: int) -> Sequence[Collected]:
        """The episodes that fill every memory of a run; none where its domain is not installed here."""
