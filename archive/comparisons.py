"""The comparisons of a run's designs with the parents that they were asked of, in the order in which they were told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import col, select

from archive.database import insert_new
from archive.store import Archive, Row, unpack
from archive.tables import Comparison

DECIDED = {
    "measured": "by their scores, which differ for certain",
    "criteria": "by what was measured of both, for their scores do not differ for certain",
    "judge": "by a model, for their scores do not differ for certain",
}
"""What decided a comparison, in words."""


def comparisons(archive: Archive, run_id: int) -> Sequence[Comparison]:
    """All of a run, in the order in which its designs were told of."""
    with archive.transaction() as session:
        mine = select(Comparison).where(Comparison.run_id == run_id)
        return session.exec(mine.order_by(col(Comparison.told))).all()


def order_of_telling(archive: Archive, run_id: int) -> dict[str, int]:
    """Place of each design that was told of, where the run compares; else empty."""
    kept = select(Comparison.design_id, Comparison.told).where(Comparison.run_id == run_id)
    with archive.columns() as connection:
        return {row.design_id: row.told for row in connection.execute(kept)}


def comparison(archive: Archive, run_id: int, design: str) -> Comparison | None:
    """That of one design."""
    with archive.transaction() as session:
        return session.get(Comparison, (run_id, design))


def add_comparison(archive: Archive, row: Row) -> None:
    """Commit one; what is known of a design stays as it is."""
    with archive.columns() as connection:
        insert_new(connection, Comparison, [row])


def details(row: Comparison) -> dict[str, Any]:
    """What it holds beside its columns."""
    found: dict[str, Any] = unpack(row.details)
    return found
