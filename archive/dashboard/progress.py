"""How a run went, read for its charts: scores as they came beside what had been spent, its rungs, its front."""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import isfinite
from typing import Any, Literal, NamedTuple

from archive.dashboard.charts import Axis, Chart, Level, Point, Series
from archive.dashboard.queries import SCORED_STATES, STATES, baseline_of
from archive.dashboard.reading import run_row, tuples
from archive.database import DOCTOR, ArchiveError

Spent = Literal["episodes", "designs", "dollars", "time"]
"""What a score is drawn against."""
Cost = Literal["tokens", "delay"]
POINTS = 500
"""Of a line about time."""
LABELLED = 5000
"""Points that carry the names of their designs; more would be most of what is sent."""
SCORE = Axis(name="score", digits=3)
NAMES = {"no_memory": "no memory", "nearest_trajectory": "nearest", "constant": "constant"}
"""The baselines, as the terminal has them."""


class Scored(NamedTuple):
    """An evaluation of a candidate during the search."""

    design: str
    role: str
    score: float
    low: float
    high: float
    n: int
    created: float
    counts: bool
    """Whether it is the latest of a design that is scored on all tasks."""


def config_of(run: sqlite3.Row) -> dict[str, Any]:
    """A run's configuration."""
    try:
        found: dict[str, Any] = json.loads(run["config"])
    except ValueError as error:
        raise ArchiveError(f"the configuration of run {run['id']} is damaged ({error}); {DOCTOR}") from error
    return found


def scored(db: sqlite3.Connection, run_id: int) -> list[Scored]:
    """A run's evaluations on tasks that a search plays, in the order in which they were committed."""
    rows = tuples(
        db,
        "SELECT evaluation.id, evaluation.design_id, role, score, low, high, n, created,"
        f" present.state IN ({SCORED_STATES}) FROM evaluation"
        f" JOIN {STATES} AS present ON present.design_id = evaluation.design_id"
        " WHERE run_id = :run AND role IN ('deployment', 'deployment:again', 'reflection') ORDER BY evaluation.id",
        {"run": run_id},
    )
    latest = {design: number for number, design, role, *_ in rows if role == "deployment"}
    return [Scored._make((*row[1:8], row[8] and latest.get(row[1]) == row[0])) for row in rows]


def course(db: sqlite3.Connection, run_id: int, by: Spent) -> Chart:
    """The best score so far with its interval against what was spent, all scores, and the baselines."""
    run = run_row(db, run_id)
    rows = scored(db, run_id)
    chart = Chart(title=f"Score of run {run_id} against {by}", x=_axis(by), y=SCORE, levels=baselines(db, run_id))
    if not any(row.counts for row in rows):
        return chart.model_copy(update={"empty": "No design has been evaluated yet."})
    places = _places(db, run, rows, by)
    if places is None:
        return chart.model_copy(update={"empty": "This run asked no language model, so that nothing was paid."})
    best, points, all_points, labels = -1.0, list[Point](), list[Point](), list[str]()
    for place, row in zip(places, rows, strict=True):
        if not row.counts:
            continue
        all_points.append([place, row.score])
        labels.append(row.design)
        if row.score > best:
            best, ends = row.score, _ends(row)
            points.append([place, best, *ends])
    points.append([places[-1], *points[-1][1:]])
    link = f"/designs/{{label}}?run={run_id}"
    each = Series(
        name="each design",
        kind="points",
        points=all_points,
        colour="muted",
        labels=labels if len(labels) <= LABELLED else [],
        link=link,
    )
    line = Series(name="best so far, 95 % interval", kind="step", points=points, colour="best", band=True)
    note = "The best is the best of many noisy scores, and so too good; what the finals confirm is the number to go by."
    return chart.model_copy(update={"series": [line, each], "note": note})


def _axis(by: Spent) -> Axis:
    names = {"episodes": "episodes, played or reused", "designs": "designs evaluated"}
    if by == "time":
        return Axis(name="time since the start", kind="time")
    return Axis(name="dollars paid to models", digits=2) if by == "dollars" else Axis(name=names[by])


