"""A run's report as one HTML file: no script, no server, no network. What it says is handed in as `Report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archive.dashboard.code import highlighted
from archive.dashboard.derivations import Estimate
from archive.dashboard.drawing import Point, draw
from archive.dashboard.templating import templates

MARK = '<meta name="generator" content="palimpsest report">'
"""By which a file is known as a report."""
LONGEST = 4_000
"""Characters of what a design told that are shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """A design, or a baseline, in the table of results."""

    name: str
    """A baseline's; empty for a design."""
    design: str
    number: int
    score: Estimate | None
    gain: Estimate | None
    """Over no memory, paired by task."""
    tokens: float | None
    made_of: str


@dataclass(frozen=True, slots=True)
class Final:
    """A finalist; gains are over no memory."""

    design: str
    number: int
    searched: Estimate
    confirmed: Estimate
    optimism: float
    dominance: float | None
    controls: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the held-out test tasks."""

    look: int
    design: str
    score: Estimate | None
    no_memory: Estimate | None
    gain: Estimate | None
    gain_over_nearest: Estimate | None
    gain_over_constant: Estimate | None
    repeats: int
    created: float


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A generation of the winner's line, the winner itself last."""

    design: str
    number: int
    change: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Winner:
    """The design that the run chose."""

    design: str
    number: int
    state: str
    origin: str
    summary: str
    tokens: float | None
    source: str
    lineage: Sequence[Ancestor]
    example_task: str
    example_score: float | None
    example_items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Cost:
    """What calls of models came to; the last one of several is their sum."""

    role: str
    model: str
    calls: int
    hits: int
    tokens_in: int
    tokens_out: int
    dollars: float | None
    unusable: int


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value; `is_set` where a flag is not at its default."""

    name: str
    value: str
    is_set: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """All that the file says."""

    run: int
    domain: str
    strategy: str
    proposer: str
    agent: str
    status: str
    created: float
    seconds: float
    made: float
    counts: Mapping[str, int]
    sentences: Sequence[str]
    """The result in words."""
    curve: Sequence[Point]
    """The gain of the best so far, where it changed, against scored episodes."""
    episodes: int
    levels: Sequence[tuple[str, float]]
    """Gains of baselines."""
    lines: Sequence[Line]
    finals: Sequence[Final]
    finals_played: str
    controls: Sequence[str]
    looks: Sequence[Look]
    winner: Winner | None
    costs: Sequence[Cost]
    flags: Sequence[Fact]
    versions: Sequence[Fact]
    command: str


def render(report: Report) -> str:
    """The file's text."""
    picture = draw(report.curve, report.episodes, report.levels) if report.curve else None
    code = highlighted(report.winner.source) if report.winner is not None else ()
    ends = [end for line in report.lines if line.gain is not None for end in line.gain.interval or (line.gain.mean,)]
    span = min([0.0, *ends]), max([0.01, *ends])
    given = {"report": report, "picture": picture, "code": code, "span": span, "longest": LONGEST, "mark": MARK}
    return templates().get_template("report.html").render(given)
