"""What was thought of a design: by the model that wrote it, by whoever compared it, and by whoever diagnosed it."""

from __future__ import annotations

import sqlite3
from math import isfinite
from typing import Any

from pydantic import BaseModel

from archive.comparisons import DECIDED
from archive.database import unpack


class Planned(BaseModel):
    """One change of a plan."""

    priority: str
    part: str
    what: str
    why: str


class Noted(BaseModel):
    """An episode that the author found worth a note."""

    task: str
    label: str
    why: str


class Attempt(BaseModel):
    """A design that was sent back, or what was none, with what was wrong; nothing was with the last one."""

    design: str
    failure: str


class Thoughts(BaseModel):
    """Plan and manifest of the model that wrote a design, and what that took."""

    hypothesis: str
    part: str
    improves: list[str]
    at_risk: list[str]
    learned: list[str]
    problems: list[str]
    episodes: list[Noted]
    changes: list[Planned]
    attempts: list[Attempt]
    cut: list[str]
    """Sections of the prompt that were not shown whole."""
    warnings: list[str]
    request: int
    calls: int
    tokens_in: int
    tokens_out: int
    cached: int
    dollars: float | None


class Criterion(BaseModel):
    """One point of view of a comparison."""

    name: str
    weight: float
    ours: float
    theirs: float
    critique: str


class Verdict(BaseModel):
    """A design beside the one that it was asked of."""

    rival: str
    decided_by: str
    because: str
    author: str
    total: float
    rival_total: float
    difference: float
    low: float | None
    high: float | None
    n: int
    criteria: list[Criterion]
    operators: dict[str, float]
    meta_prompt: str
    lessons: list[str]
    tokens: int
    dollars: float | None


class Defect(BaseModel):
    """Something that was found wrong with a design."""

    part: str
    name: str
    severity: float
    evidence: str
    remedy: str


class Diagnosed(BaseModel):
    """What was found wrong; by no author where it was measured."""

    author: str
    defects: list[Defect]


def thoughts(db: sqlite3.Connection, run: int, design: str) -> Thoughts | None:
    """What led to a design in a run, if a model wrote it there."""
    row = db.execute("SELECT * FROM manifest WHERE run_id = ? AND design_id = ?", (run, design)).fetchone()
    if row is None:
        return None
    kept: dict[str, Any] = unpack(row["thoughts"])
    manifest, plan = kept.get("manifest") or {}, kept.get("plan") or {}
    return Thoughts(
        hypothesis=manifest.get("hypothesis", ""),
        part=manifest.get("part", ""),
        improves=manifest.get("improves", []),
        at_risk=manifest.get("at_risk", []),
        learned=plan.get("learned", []),
        problems=[*plan.get("content_problems", []), *plan.get("structure_problems", [])],
        episodes=[Noted(**each) for each in plan.get("episodes", [])],
        changes=[Planned(**each) for each in plan.get("changes", [])],
        attempts=[Attempt(design=tried, failure=failure) for tried, failure in kept.get("attempts", [])],
        cut=[f"{each['section']}: {each['kept']:,} of {each['tokens']:,} tokens" for each in kept.get("cut", [])],
        warnings=kept.get("warnings", []),
        request=row["number"],
        **{name: row[name] for name in ("calls", "tokens_in", "tokens_out", "cached", "dollars")},
    )


def verdict(db: sqlite3.Connection, run: int, design: str) -> Verdict | None:
    """How a design was compared, where its run compares and it was asked of another one."""
    query = "SELECT * FROM comparison WHERE run_id = ? AND design_id = ? AND rival_id <> ''"
    if (row := db.execute(query, (run, design)).fetchone()) is None:
        return None
    details: dict[str, Any] = unpack(row["details"])
    has_interval = isfinite(row["low"])
    criteria = [Criterion(**each) for each in details["criteria"]]
    return Verdict(
        rival=row["rival_id"],
        because=DECIDED.get(row["decided_by"], row["decided_by"]),
        low=row["low"] if has_interval else None,
        high=row["high"] if has_interval else None,
        criteria=sorted(criteria, key=lambda each: -each.weight),
        tokens=row["tokens_in"] + row["tokens_out"],
        **{name: row[name] for name in ("decided_by", "author", "total", "rival_total", "difference", "n", "dollars")},
        **{name: details[name] for name in ("operators", "meta_prompt", "lessons")},
    )


def diagnosis(db: sqlite3.Connection, run: int, design: str) -> Diagnosed | None:
    """What was found wrong with a design, if anybody looked."""
    query = "SELECT profile, author FROM diagnosis WHERE run_id = ? AND design_id = ?"
    if (row := db.execute(query, (run, design)).fetchone()) is None:
        return None
    names = ("part", "name", "severity", "evidence", "remedy")
    defects = [Defect(**dict(zip(names, each, strict=True))) for each in unpack(row["profile"])["defects"]]
    return Diagnosed(author=row["author"], defects=sorted(defects, key=lambda each: -each.severity))
