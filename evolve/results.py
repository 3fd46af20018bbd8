"""What a run has come to, read from the archive: its candidates and their scores by task, beside the baselines'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archive.tables import State

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Evaluation

Scores = Mapping[str, float]
"""By task."""
DEPLOYMENT = "deployment"


def candidates(archive: Archive, run_id: int, most: int | None = None) -> Sequence[Evaluation]:
    """The latest evaluation of each of a run's candidates that did not fail, best first; at most so many."""
    return archive.best(run_id, DEPLOYMENT, most)


def task_scores(archive: Archive, run_id: int, design: str, role: str = DEPLOYMENT) -> Scores:
    """A design's score by task; empty where it was not evaluated."""
    from evolve.evaluation import by_task

    row = archive.evaluation(run_id, design, role)
    if row is None or row.id is None:
        return {}
    return by_task([(outcome.task_id, outcome.score) for outcome in archive.outcomes(row.id)])


def baseline_scores(archive: Archive, run_id: int, role: str = DEPLOYMENT) -> dict[str, Scores]:
    """The baselines' scores by task, by their names; without those that are not evaluated yet."""
    found = {
        member.change: task_scores(archive, run_id, member.design_id, role) for member in archive.baselines(run_id)
    }
    return {name: scores for name, scores in found.items() if scores}


def answered(archive: Archive, run_id: int) -> int:
    """Requests that count towards a run's designs: all but those whose design was rejected for telling nothing new."""
    return archive.count_requests(run_id) - archive.count_states(run_id)[State.REJECTED]
