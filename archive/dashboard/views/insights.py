"""What is known across runs, how it came to be known, and what people told the runs."""

from __future__ import annotations

from pydantic import BaseModel

from archive.dashboard.derivations import CannotShowError, Estimate, InsightLine
from archive.dashboard.listing import Kind, Listing
from archive.dashboard.pages import Asked, Db, Derived, Pages
from archive.dashboard.reading import NotThereError
from archive.dashboard.rows import column, flat, packed, table
from archive.database import ArchiveError

PAGES = Pages()

INSIGHTS = table(
    "insights",
    (
        column("number", "Insight", Kind.NUMBER, link="/insights/{number}"),
        column("state", "State", Kind.WORD, note="Those that were forgotten or merged keep their history."),
        column("kind", "Kind", Kind.WORD, note="Operator, building block, range or tactic; or a lesson in words."),
        column("subject", "What", link="/insights/{number}"),
        column("domain", "Domain"),
        column("stage", "Parents", Kind.WORD, note="Which parents it holds for: of the lower or the upper half."),
        column("gain", "Gain", Kind.SIGNED, has_interval=True, note="Beyond what changes usually do there."),
        column("designs", "Designs", Kind.NUMBER, note="Behind that gain."),
        column("runs", "Runs", Kind.NUMBER),
        column("uses", "Used", Kind.NUMBER, note="Designs that were made by it once it was told."),
        column("wins", "Did better", Kind.NUMBER, note="Of these, the ones that gained more than is usual."),
        column("credit", "Credit", Kind.SCORE, note="(did better + 1) / (used + 2)"),
    ),
)
HINTS = table(
    "hints",
    (
        column("hint", "Hint", Kind.NUMBER),
        column("run", "Run", Kind.NUMBER, link="/runs/{run}"),
        column("text", "What was said"),
        column("asked", "After requests", Kind.NUMBER),
        column("designs", "Designs", Kind.NUMBER, note="That were asked for with it."),
        column("gain", "Gain over their parents", Kind.SIGNED, has_interval=True, note="Over those designs."),
        column("created", "Time", Kind.TIME),
    ),
    sort="-hint",
    prefix="hint_",
)
EVIDENCE = table(
    "evidence",
    (
        column("run", "Run", Kind.NUMBER, link="/runs/{run}", note="None where it is of another archive."),
        column("source", "Key", note="Of the run, the same in whatever archive."),
        column("gain", "Gain", Kind.SIGNED, has_interval=True),
        column("designs", "Designs", Kind.NUMBER),
        column("uses", "Used", Kind.NUMBER),
        column("wins", "Did better", Kind.NUMBER),
    ),
    prefix="evidence_",
)
HISTORY = table(
    "history",
    (
        column("operation", "Operation", Kind.NUMBER),
        column("created", "Time", Kind.TIME),
        column("kind", "What", Kind.WORD),
        column("targets", "Done to"),
        column("author", "Author"),
        column("run", "Run", Kind.NUMBER, link="/runs/{run}"),
        column("told", "After scores", Kind.NUMBER),
        column("gain", "Gain then", Kind.SIGNED, has_interval=True),
        column("reason", "Reason"),
    ),
    sort="-operation",
    prefix="history_",
)
MADE = table(
    "made",
    (
        column("run", "Run", Kind.NUMBER, link="/runs/{run}"),
        column("request", "Request", Kind.NUMBER),
        column("design", "Design", Kind.NAME, link="/designs/{design}?run={run}"),
        column("parent", "Parent", Kind.NAME, link="/designs/{parent}?run={run}"),
        column("gain", "Gain over the parent", Kind.SIGNED),
    ),
    prefix="made_",
)


class InsightsPage(BaseModel):
    """Insights, and the hints of all runs."""

    known: int
    gone: int
    """Forgotten, or merged into others."""
    table: Listing
    hints: Listing


class InsightPage(BaseModel):
    """One insight with all that is behind it."""

    line: InsightLine
    seen_in: list[str]
    """The last designs that showed it."""
    run: int | None
    """A run that has these designs."""
    tasks: list[str]
    effect: Estimate | None
    """What designs gained over their parents that were asked for with it."""
    evidence: Listing
    history: Listing
    made: Listing


@PAGES.page("/insights", template="insights.html")
def insights(db: Db, asked: Asked, derived: Derived) -> InsightsPage:
    """What is known across runs, and what people told them, each with its effect."""
    try:
        known, hints = derived.insights(), derived.hints()
    except CannotShowError as error:
        raise ArchiveError(str(error)) from error
    rows = [{**line.model_dump(), "state": "known" if line.known else "gone"} for line in known]
    return InsightsPage(
        known=sum(line.known for line in known),
        gone=sum(not line.known for line in known),
        table=INSIGHTS.read(db, asked, rows=packed(rows)),
        hints=HINTS.read(db, asked, rows=packed(hint.model_dump() for hint in hints)),
    )


@PAGES.page("/insights/{number}", template="insight.html")
def insight(db: Db, asked: Asked, derived: Derived, number: int) -> InsightPage:
    """One insight: evidence by run, history of operations, and the designs that were asked for with it."""
    try:
        story = derived.insight(number)
    except CannotShowError as error:
        raise NotThereError(f"{error}.") from error
    evidence = [
        {**each.model_dump(exclude={"gain"}), **flat("gain", each.gain), "designs": each.gain.n if each.gain else 0}
        for each in story.evidence
    ]
    history = [
        {**each.model_dump(exclude={"gain"}), **flat("gain", each.gain), "targets": ", ".join(map(str, each.targets))}
        for each in story.history
    ]
    runs = [each.run for each in story.evidence if each.run is not None]
    return InsightPage(
        line=story.line,
        seen_in=story.seen_in,
        run=runs[-1] if runs else None,
        tasks=story.tasks,
        effect=story.effect,
        evidence=EVIDENCE.read(db, asked, rows=packed(evidence)),
        history=HISTORY.read(db, asked, rows=packed(history)),
        made=MADE.read(db, asked, rows=packed(each.model_dump() for each in story.made)),
    )
