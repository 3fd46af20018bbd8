"""What the page of a run says in words and small tables: its facts, best designs, finals, and what just happened."""

from __future__ import annotations

import json
import sqlite3
from math import isfinite
from typing import Any

from pydantic import BaseModel

from archive.dashboard.pages import Estimated, Statistics
from archive.dashboard.queries import LATEST, SCORED_STATES, STATE, baseline_of, gain

BEST, NEWEST = 8, 40


class Interval(BaseModel):
    """An estimate; the ends of its 95 % interval are null where there is none."""

    mean: float
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, found: Estimated | None) -> Interval | None:
        """An estimate of the search's statistics."""
        if found is None:
            return None
        low, high = (end if isfinite(end) else None for end in (found.low, found.high))
        return cls(mean=found.mean, low=low, high=high, n=found.n)


class Best(BaseModel):
    """One of the best designs; its gain is over no memory, paired by task."""

    design: str
    number: int
    state: str
    score: Interval
    gain: Interval | None
    tokens: float
    summary: str


class Final(BaseModel):
    """A finalist: gains over no memory on the tasks that selected it and on those that did not, and of its controls."""

    design: str
    state: str
    searched: Interval | None
    confirmed: Interval | None
    blank: Interval | None
    """Of the same code with nothing in its memory."""
    shuffled: Interval | None
    """And with another family's episodes."""


class Look(BaseModel):
    """One look at the held-out tasks."""

    look: int
    design: str
    created: float
    score: float | None
    low: float | None
    high: float | None
    gain: Interval | None


class Happening(BaseModel):
    """Something that just happened: an event in the life of a design, an operation on insights, a hint, a look."""

    created: float
    what: str
    design: str
    number: int | None
    told: str


def best(db: sqlite3.Connection, tools: Statistics, run_id: int, *, dynamic: bool) -> list[Best]:
    """A run's best designs by score, as `evolve top` lists them."""
    rows = db.execute(
        f"SELECT evaluation.*, member.number, design.summary, {STATE} AS state FROM evaluation"
        " JOIN member ON member.run_id = evaluation.run_id AND member.design_id = evaluation.design_id"
        " JOIN design ON design.id = evaluation.design_id"
        " WHERE evaluation.run_id = ? AND evaluation.role = 'deployment' AND member.number > 0"
        f" AND {STATE} IN ({SCORED_STATES}) AND evaluation.id = {LATEST}"
        f" ORDER BY evaluation.score DESC, member.number LIMIT {BEST}",
        (run_id,),
    ).fetchall()
    without = baseline(db, run_id)
    return [
        Best(
            design=row["design_id"],
            number=row["number"],
            state=row["state"],
            score=_score(row),
            gain=Interval.of(gain(db, tools, row["id"], without, dynamic=dynamic)),
            tokens=row["tokens"],
            summary=row["summary"],
        )
        for row in rows
    ]


def baseline(db: sqlite3.Connection, run_id: int, role: str = "deployment") -> int | None:
    """The evaluation of no memory on a role's tasks."""
    found: int | None = db.execute(f"SELECT {baseline_of(':run', role=role)}", {"run": run_id}).fetchone()[0]
    return found


def finals(db: sqlite3.Connection, tools: Statistics, run_id: int, *, dynamic: bool) -> list[Final]:
    """The finalists of a run, the one that was placed first at the top; empty where there were no finals."""
    found = db.execute(
        f"SELECT evaluation.design_id, evaluation.role, MAX(evaluation.id) AS id, {STATE} AS state FROM evaluation"
        " JOIN member ON member.run_id = evaluation.run_id AND member.design_id = evaluation.design_id"
        " WHERE evaluation.run_id = ? AND member.number > 0 AND evaluation.design_id IN"
        " (SELECT design_id FROM evaluation WHERE run_id = ?1 AND role = 'confirmation')"
        " GROUP BY evaluation.design_id, evaluation.role",
        (run_id,),
    )
    played: dict[tuple[str, str], dict[str, int]] = {}
    for design, role, number, state in found:
        if state in ("finalist", "best"):
            played.setdefault((design, state), {})[role] = number
    without = {role: baseline(db, run_id, role) for role in ("deployment", "confirmation")}

    def over(numbers: dict[str, int], role: str) -> Interval | None:
        return Interval.of(gain(db, tools, numbers.get(role), without[role.partition(":")[0]], dynamic=dynamic))

    rows = [
        Final(
            design=design,
            state=state,
            searched=over(numbers, "deployment"),
            confirmed=over(numbers, "confirmation"),
            blank=over(numbers, "confirmation:blank"),
            shuffled=over(numbers, "confirmation:shuffled"),
        )
        for (design, state), numbers in played.items()
    ]
    return sorted(rows, key=lambda row: (row.state != "best", -(row.confirmed.mean if row.confirmed else 0.0)))


def looks(db: sqlite3.Connection, run_id: int) -> list[Look]:
    """The looks at a run's held-out tasks, the newest first."""
    rows = db.execute("SELECT * FROM look WHERE run_id = ? ORDER BY id", (run_id,)).fetchall()
    made = []
    for number, row in enumerate(rows, 1):
        told: dict[str, Any] = json.loads(row["result"])
        low, high = told.get("interval") or (None, None)
        over = told.get("gain") or None
        ends = (over.get("interval") or (None, None)) if over else (None, None)
        made.append(
            Look(
                look=number,
                design=row["design_id"],
                created=row["created"],
                score=told.get("score"),
                low=low,
                high=high,
                gain=Interval(mean=over["mean"], low=ends[0], high=ends[1], n=over["n"]) if over else None,
            )
        )
    return made[::-1]


def happenings(db: sqlite3.Connection, run_id: int) -> list[Happening]:
    """What happened last, the newest first."""
    parts = (
        "SELECT created, state, design_id, reason FROM event WHERE run_id = :run",
        "SELECT created, 'no design', '', reason FROM manifest WHERE run_id = :run AND design_id = '' AND reason != ''",
        "SELECT created, 'insight: ' || kind, '', reason FROM operation WHERE run_id = :run",
        "SELECT created, 'hint', '', text FROM hint WHERE run_id = :run",
        "SELECT created, 'test', design_id, 'a look at the held-out tasks' FROM look WHERE run_id = :run",
    )
    newest = " UNION ALL ".join(f"SELECT * FROM ({part} ORDER BY rowid DESC LIMIT {NEWEST})" for part in parts)
    rows = db.execute(
        "SELECT created, state, design_id, reason, (SELECT number FROM member WHERE run_id = :run"
        f" AND member.design_id = latest.design_id) FROM ({newest}) AS latest ORDER BY created DESC LIMIT {NEWEST}",
        {"run": run_id},
    )
    return [
        Happening(created=created, what=what, design=design, number=number, told=(told or "").strip())
        for created, what, design, told, number in rows
    ]


def _score(row: sqlite3.Row) -> Interval:
    low, high = (end if isfinite(end) else None for end in (row["low"], row["high"]))
    return Interval(mean=row["score"], low=low, high=high, n=row["n"])
