"""What a run's designs cost, which of them no other beat, and what was found wrong with some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, update
from sqlmodel import col, select

from archive.database import insert_new
from archive.store import Archive, Row, pack, unpack
from archive.tables import Diagnosis, Episode, Evaluation, Front, Outcome, Tactics, Told


class Measured(NamedTuple):
    """What an evaluation measured, its episodes counted."""

    design: str
    score: float
    tokens: float
    """Retrieved, an episode."""
    llm_tokens: int
    calls: int
    seconds: float
    cut: int
    evaluation: int
    episodes: int
    steps: float
    """Of the agent, an episode."""


class Delivered(NamedTuple):
    """One retrieval of an evaluation."""

    task: str
    told: list[Any]
    tokens: int
    failed: bool


def measured(archive: Archive, run_id: int, role: str, design: str | None = None) -> Iterator[Measured]:
    """The latest evaluation of each of a run's designs on a role's tasks, or of one design."""
    of_run = [col(Evaluation.run_id) == run_id, col(Evaluation.role) == role]
    if design is not None:
        of_run.append(col(Evaluation.design_id) == design)
    latest = select(func.max(Evaluation.id)).where(*of_run).group_by(col(Evaluation.design_id))
    costs = Evaluation.tokens, Evaluation.llm_tokens, Evaluation.calls, Evaluation.seconds, Evaluation.cut
    played = func.count(col(Outcome.task_id)), func.coalesce(func.avg(Episode.steps), 0.0)
    statement = (
        select(Evaluation.design_id, Evaluation.score, *costs, Evaluation.id, *played)  # type: ignore[call-overload]
        .outerjoin(Outcome, col(Outcome.evaluation_id) == Evaluation.id)
        .outerjoin(Episode, col(Episode.key) == Outcome.episode)
        .where(col(Evaluation.id).in_(latest))
        .group_by(col(Evaluation.id))
        .order_by(col(Evaluation.id))
    )
    with archive.columns() as connection:
        yield from (Measured(*row) for row in connection.execute(statement).all())


def delivered(archive: Archive, evaluation: int) -> list[Delivered]:
    """What an evaluation's retrievals told."""
    statement = (
        select(Outcome.task_id, Told.items, Outcome.tokens, Outcome.episode)
        .outerjoin(Told, col(Told.key) == Outcome.told)
        .where(Outcome.evaluation_id == evaluation)
        .order_by(col(Outcome.task_id), col(Outcome.repeat))
    )
    with archive.columns() as connection:
        found = connection.execute(statement).all()
    return [Delivered(task, unpack(items) if items else [], tokens, key is None) for task, items, tokens, key in found]


# The front


def front(archive: Archive, run_id: int) -> Sequence[Front]:
    """The designs that are on a run's front or were on it, in the order in which they came to it."""
    with archive.transaction() as session:
        return session.exec(select(Front).where(Front.run_id == run_id).order_by(col(Front.entered))).all()


def add_to_front(archive: Archive, row: Row, beaten: Iterable[str]) -> None:
    """Enter a design into its run's front, and take out those that it beats."""
    with archive.columns() as connection:
        insert_new(connection, Front, [row])
        mine = col(Front.run_id) == row["run_id"], col(Front.design_id).in_(list(beaten))
        connection.execute(update(Front).where(*mine).values(beaten=row["entered"]))


# Diagnoses, and what to try when nothing helps


def diagnosis(archive: Archive, run_id: int, design: str) -> dict[str, Any] | None:
    """What was found wrong with a design, if anybody looked."""
    with archive.transaction() as session:
        row = session.get(Diagnosis, (run_id, design))
        return unpack(row.profile) if row is not None else None


def tactics(archive: Archive, run_id: int, began: int) -> dict[str, str] | None:
    """What a model would try in a round that began after so many scores, by tactic; none where it was not asked."""
    with archive.transaction() as session:
        row = session.get(Tactics, (run_id, began))
        return unpack(row.notes) if row is not None else None


def add_diagnosis(archive: Archive, run_id: int, design: str, profile: dict[str, Any], created: float) -> None:
    """Commit what was found wrong with a design; what is known of it stays as it is."""
    row = {"profile": pack(profile), "author": profile["author"], "created": created}
    with archive.columns() as connection:
        insert_new(connection, Diagnosis, [{"run_id": run_id, "design_id": design, **row}])


def add_tactics(archive: Archive, run_id: int, began: int, notes: dict[str, str], author: str, created: float) -> None:
    """Commit what a model would try in a round; what is known of it stays as it is."""
    row = {"run_id": run_id, "began": began, "notes": pack(notes), "author": author, "created": created}
    with archive.columns() as connection:
        insert_new(connection, Tactics, [row])
