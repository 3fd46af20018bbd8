"""What a run has come to, read from the archive: its candidates and their scores by task, beside the baselines'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archive.tables import SCORED, State

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Evaluation

Scores = Mapping[str, float]
"""By task."""
DEPLOYMENT = "deployment"


def candidates(archive: Archive, run_id: int) -> list[Evaluation]:
    """The latest evaluation of each of a run's candidates that did not fail, best first."""
    numbers = {member.design_id: member.number for member in archive.members(run_id)}
    scored = {design for design, (state, _) in archive.states(run_id).items() if state in SCORED}
    rows = archive.evaluations(run_id, DEPLOYMENT)
    latest = {row.design_id: row for row in rows if numbers[row.design_id] and row.design_id in scored}
    return sorted(latest.values(), key=lambda row: (-row.score, row.id))


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
        member.change: task_scores(archive, run_id, member.design_id, role)
        for member in archive.members(run_id)
        if member.role == "baseline"
    }
    return {name: scores for name, scores in found.items() if scores}


def answered(archive: Archive, run_id: int) -> int:
    """Requests that count towards a run's designs: all but those whose design was rejected for telling nothing new."""
    rejected = sum(state is State.REJECTED for state, _ in archive.states(run_id).values())
    return len(archive.requests(run_id)) - rejected
