"""How busy the workers of a run were."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func
from sqlmodel import col, select

from archive.database import insert_new
from archive.store import Archive
from archive.tables import Utilisation


class Stretch(NamedTuple):
    """A stretch of a sitting; times in seconds, the latter two summed over workers."""

    began: float
    seconds: float
    busy: float
    available: float


def add_stretch(archive: Archive, run_id: int, stretch: Stretch) -> None:
    """Commit a stretch."""
    with archive.columns() as connection:
        insert_new(connection, Utilisation, [{"run_id": run_id, **stretch._asdict()}])


def utilisations(archive: Archive) -> dict[int, float]:
    """By run the share of its workers' time in which they had a job; runs of which that was not kept are missing."""
    share = func.sum(Utilisation.busy) / func.sum(Utilisation.available)
    with archive.columns() as connection:
        return dict(connection.execute(select(col(Utilisation.run_id), share).group_by(col(Utilisation.run_id))).all())
