"""Pieces of SQL that several pages share, so that all of them mean the same by a design's state or a run's best."""

from __future__ import annotations

import sqlite3

from archive.dashboard.pages import Estimated, Scores, Statistics
from archive.tables import SCORED

SCORED_STATES = ", ".join(f"'{state}'" for state in sorted(SCORED))
"""States of a design that was evaluated on all of its run's tasks, as an SQL list."""

STATE = (
    "(SELECT state FROM event WHERE event.run_id = member.run_id AND event.design_id = member.design_id"
    " ORDER BY event.id DESC LIMIT 1)"
)
"""The present state of a `member`."""

LATEST = (
    "(SELECT MAX(later.id) FROM evaluation AS later WHERE later.run_id = member.run_id"
    " AND later.design_id = member.design_id AND later.role = 'deployment')"
)
"""The latest evaluation of a `member` on the tasks that select."""


BASELINES = "(SELECT design_id FROM member WHERE run_id = :run AND number = 0)"
"""The baselines of the run `:run`."""

STATES = (
    "(SELECT design_id, state, MAX(id) FROM event"
    f" WHERE run_id = :run AND design_id NOT IN {BASELINES} GROUP BY design_id)"
)
"""The candidates of the run `:run` with their present states (SQLite takes the row that has the maximum)."""


def best_of(run: str) -> str:
    """The evaluation of a run's best design, as a scalar subquery; `run` is an expression for its number.

    As `archive.store.Archive.best`: the highest score of a candidate that has not failed since.
    """
    return (
        "(SELECT evaluation.id FROM evaluation"
        " JOIN member ON member.run_id = evaluation.run_id AND member.design_id = evaluation.design_id"
        f" WHERE evaluation.run_id = {run} AND evaluation.role = 'deployment' AND member.number > 0"
        f" AND {STATE} IN ({SCORED_STATES}) AND evaluation.id = {LATEST}"
        " ORDER BY evaluation.score DESC, member.number LIMIT 1)"
    )


def baseline_of(run: str, name: str = "no_memory", role: str = "deployment") -> str:
    """The latest evaluation of a run's baseline, as a scalar subquery.

    A CROSS JOIN is read in the order in which it is written: the few baselines first.
    """
    return (
        "(SELECT MAX(evaluation.id) FROM member CROSS JOIN evaluation ON evaluation.run_id = member.run_id"
        f" AND evaluation.design_id = member.design_id AND evaluation.role = '{role}'"
        f" WHERE member.run_id = {run} AND member.number = 0 AND member.change = '{name}')"
    )


def scores(db: sqlite3.Connection, tools: Statistics, evaluation: int, *, dynamic: bool) -> Scores:
    """The scores by task of an evaluation."""
    found = db.execute("SELECT task_id, repeat, score FROM outcome WHERE evaluation_id = ?", (evaluation,))
    return tools.scores_of([(row[0], row[1], row[2]) for row in found], dynamic=dynamic)


def gain(
    db: sqlite3.Connection, tools: Statistics, ours: int | None, theirs: int | None, *, dynamic: bool
) -> Estimated | None:
    """The paired difference of two evaluations, where both exist and share tasks."""
    if ours is None or theirs is None:
        return None
    mine, other = (scores(db, tools, each, dynamic=dynamic) for each in (ours, theirs))
    return tools.paired(mine, other) if mine.keys() & other.keys() else None
