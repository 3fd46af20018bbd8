"""One design: its code and how it differs from its parents', its scores, what was thought of it, and its life."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response
from markupsafe import Markup
from pydantic import BaseModel, Field

from archive.dashboard import code, family, heatmap, portrait, verdicts
from archive.dashboard.family import Relative
from archive.dashboard.heatmap import HeatMap, Scored
from archive.dashboard.pages import Db, Estimated, Pages, Scores, Statistics, Tools
from archive.dashboard.portrait import Evaluated, Event, Example, Filmed, Spent
from archive.dashboard.reading import NotThereError
from archive.dashboard.verdicts import Diagnosed, Thoughts, Verdict
from archive.expectations import outcome

ID = Annotated[str, Field(min_length=1, max_length=80)]


class DesignPages(Pages):
    """These pages, and the sources as files."""

    def routes(self) -> APIRouter:
        """The routes of both."""
        router = super().routes()
        router.add_api_route("/designs/{design}/source.py", source_file, include_in_schema=False)
        return router


PAGES = DesignPages()


class Gain(BaseModel):
    """The paired difference to another design's scores, with its 95 % interval where it has one."""

    over: str
    design: str
    mean: float
    low: float | None
    high: float | None
    n: int


class Change(BaseModel):
    """How the code differs from a parent's."""

    parent: Relative
    source: str
    """Of the parent."""
    added: int | None
    removed: int | None
    """Lines; none where the sources are too long to be compared."""
    _groups: list[list[code.Line]] | None = None

    def groups(self) -> list[list[code.Line]]:
        """The lines that differ, highlighted, with some around them."""
        return self._groups or []


class DesignPage(BaseModel):
    """A design as it stands in a run."""

    design: str
    run: int
    number: int
    role: str
    state: str
    reason: str
    origin: str
    summary: str
    change: str
    created: float
    other_runs: list[int]
    score: Evaluated | None
    """On the tasks that select."""
    evaluations: list[Evaluated]
    """The latest one on the tasks of each role."""
    gains: list[Gain]
    maps: list[HeatMap]
    came_true: str
    """What became of the author's expectations, in a line; empty where there is nothing to say."""
    spent: Spent
    front: dict[str, Any] | None
    parents: list[Relative]
    children: list[Relative]
    more_children: int
    lineage: list[Relative]
    """By first parents, the oldest one first."""
    life: list[Event]
    thoughts: Thoughts | None
    verdict: Verdict | None
    diagnosis: Diagnosed | None
    example: Example | None
    episodes: list[Filmed]
    """Those whose trajectories were kept."""
    changes: list[Change]
    source: str

    def lines(self) -> tuple[Markup, ...]:
        """The source, highlighted."""
        return code.highlighted(self.source)

    @property
    def widest(self) -> float:
        """The largest end of an interval of the gains, which their plots share."""
        ends = [abs(end) for gain in self.gains for end in (gain.low, gain.mean, gain.high) if end is not None]
        return max([0.05, *ends])


@PAGES.page("/designs/{design}", "design.html")
def design_page(db: Db, tools: Tools, design: ID, run: int | None = None) -> DesignPage:
    """A design as it stands in a run, by default the newest that has it; the beginning of its id will do."""
    row, runs = _found(db, design, run)
    run, design = row["run_id"], row["design_id"]
    parents = family.relatives(db, run, family.parents(db, run, design))
    below, count = family.children(db, run, design)
    columns = _columns(db, run, row, parents)
    thought = verdicts.thoughts(db, run, design)
    maps = _maps(db, run, columns, thought)
    life = portrait.life(db, run, design)
    evaluations = portrait.evaluations(db, run, design)
    return DesignPage(
        **{name: row[name] for name in ("number", "role", "change", "origin", "summary", "created", "source")},
        design=design,
        run=run,
        state=life[-1].state if life else "",
        reason=life[-1].reason if life else "",
        other_runs=[other for other in runs if other != run],
        score=next((each for each in evaluations if each.role == family.DEPLOYMENT), None),
        evaluations=evaluations,
        gains=_gains(columns, tools, is_dynamic=row["mode"] == "dynamic"),
        maps=maps,
        came_true=_came_true(maps, thought),
        spent=portrait.spent(db, run, design),
        front=portrait.front(db, run, design),
        parents=parents,
        children=family.relatives(db, run, below),
        more_children=count - len(below),
        lineage=family.relatives(db, run, [*family.ancestors(db, run, design), design]),
        life=life,
        thoughts=thought,
        verdict=verdicts.verdict(db, run, design),
        diagnosis=verdicts.diagnosis(db, run, design),
        example=portrait.example(db, run, design, columns),
        episodes=portrait.filmed(db, run, design),
        changes=[_change(db, parent, row["source"]) for parent in parents],
    )


