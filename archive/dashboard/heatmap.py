"""A design's scores by task beside those of its parents and of the baselines."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import Literal, NamedTuple

from pydantic import BaseModel

BASELINES = {"no_memory": "no memory", "nearest_trajectory": "nearest", "constant": "constant"}
"""By the names under which runs enter them."""
PARENT = "parent"
"""The name of the column that changes are against."""


class Played(NamedTuple):
    """A scored episode of an evaluation."""

    task: str
    repeat: int
    score: float
    episode: bytes | None
    """Its key; none where retrieval failed."""


class Scored(NamedTuple):
    """What a column of the map is of, with the episodes of its latest evaluation."""

    name: str
    design: str
    episodes: Sequence[Played]

    @property
    def by_task(self) -> dict[str, float]:
        """Its mean score in each task."""
        return by_task(self.episodes)


class Cell(BaseModel):
    """One design's mean score in a task, and the key of the first episode."""

    score: float
    episode: str | None


class Column(BaseModel):
    """Whose scores a column holds."""

    name: str
    design: str
    mean: float


class TaskRow(BaseModel):
    """One task: a cell for each column, and how the design's score differs from its first parent's."""

    task: str
    cells: list[Cell | None]
    change: float | None
    foretold: Literal["", "improves", "at risk"]
    """What the design's author expected of it."""


class HeatMap(BaseModel):
    """Tasks of one role by designs."""

    role: str
    columns: list[Column]
    rows: list[TaskRow]
    better: int
    worse: int
    equal: int
    """Tasks that differ from the first parent's, or do not."""


def episodes(db: sqlite3.Connection, run: int, design: str, role: str = "deployment") -> list[Played]:
    """The latest episodes of a design on a role's tasks.

    Those that select are all of its latest evaluation; what it played to be reflected on, it played bit by bit.
    """
    later = "MAX(v.id)" if role == "deployment" else "MIN(v.id)"
    query = f"""
        SELECT o.task_id, o.repeat, o.score, o.episode, MAX(v.id) FROM evaluation v
        JOIN outcome o ON o.evaluation_id = v.id
        WHERE v.run_id = :run AND v.design_id = :design AND v.role = :role AND v.id >=
            (SELECT {later} FROM evaluation v WHERE v.run_id = :run AND v.design_id = :design AND v.role = :role)
        GROUP BY o.task_id, o.repeat ORDER BY o.task_id, o.repeat"""
    found = db.execute(query, {"run": run, "design": design, "role": role})
    return [Played(*row[:4]) for row in found]


def baselines(db: sqlite3.Connection, run: int) -> dict[str, str]:
    """The designs that every one of a run is compared with, by their names."""
    rows = db.execute("SELECT change, design_id FROM member WHERE run_id = ? AND number = 0", (run,))
    found: dict[str, str] = {name: design for name, design in rows}  # noqa: C416  rows are no pairs
    return {name: found[name] for name in (*BASELINES, *found) if name in found}


def by_task(played: Sequence[Played]) -> dict[str, float]:
    """Mean score of each task."""
    scores: dict[str, list[float]] = {}
    for each in played:
        scores.setdefault(each.task, []).append(each.score)
    return {task: fmean(some) for task, some in scores.items()}


def heat_map(
    role: str, columns: Sequence[Scored], improves: Collection[str], at_risk: Collection[str]
) -> HeatMap | None:
    """The map of a design, whose own column is the first; none where it has no scores."""
    shown = [column for column in columns if column.episodes]
    if not shown or shown[0] is not columns[0]:
        return None
    scores = [column.by_task for column in shown]
    firsts = [{each.task: each.episode for each in reversed(column.episodes)} for column in shown]
    parent = next((some for column, some in zip(shown, scores, strict=True) if column.name == PARENT), {})
    rows = [
        TaskRow(
            task=task,
            cells=[_cell(task, some, first) for some, first in zip(scores, firsts, strict=True)],
            change=score - parent[task] if task in parent else None,
            foretold="improves" if task in improves else "at risk" if task in at_risk else "",
        )
        for task, score in sorted(scores[0].items())
    ]
    changes = [row.change for row in rows if row.change is not None]
    return HeatMap(
        role=role,
        columns=[
            Column(name=column.name, design=column.design, mean=fmean(some.values()))
            for column, some in zip(shown, scores, strict=True)
        ],
        rows=rows,
        better=sum(change > 0 for change in changes),
        worse=sum(change < 0 for change in changes),
        equal=sum(change == 0 for change in changes),
    )


def _cell(task: str, scores: Mapping[str, float], episodes: Mapping[str, bytes | None]) -> Cell | None:
    if task not in scores:
        return None
    key = episodes[task]
    return Cell(score=scores[task], episode=key.hex() if key is not None else None)
