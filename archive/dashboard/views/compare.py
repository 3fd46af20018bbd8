"""Runs or designs side by side."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from archive.dashboard.charts import Axis, Chart, Series
from archive.dashboard.derivations import CannotShowError, Derivations, DesignsBeside, Estimate, RunsBeside
from archive.dashboard.listing import Column, Kind, Listing, Table, TableQuery
from archive.dashboard.pages import Asked, Db, Derived, Pages
from archive.dashboard.rows import column, flat, packed, table

PAGES = Pages()

By = Literal["episodes", "designs", "dollars"]
MEASURES = {
    "search": ("In the search", "Of the best by then, on the tasks that selected it, so that luck is part of it."),
    "area": ("Mean on the way", "Of that gain, from the start to the budget."),
    "confirmed": ("Confirmed", "Of what the whole runs chose, on tasks that chose among finalists alone."),
    "test": ("Test", "The same on held-out tasks, which no search sees."),
}
COLOURS: tuple[Literal["first", "second", "third", "fourth", "fifth"], ...] = (
    *("first", "second", "third"),
    *("fourth", "fifth"),
)

SIDES = table(
    "sides",
    (
        column("side", "Side", note="Runs that differ in the search seed alone."),
        column("runs", "Runs"),
        *(column(name, head, Kind.SIGNED, has_interval=True, note=note) for name, (head, note) in MEASURES.items()),
        column("episodes", "Episodes", Kind.NUMBER, note="Scored in all, played or reused."),
        column("designs", "Designs", Kind.NUMBER, note="That were told of with a score, in all."),
        column("dollars", "Dollars", Kind.DOLLARS, note="Of all models, as if no answer had been known before."),
    ),
    prefix="side_",
)
PAIRS = table(
    "pairs",
    (
        column("measure", "Gain", Kind.WORD),
        column("first", "Side"),
        column("second", "less"),
        column("difference", "Difference", Kind.SIGNED, has_interval=True, note="Paired by seed and task."),
        column("p", "p", Kind.SCORE),
        column("adjusted", "p by Holm", Kind.SCORE, note="Over all pairs of a measure."),
    ),
    prefix="pair_",
)
DESIGNS = table(
    "compared",
    (
        column("name", "#", link="/designs/{design}?run={run}"),
        column("design", "Design", Kind.NAME, link="/designs/{design}?run={run}"),
        column("run", "Run", Kind.NUMBER, link="/runs/{run}"),
        column("state", "State", Kind.WORD),
        column("score", "Score", Kind.SCORE, has_interval=True),
        column("gain", "Gain over no memory", Kind.SIGNED, has_interval=True, note="Paired by task."),
        column("difference", "Less the first", Kind.SIGNED, has_interval=True, note="Paired by task."),
        column("adjusted", "p by Holm", Kind.SCORE, note="Wilcoxon's signed-rank test over tasks."),
        column("better", "Better", Kind.NUMBER, note="Tasks on which it is better than the first."),
        column("worse", "Worse", Kind.NUMBER),
        column("tokens", "Tokens", Kind.NUMBER, note="Retrieved an episode."),
        column("change", "Change"),
    ),
    prefix="design_",
)
CHOICE = Table(
    name="choice",
    prefix="choice_",
    columns=(
        Column("run", "Run", "run.id", Kind.NUMBER, link="/compare?runs={picked}", nullable=False),
        Column("domain", "Domain", "json_extract(run.config, '$.domain')"),
        Column("strategy", "Strategy", "json_extract(run.config, '$.strategy')"),
        Column("proposer", "Proposer", "json_extract(run.config, '$.proposer')"),
        Column("agent", "Agent", "json_extract(run.config, '$.agent')"),
        Column("seed", "Seed", "json_extract(run.config, '$.seed')", Kind.NUMBER),
        Column("status", "Status", "run.status", Kind.WORD),
        Column("created", "Started", "run.created", Kind.TIME),
    ),
    source="run",
    id="run.id",
    where="json_extract(run.config, '$.strategy') != 'eval'",
    sort="-run",
)


class ComparePage(BaseModel):
    """Runs at equal budget, or designs task by task, or what there is to be compared."""

    chosen_runs: list[int]
    chosen_designs: list[str]
    run: int | None
    """Where the designs are looked for, if not in the newest run that has them."""
    by: By
    problem: str = ""
    """Why nothing is compared, where something was asked for."""
    runs: RunsBeside | None = None
    designs: DesignsBeside | None = None
    sides: Listing | None = None
    pairs: Listing | None = None
    compared: Listing | None = None
    tasks: Listing | None = None
    choice: Listing


@PAGES.page("/compare", template="compare.html")
def compare(
    db: Db,
    asked: Asked,
    derived: Derived,
    runs: str = "",
    designs: str = "",
    run: int | None = None,
    by: By = "episodes",
) -> ComparePage:
    """Runs (`runs=1,2`) at equal budget `by` episodes, designs or dollars; or designs (`designs=1-ab,1-cd`)."""
    numbers, ids, problem = _runs(runs), _words(designs), ""
    page = ComparePage(
        chosen_runs=numbers, chosen_designs=ids, run=run, by=by, choice=_choice(db, asked, [] if ids else numbers)
    )
    try:
        if ids:
            page.designs = derived.designs_beside([(each, run) for each in ids])
            page.compared = DESIGNS.read(db, asked, rows=packed(map(_design_row, page.designs.designs)))
            page.tasks = _tasks(page.designs).read(db, asked, rows=packed(_task_rows(page.designs)))
        elif numbers:
            page.runs = derived.runs_beside(numbers, by)
            page.sides = SIDES.read(db, asked, rows=packed(_side_rows(page.runs)))
            page.pairs = PAIRS.read(db, asked, rows=packed(_pair_rows(page.runs)))
    except CannotShowError as error:
        problem = str(error)
    page.problem = problem
    return page


@PAGES.data("/compare/curves")
def curves(derived: Derived, runs: str, by: By = "episodes") -> Chart:
    """The gain of the best so far, of each side, along the budget that all had."""
    y = Axis(name="gain over no memory", digits=3)
    try:
        found = derived.runs_beside(_runs(runs), by)
    except CannotShowError as error:
        return Chart(title="Gain of the best so far", x=Axis(name=by), y=y, empty=str(error))
    digits = 2 if by == "dollars" else 0
    series = [
        Series(
            name=curve.side,
            kind="step",
            colour=COLOURS[place % len(COLOURS)],
            points=[[point.at, point.gain.mean, *_band(point.gain)] for point in curve.points],
            band=all(point.gain.interval for point in curve.points),
        )
        for place, curve in enumerate(found.curves)
    ]
    return Chart(title="Gain of the best so far", x=Axis(name=by, digits=digits), y=y, series=series)


@PAGES.data("/compare/tasks")
def tasks(derived: Derived, designs: str, run: int | None = None) -> Chart:
    """The difference of each design from the first, task by task."""
    x = Axis(name="less the first", digits=3)
    found = _designs(derived, _words(designs), run)
    if isinstance(found, str):
        return Chart(title="Differences by task", x=x, y=Axis(name="task"), empty=found)
    rows = sorted(found.tasks, key=lambda row: [-(gap or 0.0) for gap in row.differences])
    series = [
        Series(
            name=f"{side.name} {side.design[:10]}",
            kind="bars",
            colour=COLOURS[place % len(COLOURS)],
            points=[[row.differences[place]] for row in rows],
        )
        for place, side in enumerate(found.designs)
        if place
    ]
    empty = "" if series else "There is one design only."
    y = Axis(name="task", kind="category", categories=[row.task for row in rows])
    return Chart(title="Differences by task", x=x, y=y, series=series, empty=empty)


def _band(gain: Estimate) -> list[float]:
    """Its interval, as far as a gain can be: of two seeds it is far wider."""
    return [max(-1.0, min(1.0, end)) for end in gain.interval or ()]


def _designs(derived: Derivations, ids: Sequence[str], run: int | None) -> DesignsBeside | str:
    try:
        return derived.designs_beside([(each, run) for each in ids])
    except CannotShowError as error:
        return str(error)


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"[^\s,]+", text)))


def _runs(text: str) -> list[int]:
    """The numbers in a text such as `1, 2`; what is none is left out."""
    return [int(word) for word in _words(text) if word.isascii() and word.isdigit() and len(word) < 10]


def _choice(db: sqlite3.Connection, asked: TableQuery, chosen: Sequence[int]) -> Listing:
    """The runs that can be compared; each with the address that takes it in, or out again."""
    listing = CHOICE.read(db, asked)
    for row in listing.rows:
        row["is_chosen"] = row["run"] in chosen
        picked = [each for each in chosen if each != row["run"]] + ([] if row["is_chosen"] else [row["run"]])
        row["picked"] = ",".join(map(str, picked))
    return listing


def _side_rows(found: RunsBeside) -> list[dict[str, Any]]:
    rows = []
    for side in found.sides:
        spent = [run.dollars for run in side.runs]
        row: dict[str, Any] = {"side": side.side, "runs": ", ".join(str(run.run) for run in side.runs)}
        for name in MEASURES:
            row |= flat(name, getattr(side, name))
        row |= {name: sum(getattr(run, name) for run in side.runs) for name in ("episodes", "designs")}
        rows.append(row | {"dollars": None if None in spent else sum(each or 0.0 for each in spent)})
    return rows


def _pair_rows(found: RunsBeside) -> list[dict[str, Any]]:
    """The measure that says most first."""
    order = [found.measure, *(name for name in MEASURES if name != found.measure)]
    return [
        {
            "measure": MEASURES[name][0],
            **pair.model_dump(exclude={"difference"}),
            **flat("difference", pair.difference),
        }
        for name in order
        for pair in found.pairs.get(name, ())
    ]


def _design_row(side: Any) -> dict[str, Any]:
    estimates = {name: flat(name, getattr(side, name)) for name in ("score", "gain", "difference")}
    row = side.model_dump(exclude=set(estimates))
    if side.difference is None:
        row |= {"better": None, "worse": None}
    for fields in estimates.values():
        row |= fields
    return dict(row)


def _tasks(found: DesignsBeside) -> Table:
    """The table of tasks: a column for each design, and one for its difference from the first."""
    columns = [column("task", "Task"), column("no_memory", "no memory", Kind.SCORE)]
    for place, side in enumerate(found.designs):
        name = f"{side.name} {side.design[:10]}"
        columns.append(column(f"score_{place}", name, Kind.SCORE))
        if place:
            columns.append(column(f"difference_{place}", "less the first", Kind.SIGNED, note=f"{name} less the first"))
    return table("tasks", columns, prefix="task_")


def _task_rows(found: DesignsBeside) -> list[dict[str, Any]]:
    return [
        {
            "task": row.task,
            "no_memory": row.no_memory,
            **{f"score_{place}": score for place, score in enumerate(row.scores)},
            **{f"difference_{place}": gap for place, gap in enumerate(row.differences)},
        }
        for row in found.tasks
    ]