def source_file(db: Db, design: ID) -> Response:
    """The source of a design, to be saved."""
    row, _ = _found(db, design, None)
    name = f"{row['design_id'][:12].replace('-', '_')}.py"
    headers = {"Content-Disposition": f'attachment; filename="design_{name}"'}
    return Response(row["source"], media_type="text/x-python; charset=utf-8", headers=headers)


def _found(db: sqlite3.Connection, prefix: str, run: int | None) -> tuple[sqlite3.Row, list[int]]:
    """A design's place in a run with its code, and the runs that have it. Raises `NotThereError`."""
    query = "SELECT id FROM design WHERE id >= ? AND id < ? LIMIT 2"
    found = [design for (design,) in db.execute(query, (prefix, prefix + "\U0010ffff"))]
    if len(found) != 1:
        problem = "more than one design" if found else "no design"
        raise NotThereError(f"The archive has {problem} whose id begins with {prefix!r}.")
    runs = [number for (number,) in db.execute("SELECT run_id FROM member WHERE design_id = ? ORDER BY 1", found)]
    if not runs or (run is not None and run not in runs):
        raise NotThereError(f"Run {run} has no design {found[0][:10]}; it is in run {', '.join(map(str, runs))}.")
    query = """
        SELECT m.*, d.source, d.summary, d.origin, d.created, json_extract(r.config, '$.mode') AS mode
        FROM member m JOIN design d ON d.id = m.design_id JOIN run r ON r.id = m.run_id
        WHERE m.run_id = ? AND m.design_id = ?"""
    return db.execute(query, (run if run is not None else runs[-1], found[0])).fetchone(), runs


def _columns(
    db: sqlite3.Connection, run: int, row: sqlite3.Row, parents: list[Relative], role: str = family.DEPLOYMENT
) -> list[Scored]:
    """The design's episodes on a role's tasks, then those of its parents, then those of the baselines."""
    shown = {row["design_id"]: "this"}
    for place, parent in enumerate(parents):
        shown.setdefault(parent.design, heatmap.PARENT if not place else "donor")
    for name, baseline in heatmap.baselines(db, run).items():
        shown.setdefault(baseline, heatmap.BASELINES.get(name, name))
    return [Scored(name, design, heatmap.episodes(db, run, design, role)) for design, name in shown.items()]


def _gains(columns: list[Scored], tools: Statistics, *, is_dynamic: bool) -> list[Gain]:
    ours, *others = [_scores(column, tools, is_dynamic=is_dynamic) for column in columns]
    found = []
    for column, theirs in zip(columns[1:], others, strict=True):
        if ours.keys() & theirs.keys():
            found.append(_gain(column, tools.paired(ours, theirs)))
    return found


def _scores(column: Scored, tools: Statistics, *, is_dynamic: bool) -> Scores:
    episodes = [(each.task, each.repeat, each.score) for each in column.episodes]
    return tools.scores_of(episodes, dynamic=is_dynamic) if episodes else {}


def _gain(column: Scored, found: Estimated) -> Gain:
    low, high = (None, None) if found.n < 2 else (found.low, found.high)
    return Gain(over=column.name, design=column.design, mean=found.mean, low=low, high=high, n=found.n)


def _maps(db: sqlite3.Connection, run: int, columns: list[Scored], thought: Thoughts | None) -> list[HeatMap]:
    """Of the tasks that select, and of those that were played to be reflected on."""
    improves, at_risk = (thought.improves, thought.at_risk) if thought is not None else ([], [])
    reflected = [column._replace(episodes=heatmap.episodes(db, run, column.design, "reflection")) for column in columns]
    found = [
        heatmap.heat_map(name, some, improves, at_risk)
        for name, some in ((family.DEPLOYMENT, columns), ("reflection", reflected))
    ]
    return [each for each in found if each is not None]


def _came_true(maps: list[HeatMap], thought: Thoughts | None) -> str:
    """Over the tasks of all roles that the design and its first parent both played."""
    if thought is None:
        return ""
    pairs = [(row.task, row.cells[0].score, row.change) for each in maps for row in each.rows if row.cells[0]]
    ours = {task: score for task, score, _ in pairs}
    theirs = {task: score - change for task, score, change in pairs if change is not None}
    found = outcome(thought.improves, thought.at_risk, ours, theirs)
    return found.describe() if found is not None else ""


def _change(db: sqlite3.Connection, parent: Relative, source: str) -> Change:
    (before,) = db.execute("SELECT source FROM design WHERE id = ?", (parent.design,)).fetchone()
    groups = code.difference(before, source)
    marks = [line.mark for group in groups for line in group] if groups is not None else None
    added, removed = (marks.count(mark) if marks is not None else None for mark in ("added", "removed"))
    change = Change(parent=parent, source=before, added=added, removed=removed)
    change._groups = groups
    return change
