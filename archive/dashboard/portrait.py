"""What an archive holds of one design in one run, beside its code, its family and its scores by task."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from math import isfinite
from typing import Any

from pydantic import BaseModel

from archive.dashboard.heatmap import BASELINES, Scored, baselines
from archive.dashboard.trajectories import Recall, recalls
from archive.database import unpack
from archive.told import unpack_told

NO_MEMORY = BASELINES["no_memory"]


class Event(BaseModel):
    """One arrow in a design's life."""

    state: str
    reason: str
    created: float


class Evaluated(BaseModel):
    """A score on the tasks of one role, and what it took."""

    role: str
    score: float
    low: float | None
    high: float | None
    n: int
    tokens: float
    cut: int
    calls: int
    llm_tokens: int
    llm_dollars: float | None
    variant: str
    seconds: float
    created: float


class Spent(BaseModel):
    """What models were paid on a design's account in a run, who plays included."""

    calls: int
    tokens: int
    dollars: float | None


class Example(BaseModel):
    """What a design told for the task where it gained most over no memory."""

    task: str
    score: float
    told: list[Recall]


class Filmed(BaseModel):
    """An episode whose trajectory was kept."""

    task: str
    repeat: int
    score: float
    key: str


def life(db: sqlite3.Connection, run: int, design: str) -> list[Event]:
    """All that happened to a design, oldest first."""
    query = "SELECT state, reason, created FROM event WHERE run_id = ? AND design_id = ? ORDER BY id"
    return [Event(**row) for row in db.execute(query, (run, design))]


def evaluations(db: sqlite3.Connection, run: int, design: str) -> list[Evaluated]:
    """The latest evaluation on the tasks of each role, in the order of the first ones."""
    query = """
        SELECT * FROM evaluation WHERE id IN
            (SELECT max(id) FROM evaluation WHERE run_id = ? AND design_id = ? GROUP BY role) ORDER BY id"""
    return [Evaluated(**_without_infinity(row)) for row in db.execute(query, (run, design))]


def _without_infinity(row: sqlite3.Row) -> dict[str, Any]:
    found = {name: row[name] for name in Evaluated.model_fields}
    return found if isfinite(found["low"]) else {**found, "low": None, "high": None}


def spent(db: sqlite3.Connection, run: int, design: str) -> Spent:
    """The sum of the calls that were paid."""
    query = """
        SELECT count(*), coalesce(sum(tokens_in + tokens_out), 0), sum(dollars), count(dollars) FROM call
        WHERE run_id = ? AND design = ? AND hit_of IS NULL"""
    calls, tokens, dollars, priced = db.execute(query, (run, design)).fetchone()
    return Spent(calls=calls, tokens=tokens, dollars=(dollars or 0.0) if priced == calls else None)


def front(db: sqlite3.Connection, run: int, design: str) -> dict[str, Any] | None:
    """When a design came to its run's Pareto front, and what it was there for."""
    query = "SELECT performance, cost, delay, entered, beaten FROM front WHERE run_id = ? AND design_id = ?"
    row = db.execute(query, (run, design)).fetchone()
    return dict(row) if row is not None else None


def filmed(db: sqlite3.Connection, run: int, design: str) -> list[Filmed]:
    """The episodes of which every step was kept, the worst first."""
    query = """
        SELECT DISTINCT o.task_id AS task, o.repeat, o.score, lower(hex(o.episode)) AS key FROM evaluation e
        JOIN outcome o ON o.evaluation_id = e.id JOIN recording r ON r.key = o.episode
        WHERE e.run_id = ? AND e.design_id = ? ORDER BY o.score, o.task_id, o.repeat"""
    return [Filmed(**row) for row in db.execute(query, (run, design))]


def example(db: sqlite3.Connection, run: int, design: str, columns: Sequence[Scored]) -> Example | None:
    """What it told for the task where it gained most over no memory."""
    if not columns or not (ours := columns[0].by_task):
        return None
    without = next((column.by_task for column in columns if column.name == NO_MEMORY), {})
    if baselines(db, run).get("no_memory") == design:
        without = ours
    task = max(sorted(ours), key=lambda task: ours[task] - without.get(task, 0.0))
    query = """
        SELECT items FROM told WHERE key = (SELECT told FROM outcome WHERE task_id = ? AND evaluation_id =
            (SELECT max(id) FROM evaluation WHERE run_id = ? AND design_id = ? AND role = 'deployment')
        ORDER BY repeat LIMIT 1)"""
    row = db.execute(query, (task, run, design)).fetchone()
    told = unpack_told(unpack(row["items"])) if row is not None else ()
    return Example(task=task, score=ours[task], told=recalls(told))
