"""What a run has come to, read from the archive: its candidates and their scores by task, beside the baselines'."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from archive.tables import State
from evolve.statistics import Scores

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Evaluation

DEPLOYMENT = "deployment"


def candidates(archive: Archive, run_id: int, most: int | None = None) -> Sequence[Evaluation]:
    """The latest evaluation of each of a run's candidates that did not fail, best first; at most so many."""
    return archive.best(run_id, DEPLOYMENT, most)


def task_scores(archive: Archive, run_id: int, design: str, role: str = DEPLOYMENT) -> Scores:
    """A design's score by task, with its passes in dynamic mode; empty where it was not evaluated."""
    from evolve.evaluation import scores_of

    row = archive.evaluation(run_id, design, role)
    if row is None or row.id is None:
        return {}
    episodes = [(outcome.task_id, outcome.repeat, outcome.score) for outcome in archive.outcomes(row.id)]
    return scores_of(episodes, dynamic=json.loads(archive.run(run_id).config).get("mode") == "dynamic")


def baseline_scores(archive: Archive, run_id: int, role: str = DEPLOYMENT) -> dict[str, Scores]:
    """The baselines' scores by task, by their names; without those that are not evaluated yet."""
    found = {
        member.change: task_scores(archive, run_id, member.design_id, role) for member in archive.baselines(run_id)
    }
    return {name: scores for name, scores in found.items() if scores}


def answered(archive: Archive, run_id: int) -> int:
    """Requests that count towards a run's designs: all but those whose design was rejected for telling nothing new."""
    return archive.count_requests(run_id) - archive.count_states(run_id)[State.REJECTED]
