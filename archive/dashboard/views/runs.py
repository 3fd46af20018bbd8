"""The first page: all runs of the archive."""

from __future__ import annotations

import sqlite3
from typing import Any

from pydantic import BaseModel

from archive.dashboard.listing import Column, Kind, Listing, Table
from archive.dashboard.pages import Asked, Db, Pages, Source, Tools
from archive.dashboard.queries import SCORED_STATES, STATE, baseline_of, best_of, gain
from archive.opening import is_being_written

PAGES = Pages()

STATUS = "CASE WHEN run.status = 'running' AND NOT :writing THEN 'interrupted' ELSE run.status END"
"""A run that was killed could not say so."""
EVALUATED = (
    "((SELECT COUNT(*) FROM (SELECT state, MAX(event.id) FROM event WHERE event.run_id = run.id"
    f" GROUP BY event.design_id) WHERE state IN ({SCORED_STATES}))"
    f" - (SELECT COUNT(*) FROM member WHERE run_id = run.id AND number = 0 AND {STATE} IN ({SCORED_STATES})))"
)
"""Designs in a scored state, without the baselines."""
SECONDS = (
    "CASE WHEN run.status = 'running' THEN"
    " (SELECT MAX(created) FROM evaluation WHERE evaluation.run_id = run.id) - run.created ELSE run.elapsed END"
)
DOLLARS = (
    "(SELECT CASE WHEN SUM(dollars IS NULL) THEN NULL ELSE SUM(dollars) END FROM call"
    " WHERE call.run_id = run.id AND call.hit_of IS NULL)"
)


def _config(name: str) -> str:
    return f"json_extract(run.config, '$.{name}')"


def _rate(row: dict[str, Any]) -> None:
    """Designs evaluated in a minute; SQL would count them once more for it."""
    if row["evaluated"] and row["seconds"]:
        row["rate"] = row["evaluated"] * 60 / row["seconds"]


RUNS = Table(
    name="runs",
    columns=(
        Column("run", "Run", "run.id", Kind.NUMBER, link="/runs/{run}", nullable=False),
        Column("status", "Status", STATUS, Kind.WORD, nullable=False),
        Column("domain", "Domain", _config("domain"), Kind.TEXT),
        Column("strategy", "Strategy", _config("strategy"), Kind.TEXT),
        Column("evaluated", "Evaluated", EVALUATED, Kind.NUMBER, note="Designs that have a score on all tasks."),
        Column("asked", "of", _config("designs"), Kind.NUMBER, note="Designs that the run was asked for."),
        Column("score", "Best", "best.score", Kind.SCORE, low="best.low", high="best.high"),
        Column(
            "gain",
            "Gain over no memory",
            "best.score - base.score",
            Kind.SIGNED,
            low="NULL",
            high="NULL",
            note="Of the best design, paired by task; it is the best of many, so that this is too good.",
        ),
        Column("seconds", "Time", SECONDS, Kind.DURATION),
        Column("rate", "Per minute", "NULL", Kind.NUMBER, sortable=False, filterable=False),
        Column("dollars", "Models", DOLLARS, Kind.DOLLARS, note="What calls of language models cost."),
        Column("proposer", "Proposer", _config("proposer"), Kind.TEXT),
        Column("agent", "Agent", _config("agent"), Kind.TEXT),
        Column("seed", "Seed", _config("seed"), Kind.NUMBER),
        Column("created", "Started", "run.created", Kind.TIME, nullable=False),
        Column("design", "Best design", "best.design_id", Kind.NAME, link="/designs/{design}?run={run}"),
        Column("best_id", "", "best.id", Kind.NUMBER, hidden=True, filterable=False),
        Column("base_id", "", "base.id", Kind.NUMBER, hidden=True, filterable=False),
        Column("mode", "", _config("mode"), Kind.WORD, hidden=True, filterable=False),
    ),
    source=(
        f"run LEFT JOIN evaluation AS best ON best.id = {best_of('run.id')}"
        f" LEFT JOIN evaluation AS base ON base.id = {baseline_of('run.id')}"
    ),
    id="run.id",
    sort="-run",
    derive=_rate,
)


class RunsPage(BaseModel):
    """All runs; the newest first, unless asked otherwise."""

    archive: str
    bytes: int
    """Size of the archive's file."""
    totals: dict[str, int]
    table: Listing


@PAGES.page("/", template="runs.html")
def runs(db: Db, asked: Asked, tools: Tools, source: Source) -> RunsPage:
    """All runs of the archive: what each searched, how far it is, its best design and what it cost."""
    listing = RUNS.read(db, asked, writing=is_being_written(source.path))
    for row in listing.rows:
        _pair(db, tools, row)
    return RunsPage(archive=source.path.name, bytes=source.path.stat().st_size, totals=_totals(db), table=listing)


def _pair(db: sqlite3.Connection, tools: Tools, row: dict[str, Any]) -> None:
    """Put the paired gain with its interval in place of the plain difference."""
    found = gain(db, tools, row.pop("best_id"), row.pop("base_id"), dynamic=row.pop("mode") == "dynamic")
    if found is not None:
        ends = {"gain_low": found.low, "gain_high": found.high} if found.low > float("-inf") else {}
        row |= {"gain": found.mean, **ends}


def _totals(db: sqlite3.Connection) -> dict[str, int]:
    """How much the archive holds."""
    counted = {"runs": "run", "designs": "design", "evaluations": "evaluation", "episodes": "episode", "calls": "call"}
    return {name: db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for name, table in counted.items()}
