"""What a run came to, as rows to read through: its designs in a line each, who holds a text, what was recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func
from sqlmodel import and_, col, select

from archive.store import Archive, unpack
from archive.tables import (
    SCORED,
    Call,
    Design,
    Evaluation,
    Event,
    Hint,
    Look,
    Member,
    Operation,
    Outcome,
    Recording,
)

PART = 500
"""Keys that one statement asks for."""


class Listed(NamedTuple):
    """A design's place in a run, its state and its latest score on a role's tasks, if it has one."""

    design: str
    number: int
    change: str
    origin: str
    summary: str
    state: str
    reason: str
    score: float | None
    low: float | None
    high: float | None
    n: int | None
    tokens: float | None

    @property
    def is_scored(self) -> bool:
        """Whether it was evaluated on all tasks and did not fail since."""
        return self.score is not None and self.state in SCORED


class Recorded(NamedTuple):
    """An episode of a design whose trajectory was kept."""

    design: str
    task: str
    repeat: int
    score: float
    key: bytes


def listing(archive: Archive, run_id: int, role: str, designs: Collection[str] | None = None) -> list[Listed]:
    """A run's designs in the order of proposal, baselines first, with their scores on a role's tasks: all, or some."""

    def some(column: Any) -> list[Any]:
        return [] if designs is None else [col(column).in_(designs)]

    of_run = Event.run_id == run_id, *some(Event.design_id)
    newest = select(func.max(Event.id)).where(*of_run).group_by(col(Event.design_id))
    asked = Evaluation.run_id == run_id, Evaluation.role == role, *some(Evaluation.design_id)
    latest = select(func.max(Evaluation.id)).where(*asked).group_by(col(Evaluation.design_id))
    of_score = Evaluation.score, Evaluation.low, Evaluation.high, Evaluation.n, Evaluation.tokens
    of_member = Member.design_id, Member.number, Member.change, Design.origin, Design.summary
    members = (
        select(*of_member)  # type: ignore[call-overload]  # not so many by name
        .join(Design, col(Design.id) == Member.design_id)
        .where(Member.run_id == run_id, *some(Member.design_id))
        .order_by(col(Member.number), col(Member.change))
    )
    events = select(Event.design_id, Event.state, Event.reason).where(col(Event.id).in_(newest))
    evaluations = select(Evaluation.design_id, *of_score).where(col(Evaluation.id).in_(latest))  # type: ignore[call-overload]
    with archive.columns() as connection:  # three readings: SQLite would join them one design at a time
        states = {design: told for design, *told in connection.execute(events)}
        scores = {design: score for design, *score in connection.execute(evaluations)}
        rows = list(connection.execute(members))
    none = [None] * len(of_score)
    return [Listed(*row, *states.get(row[0], ("", "")), *scores.get(row[0], none)) for row in rows]


def last_numbers(archive: Archive) -> tuple[int, ...]:
    """Of the rows that are only ever added: where they are the same, so is what was computed of them."""
    growing = Event, Evaluation, Call, Operation, Hint, Look
    newest = [select(func.coalesce(func.max(table.id), 0)).scalar_subquery() for table in growing]
    with archive.columns() as connection:
        return tuple(connection.execute(select(*newest)).one())


def looks(archive: Archive, run_id: int) -> Sequence[Look]:
    """The looks at the test tasks for a run, the first one first."""
    with archive.transaction() as session:
        return session.exec(select(Look).where(Look.run_id == run_id).order_by(col(Look.id))).all()


def beginning(archive: Archive, run_id: int, prefix: str) -> list[str]:
    """The designs of a run whose ids begin like this; two stand for more."""
    alike = col(Member.design_id) >= prefix, col(Member.design_id) < prefix + "\U0010ffff"
    with archive.columns() as connection:
        found = connection.execute(select(Member.design_id).where(Member.run_id == run_id, *alike).limit(2))
        return [design for (design,) in found]


def sources(archive: Archive, run_id: int) -> Iterator[tuple[str, str]]:
    """Pairs of id and source of a run's designs, in the order of proposal."""
    statement = (
        select(Design.id, Design.source)
        .join(Member, and_(col(Member.design_id) == Design.id, col(Member.run_id) == run_id))
        .order_by(col(Member.number), col(Member.change))
    )
    with archive.columns() as connection:
        yield from ((design, source) for design, source in connection.execute(statement))


def recorded(archive: Archive, run_id: int, role: str, designs: Collection[str] | None = None) -> list[Recorded]:
    """The recorded episodes of a run's designs on a role's tasks, of all of them or of some; the oldest first."""
    of_episode = Outcome.task_id, Outcome.repeat, Outcome.score, Outcome.episode
    statement = (
        select(Evaluation.design_id, *of_episode)  # type: ignore[call-overload]  # not so many by name
        .join(Outcome, col(Outcome.evaluation_id) == Evaluation.id)
        .join(Recording, col(Recording.key) == Outcome.episode)
        .where(Evaluation.run_id == run_id, Evaluation.role == role)
        .order_by(col(Evaluation.id), col(Outcome.task_id), col(Outcome.repeat))
    )
    if designs is not None:
        statement = statement.where(col(Evaluation.design_id).in_(designs))
    with archive.columns() as connection:
        found = [Recorded(*row) for row in connection.execute(statement)]
    return list({(each.design, each.task, each.repeat, each.key): each for each in found}.values())


def trajectories(archive: Archive, keys: Sequence[bytes]) -> Iterator[tuple[bytes, Any]]:
    """Those of the trajectories that are kept, as pairs of key and JSON value, in the order of the keys."""
    for start in range(0, len(keys), PART):
        part = keys[start : start + PART]
        with archive.columns() as connection:
            found = connection.execute(select(Recording.key, Recording.trajectory).where(col(Recording.key).in_(part)))
            packed: dict[bytes, bytes] = {key: trajectory for key, trajectory in found}  # noqa: C416  rows are no pairs
        yield from ((key, unpack(packed[key])) for key in part if key in packed)