def _places(db: sqlite3.Connection, run: sqlite3.Row, rows: Sequence[Scored], by: Spent) -> list[float] | None:
    """What had been spent when each evaluation was committed; none where nothing was paid for models."""
    config = config_of(run)
    if by == "time":
        return [max(0.0, row.created - run["created"]) for row in rows]
    if by == "designs":
        return list(accumulate(float(row.role == "deployment") for row in rows))
    if by == "episodes":
        # n counts tasks, in dynamic mode passes through all of them
        each = config["deployment"] if config.get("mode") == "dynamic" else config["repeats"]
        return list(accumulate(float(row.n * each) for row in rows))
    paid = tuples(
        db,
        "SELECT created, dollars FROM call WHERE run_id = :run AND hit_of IS NULL AND dollars IS NOT NULL ORDER BY 1",
        {"run": run["id"]},
    )
    if not paid:
        return None
    moments, sums = [row[0] for row in paid], [0.0, *accumulate(row[1] for row in paid)]
    return [sums[bisect_right(moments, row.created)] for row in rows]


def _ends(row: Scored) -> Point:
    return [row.low, row.high] if isfinite(row.low) and isfinite(row.high) else [None, None]


def baselines(db: sqlite3.Connection, run_id: int, role: str = "deployment") -> list[Level]:
    """What the baselines scored, those that were evaluated."""
    found = []
    for key, name in NAMES.items():
        chosen = f"SELECT score, low, high FROM evaluation WHERE id = {baseline_of(':run', key, role)}"
        for row in db.execute(chosen, {"run": run_id}):
            low, high = (end if isfinite(end) else None for end in row[1:])
            found.append(Level(name=name, value=row[0], low=low, high=high))
    return found


# Workers


def busy(db: sqlite3.Connection, run_id: int) -> float | None:
    """The share of the workers' time in which they had a job; none of a run of which it was not kept."""
    found: float | None = db.execute(
        "SELECT SUM(busy) / SUM(available) FROM utilisation WHERE run_id = ?", (run_id,)
    ).fetchone()[0]
    return found


def workers(db: sqlite3.Connection, run_id: int) -> Chart:
    """How busy the workers were, in as many stretches as a chart can show."""
    began = run_row(db, run_id)["created"]
    rows = tuples(
        db,
        "SELECT MIN(began) - :start, MAX(began + seconds) - :start, SUM(busy) / SUM(available) FROM utilisation"
        " WHERE run_id = :run GROUP BY CAST((began - :start) / :part AS INTEGER)",
        {"run": run_id, "start": began, "part": _stretch(db, run_id, began)},
    )
    points: list[Point] = [[max(0.0, at), 100 * share] for at, _, share in rows]
    points += [[rows[-1][1], points[-1][1]]] if rows else []
    return Chart(
        title=f"How busy the workers of run {run_id} were",
        x=Axis(name="time since the start", kind="time"),
        y=Axis(name="% of their time", kind="percent"),
        series=[Series(name="busy", kind="step", points=points)],
        empty="" if rows else "It is not known yet, or the run is older than what tells it.",
    )


def _stretch(db: sqlite3.Connection, run_id: int, began: float) -> float:
    """Seconds that one point of the chart stands for."""
    last = db.execute("SELECT MAX(began) FROM utilisation WHERE run_id = ?", (run_id,)).fetchone()[0]
    return max(1.0, ((last or began) - began) / POINTS)


# Rungs

STAGES = {
    "proposed": (),
    "rejected": ("rejected",),
    "repaired": ("repaired",),
    "failed": ("failed",),
    "dropped": ("dropped",),
    "under way": ("proposed", "smoke", "small", "full", "audited"),
    "evaluated": ("evaluated", "finalist", "best"),
    "finalists": ("finalist", "best"),
}
"""The stages of a run, and the present states of the designs that are counted in each."""


