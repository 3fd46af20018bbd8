"""What is known across runs, as operations that nothing overwrites; and what people told a run."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import func
from sqlmodel import col, select

from archive.database import insert_new
from archive.store import Archive, Row
from archive.tables import Hint, Operation, Request


def operations(archive: Archive, until: int | None = None) -> Sequence[Operation]:
    """All of them, the oldest first; those up to one."""
    statement = select(Operation).order_by(col(Operation.id))
    if until is not None:
        statement = statement.where(col(Operation.id) <= until)
    with archive.transaction() as session:
        return session.exec(statement).all()


def last_operation(archive: Archive) -> int:
    """The number of the newest one; 0 where there is none."""
    with archive.columns() as connection:
        return connection.execute(select(func.max(Operation.id))).scalar_one() or 0


def add_operations(archive: Archive, rows: Sequence[Row]) -> None:
    """Commit some, all or none. Their numbers are given, for later ones of them may be done to insights of earlier."""
    with archive.columns() as connection:
        insert_new(connection, Operation, rows)


def hints(archive: Archive, run_id: int) -> list[tuple[int, str, int]]:
    """A run's hints as number, text, and how many requests it had made, the oldest first."""
    kept = select(Hint.id, Hint.text, Hint.asked).where(Hint.run_id == run_id).order_by(col(Hint.id))
    with archive.columns() as connection:
        return [(number or 0, text, asked) for number, text, asked in connection.execute(kept)]


def all_hints(archive: Archive) -> Sequence[Hint]:
    """Those of all runs, the oldest first."""
    with archive.transaction() as session:
        return session.exec(select(Hint).order_by(col(Hint.id))).all()


def add_hint(archive: Archive, run_id: int, text: str) -> int:
    """Commit one, and return its number."""
    hint = Hint(run_id=run_id, text=text, asked=archive.count_requests(run_id), created=time.time())
    with archive.transaction() as session:
        session.add(hint)
        session.flush()
        return hint.id or 0


def sourced(archive: Archive, source: str, run_id: int | None = None) -> list[tuple[int, int, str, str]]:
    """Run, number, payload and result of the answered requests that were told of a source such as `hint 3`."""
    kept = select(Request.run_id, Request.number, Request.payload, Request.result)
    kept = kept.where(func.instr(Request.payload, f'"{source}"') > 0, col(Request.result).is_not(None))
    if run_id is not None:
        kept = kept.where(Request.run_id == run_id)
    with archive.columns() as connection:
        found = connection.execute(kept.order_by(col(Request.run_id), col(Request.number)))
        return [(run, number, payload, result) for run, number, payload, result in found]
