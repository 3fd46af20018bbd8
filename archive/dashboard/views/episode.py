"""One episode: what was told in it, what was done, and the same task and agent seed without memory beside it."""

from __future__ import annotations

import json
import sqlite3
import zlib
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field

from archive.dashboard.pages import Db, Pages
from archive.dashboard.reading import NotThereError
from archive.dashboard.trajectories import Play, Recall, played, recalls
from archive.database import ArchiveError, unpack
from archive.told import unpack_told
from sandbox.guest import Trajectory, frames

PAGES = Pages()

SHOWN = ("deployment", "deployment:again", "reflection")
"""Roles whose tasks a search plays; what was told in others, which confirm and test, is not shown."""
Key = Annotated[str, Field(pattern="^[0-9a-fA-F]{2,64}$")]


class Episode(BaseModel):
    """An episode as it was scored, and every step of it where they were kept."""

    key: str
    task: str
    seed: int
    """Of the agent."""
    score: float
    success: bool
    steps: int
    tokens_in: int | None
    tokens_out: int | None
    dollars: float | None
    play: Play | None


class Place(BaseModel):
    """Where a run has an episode."""

    run: int
    design: str
    number: int
    role: str
    repeat: int
    tokens: int
    """Of what was told."""


class EpisodePage(BaseModel):
    """An episode, and the one without memory that it is to be compared with."""

    episode: Episode
    place: Place | None
    """Of the design whose episode it is looked at as; equal episodes are played once for all of them."""
    told: list[Recall] | None
    """What the design told; none where no design was named, or where its tasks are to stay unseen."""
    without: Episode | None
    """The same task and seed, played without memory."""
    without_design: str | None
    is_without: bool
    """Whether this is an episode without memory itself."""


class _Outcome(NamedTuple):
    place: Place
    told: bytes


@PAGES.page("/episodes/{key}", "episode.html")
def episode(
    db: Db, key: Key, run: int | None = None, design: Annotated[str | None, Field(max_length=80)] = None
) -> EpisodePage:
    """An episode by its key; with a run and a design also what that told, and the same episode without memory."""
    shown = _episode(db, bytes.fromhex(key) if len(key) % 2 == 0 else b"")
    if shown is None:
        raise NotThereError(f"The archive has no episode {key[:16]}.")
    outcome = _outcome(db, shown, run, design) if run is not None and design is not None else None
    place = outcome.place if outcome is not None else None
    without_design, without = _without(db, shown, place) if place is not None else (None, None)
    is_without = place is not None and place.design == without_design
    return EpisodePage(
        episode=shown,
        place=place,
        told=_told(db, outcome.told) if outcome is not None and outcome.place.role in SHOWN else None,
        without=None if without is None or is_without else _episode(db, without),
        without_design=without_design,
        is_without=is_without or (shown.play is not None and not shown.play.retrieved and place is None),
    )


def _episode(db: sqlite3.Connection, key: bytes) -> Episode | None:
    query = """
        SELECT lower(hex(e.key)) AS key, e.task_id AS task, e.seed, e.score, e.success, e.steps, e.tokens_in,
            e.tokens_out, e.dollars, r.trajectory
        FROM episode e LEFT JOIN recording r ON r.key = e.key WHERE e.key = ?"""
    if (row := db.execute(query, (key,)).fetchone()) is None:
        return None
    columns = dict(row)
    recorded = columns.pop("trajectory")
    return Episode(**columns, play=_play(recorded) if recorded is not None else None)


def _play(packed: bytes) -> Play:
    try:
        return played(frames.unpack(Trajectory, json.loads(zlib.decompress(packed))))
    except (frames.FrameError, zlib.error, ValueError) as error:
        raise ArchiveError(f"a recorded episode cannot be read ({error}); `evolve doctor ARCHIVE` says more") from error


def _outcome(db: sqlite3.Connection, shown: Episode, run: int, design: str) -> _Outcome:
    """As what a design of a run has an episode. Raises `NotThereError`."""
    query = """
        SELECT v.design_id AS design, v.role, o.repeat, o.tokens, o.told, m.number FROM evaluation v
        JOIN outcome o ON o.evaluation_id = v.id AND o.task_id = ? AND o.episode = ?
        JOIN member m ON m.run_id = v.run_id AND m.design_id = v.design_id
        WHERE v.run_id = ? AND v.design_id >= ? AND v.design_id < ? ORDER BY v.id DESC LIMIT 1"""
    given = shown.task, bytes.fromhex(shown.key), run, design, design + "\U0010ffff"
    if (row := db.execute(query, given).fetchone()) is None:
        raise NotThereError(f"Design {design[:10]} of run {run} has no episode {shown.key[:16]}.")
    names = ("design", "number", "role", "repeat", "tokens")
    return _Outcome(Place(run=run, **{name: row[name] for name in names}), row["told"])


def _told(db: sqlite3.Connection, key: bytes) -> list[Recall]:
    row = db.execute("SELECT items FROM told WHERE key = ?", (key,)).fetchone()
    return recalls(unpack_told(unpack(row["items"]))) if row is not None else []


def _without(db: sqlite3.Connection, shown: Episode, place: Place) -> tuple[str | None, bytes | None]:
    """The design that stands for no memory in a run, and the key of its episode of the same task and seed."""
    query = "SELECT design_id FROM member WHERE run_id = ? AND number = 0 AND change = 'no_memory'"
    if (row := db.execute(query, (place.run,)).fetchone()) is None:
        return None, None
    design = str(row["design_id"])
    query = """
        SELECT o.episode FROM evaluation v JOIN outcome o ON o.evaluation_id = v.id AND o.task_id = ? AND o.repeat = ?
        JOIN episode e ON e.key = o.episode AND e.seed = ?
        WHERE v.run_id = ? AND v.design_id = ? AND v.role IN (?, 'deployment') ORDER BY v.role = ? DESC, v.id DESC"""
    given = shown.task, place.repeat, shown.seed, place.run, design, place.role, place.role
    found = db.execute(query, given).fetchone()
    return design, found["episode"] if found is not None else None