def rungs(db: sqlite3.Connection, run_id: int) -> dict[str, int]:
    """How many candidates came to which stage; all of them were proposed."""
    counted = dict(db.execute(f"SELECT state, COUNT(*) FROM {STATES} GROUP BY state", {"run": run_id}))
    found = {stage: sum(counted.get(state, 0) for state in states) for stage, states in STAGES.items()}
    return {**found, "proposed": sum(counted.values())}


def funnel(db: sqlite3.Connection, run_id: int) -> Chart:
    """The same as a chart, without the stages where nobody is."""
    run_row(db, run_id)
    always = ("proposed", "evaluated")
    counted = {stage: count for stage, count in rungs(db, run_id).items() if count or stage in always}
    bars = Series(name="designs", kind="bars", points=[[float(count)] for count in counted.values()])
    empty = "" if counted["proposed"] else "No design has been proposed yet."
    return Chart(
        title=f"What became of the designs of run {run_id}",
        x=Axis(name="designs"),
        y=Axis(name="", kind="category", categories=list(counted)),
        series=[bars],
        empty=empty,
    )


# The Pareto front


def pareto(db: sqlite3.Connection, run_id: int, by: Cost) -> Chart:
    """Score against what a design costs, in tokens an episode or as delay; the front is that of all three together."""
    config = config_of(run_row(db, run_id))
    counted = bool(config.get("reproducible"))
    front = db.execute(
        "SELECT front.design_id, performance, cost, delay, beaten IS NULL AS stands FROM front"
        f" JOIN {STATES} AS present ON present.design_id = front.design_id"
        f" WHERE front.run_id = :run AND present.state IN ({SCORED_STATES}) ORDER BY cost",
        {"run": run_id},
    ).fetchall()
    x = {"tokens": "cost", "delay": "delay"}[by]
    now = [row for row in front if row["stands"]]
    stands = {row["design_id"] for row in now}
    if by == "delay" and counted:  # of the others it is not kept
        others = [(row["design_id"], row["delay"], row["performance"]) for row in front if not row["stands"]]
    else:
        others = [each for each in _costs(db, run_id, config, by) if each[0] not in stands]
    link = f"/designs/{{label}}?run={run_id}"
    rest = Series(
        name="once on the front" if by == "delay" and counted else "other designs",
        kind="points",
        points=[[cost, score] for _, cost, score in others],
        colour="muted",
        labels=[design for design, *_ in others] if len(others) <= LABELLED else [],
        link=link,
    )
    best = Series(
        name="on the front",
        kind="points",
        points=[[row[x], row["performance"]] for row in now],
        colour="second",
        labels=[row["design_id"] for row in now],
        link=link,
    )
    delay = Axis(name="delay, counted" if counted else "delay in seconds", digits=2)
    axis = Axis(name="tokens an episode") if by == "tokens" else delay
    empty = "" if now or others else "No design has been evaluated yet."
    note = "On the front: no other design is at least as good in score, tokens and delay together."
    return Chart(title=f"Pareto front of run {run_id}", x=axis, y=SCORE, series=[rest, best], note=note, empty=empty)


def _costs(db: sqlite3.Connection, run_id: int, config: dict[str, Any], by: Cost) -> list[tuple[str, float, float]]:
    """Design, cost and score of those that are scored."""
    each = config["deployment"] if config.get("mode") == "dynamic" else config["repeats"]
    cost = f"tokens + llm_tokens * 1.0 / (n * {int(each)})" if by == "tokens" else "seconds"
    rows = tuples(
        db,
        f"SELECT evaluation.design_id, {cost}, score FROM evaluation"
        f" JOIN {STATES} AS present ON present.design_id = evaluation.design_id"
        f" WHERE run_id = :run AND role = 'deployment' AND present.state IN ({SCORED_STATES}) ORDER BY evaluation.id",
        {"run": run_id},
    )
    return list({design: (design, cost, score) for design, cost, score in rows}.values())
