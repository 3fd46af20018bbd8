"""All designs of a run, as a table."""

from __future__ import annotations

import sqlite3

from pydantic import BaseModel

from archive.dashboard.listing import Column, Kind, Listing, Table
from archive.dashboard.pages import Asked, Db, Pages
from archive.dashboard.queries import LATEST, baseline_of
from archive.dashboard.reading import run_row

PAGES = Pages()

PARENT = (
    "(SELECT parent_id FROM parent WHERE parent.run_id = member.run_id AND parent.design_id = member.design_id"
    " AND position = {})"
)
NEWEST = "(SELECT MAX(id) FROM event WHERE event.run_id = member.run_id AND event.design_id = member.design_id)"
DESIGN = "/designs/{design}?run={run}"

DESIGNS = Table(
    name="designs",
    columns=(
        Column("run", "Run", "member.run_id", Kind.NUMBER, hidden=True, filterable=False),
        Column("number", "#", "member.number", Kind.NUMBER, DESIGN, nullable=False, note="In the order of proposal."),
        Column("design", "Design", "member.design_id", Kind.NAME, DESIGN, nullable=False),
        Column("state", "State", "newest.state", Kind.WORD),
        Column(
            "score", "Score", "scored.score", Kind.SCORE, low="scored.low", high="scored.high", note="Mean over tasks."
        ),
        Column(
            "gain",
            "Gain",
            "CASE WHEN scored.n = :tasks THEN scored.score - :without END",
            Kind.SIGNED,
            note="Over no memory, where all of the run's tasks were played.",
        ),
        Column("tokens", "Tokens", "scored.tokens", Kind.NUMBER, note="Retrieved in an episode."),
        Column("calls", "Calls", "scored.calls", Kind.NUMBER, note="Of the toolkit's models, by the design itself."),
        Column("parent", "Parent", PARENT.format(0), Kind.NAME, "/designs/{parent}?run={run}"),
        Column("donor", "Donor", PARENT.format(1), Kind.NAME, "/designs/{donor}?run={run}", note="Its second parent."),
        Column("change", "Change", "member.change", Kind.TEXT, sortable=False, note="What was done to make it."),
        Column("summary", "Made of", "design.summary", Kind.TEXT, sortable=False),
    ),
    source=f"""
        member JOIN design ON design.id = member.design_id
        LEFT JOIN event AS newest ON newest.id = {NEWEST}
        LEFT JOIN evaluation AS scored ON scored.id = {LATEST}""",
    id="member.run_id, member.design_id",
    where="member.run_id = :run",
    sort="-score",
)


class DesignsPage(BaseModel):
    """A run's designs."""

    run: int
    table: Listing


def without_memory(db: sqlite3.Connection, run: int) -> tuple[float | None, int | None]:
    """The score of playing without memory, and the number of tasks or passes behind it."""
    row = db.execute(f"SELECT score, n FROM evaluation WHERE id = {baseline_of('?')}", (run,)).fetchone()
    return (row["score"], row["n"]) if row is not None else (None, None)


@PAGES.page("/runs/{run}/designs", "designs.html")
def designs(db: Db, run: int, asked: Asked) -> DesignsPage:
    """The designs of a run with state, score, gain over no memory, tokens, parents and what was changed."""
    run_row(db, run)
    score, tasks = without_memory(db, run)
    return DesignsPage(run=run, table=DESIGNS.read(db, asked, run=run, without=score, tasks=tasks))
