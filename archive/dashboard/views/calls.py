"""The ledger of calls of language models, and what was said in one of them."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from pydantic import BaseModel

from archive.dashboard.listing import Column, Kind, Listing, Table
from archive.dashboard.pages import Asked, Db, Pages
from archive.dashboard.reading import NotThereError
from archive.dashboard.rows import column, packed, table
from archive.database import ArchiveError, unpack

PAGES = Pages()

ADDED_UP = 50_000
"""Calls that are summed at each request; where an archive has more, only those of one run."""
SHOWN = 20_000
"""Characters of a text that are shown at first."""
ANSWERED = (
    "CASE WHEN call.hit_of IS NOT NULL THEN 'as call ' || call.hit_of"
    " WHEN call.problem != '' THEN call.problem ELSE call.finish END"
)

CALLS = Table(
    name="calls",
    columns=(
        Column("call", "Call", "call.id", Kind.NUMBER, link="/calls/{call}", nullable=False),
        Column("run", "Run", "call.run_id", Kind.NUMBER, link="/runs/{run}", nullable=False),
        Column("role", "Role", "call.role", Kind.WORD, nullable=False, note="What it was asked for."),
        Column("model", "Model", "call.model", Kind.TEXT, nullable=False),
        Column(
            "design",
            "Design",
            "NULLIF(call.design, '')",
            Kind.NAME,
            link="/designs/{design}?run={run}",
            note="On whose account it is.",
        ),
        Column("tokens_in", "Tokens in", "call.tokens_in", Kind.NUMBER, nullable=False),
        Column("cached", "Cached", "call.cached", Kind.NUMBER, nullable=False, hidden=True),
        Column("tokens_out", "Tokens out", "call.tokens_out", Kind.NUMBER, nullable=False),
        Column("reasoning", "Reasoning", "call.reasoning", Kind.NUMBER, nullable=False, hidden=True),
        Column("dollars", "Price", "call.dollars", Kind.DOLLARS, note="A dash where no price is known."),
        Column("seconds", "Latency", "call.seconds", Kind.DURATION, note="Retries included."),
        Column("answered", "Answered", ANSWERED, Kind.TEXT, note="How it ended; or by which earlier, equal call."),
        Column("problem", "Problem", "NULLIF(call.problem, '')", Kind.TEXT, note="Why the answer is of no use."),
        Column("created", "Time", "call.created", Kind.TIME, nullable=False),
    ),
    source="call",
    id="call.id",
    sort="-call",
)

SUMS = table(
    "sums",
    (
        column("role", "Role", Kind.WORD),
        column("model", "Model"),
        column("calls", "Calls", Kind.NUMBER, note="That were paid."),
        column("hits", "Known", Kind.NUMBER, note="Answered by an earlier, equal call; free."),
        column("tokens_in", "Tokens in", Kind.NUMBER),
        column("cached", "Cached", Kind.NUMBER, note="Of those in: by the provider."),
        column("tokens_out", "Tokens out", Kind.NUMBER),
        column("reasoning", "Reasoning", Kind.NUMBER, note="Of those out."),
        column("dollars", "Dollars", Kind.DOLLARS, note="A dash where a price is unknown."),
        column("unusable", "Of no use", Kind.NUMBER, note="Paid, without a usable answer."),
    ),
    sort="-calls",
    prefix="sum_",
)
SUMMED = (
    "SELECT role, model, COUNT(*) - COUNT(hit_of) AS calls, COUNT(hit_of) AS hits, SUM(tokens_in) AS tokens_in,"
    " SUM(cached) AS cached, SUM(tokens_out) AS tokens_out, SUM(reasoning) AS reasoning,"
    " CASE WHEN SUM(dollars IS NULL) THEN NULL ELSE SUM(dollars) END AS dollars, SUM(problem != '') AS unusable"
    " FROM call NOT INDEXED WHERE :run IS NULL OR run_id = :run GROUP BY role, model"
)
"""As `archive.ledger.Ledger.costs`, which also says why no index is used."""


class CallsPage(BaseModel):
    """Calls of models, the newest first, and what they come to."""

    run: int | None
    """The one run that they are of, if they are."""
    sums: Listing | None
    """By role and model; none where there are too many to be summed, of all runs."""
    table: Listing


class Said(BaseModel):
    """One message of a request, or the reply."""

    speaker: str
    text: str
    rest: str = ""
    """What else it holds, calls of tools say, as JSON."""


class CallPage(BaseModel):
    """One call with what was said in it."""

    longest: int | None
    """Characters of a text that its page shows; all where it is none."""
    call: int
    run: int
    role: str
    model: str
    design: str
    sample: int
    tokens_in: int
    cached: int
    written: int
    tokens_out: int
    reasoning: int
    dollars: float | None
    seconds: float | None
    finish: str
    problem: str
    hit_of: int | None
    created: float
    messages: list[Said]
    settings: str
    """What else the request holds, as JSON."""
    reply: Said | None
    before: int | None
    """The call before it in the same run."""
    after: int | None


@PAGES.page("/calls", template="calls.html")
def calls(db: Db, asked: Asked, run: str = "") -> CallsPage:
    """Calls of language models, by run, role, model, design or problem, and what they come to."""
    number = int(run) if run.isascii() and run.isdigit() and len(run) < 10 else None
    (most,) = db.execute("SELECT COALESCE(MAX(id), 0) FROM call").fetchone()
    sums = None
    if number is not None or most <= ADDED_UP:
        sums = SUMS.read(db, asked, rows=packed(map(dict, db.execute(SUMMED, {"run": number}))))
    return CallsPage(run=number, sums=sums, table=CALLS.read(db, asked))


@PAGES.page("/calls/{number}", template="call.html")
def call(db: Db, number: int, whole: bool = False) -> CallPage:
    """One call: what it took, its request and its reply, as they were recorded. The JSON always has all of it."""
    row = db.execute("SELECT * FROM call WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise NotThereError(f"The archive has no call {number}; the ledger lists those that it has.")
    request, reply = _exchange(db, row["hit_of"] or number)
    facts = {name: value for name, value in dict(row).items() if name not in ("id", "key", "run_id")}
    return CallPage(
        call=number,
        longest=None if whole else SHOWN,
        run=row["run_id"],
        **facts,
        messages=[_message(each) for each in _messages(request)],
        settings=_json({name: value for name, value in request.items() if name != "messages"}),
        reply=_reply(reply) if reply else None,
        before=_beside(db, row, "< ? ORDER BY id DESC"),
        after=_beside(db, row, "> ? ORDER BY id"),
    )


def _beside(db: sqlite3.Connection, row: sqlite3.Row, step: str) -> int | None:
    """The next call of the same run, one way or the other; walked by number, so that it reads a few rows."""
    query = f"SELECT id FROM call WHERE +run_id = ? AND id {step} LIMIT 1"
    found = db.execute(query, (row["run_id"], row["id"])).fetchone()
    return found[0] if found is not None else None


def _exchange(db: sqlite3.Connection, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Request and reply; empty where they are not recorded."""
    row = db.execute("SELECT request, reply FROM exchange WHERE call_id = ?", (number,)).fetchone()
    if row is None:
        return {}, {}
    request, reply = unpack(row[0]), unpack(row[1])
    if not isinstance(request, dict) or not isinstance(reply, dict):
        raise ArchiveError(f"call {number} is not recorded as this version records one")
    return request, reply


def _messages(request: dict[str, Any]) -> list[dict[str, Any]]:
    found = request.get("messages")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _message(said: dict[str, Any]) -> Said:
    rest = {name: value for name, value in said.items() if name not in ("speaker", "text") and value}
    return Said(speaker=str(said.get("speaker", "")), text=str(said.get("text", "")), rest=_json(rest))


def _reply(said: dict[str, Any]) -> Said:
    """The text, or what was read out of it; of these two one says all."""
    rest = {name: value for name, value in said.items() if name not in ("text", "value", "kept", "usage") and value}
    value = said.get("value")
    text = _json(value) if value not in (None, {}) else str(said.get("text", ""))
    return Said(speaker="model", text=text, rest=_json(rest))


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) if value else ""
