"""Episodes that a proposer reflects on: whole ones of a design, on tasks that never select. They are paid once."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archive.told import unpack_told
from evolve.evaluation import Episodes, Need, examine, score
from evolve.jobs import Built
from sandbox.guest import Retrieved, Trajectory, frames

if TYPE_CHECKING:
    from evolve.judging import Judge, Trial


@dataclass(frozen=True, slots=True)
class Seen:
    """One whole episode, with what the agent was told in it and when."""

    task: str
    score: float
    told: Sequence[Retrieved]
    trajectory: Trajectory


def episodes(judge: Judge, design: str, trial: Trial) -> Generator[Need, Any, Sequence[Seen]]:
    """Whole episodes of a design on a trial's tasks, in their order; none where it fails there."""
    tasks = [spec.id for spec in trial.specs]
    if len(known := recorded(judge, design, trial)) == len(tasks):
        return [known[task] for task in tasks]
    for job in judge.jobs(design, trial):
        job = replace(job, record=True, check_purity=False)
        answers = yield from examine(job)
        if answers.failure:
            return []
        if isinstance(answers, Built):
            orders = [
                judge.plan.order(spec, repeat, delivery.items, answers.instructions)
                for spec, delivery in zip(job.specs, answers.deliveries, strict=True)
                for repeat in job.rounds
                if not delivery.fault
            ]
            there = judge.archive.recordings([order.key for order in orders])
            yield Episodes([order for order in orders if order.key not in there], record=True)
        judge.keep(design, trial, (yield from score(answers, judge.plan, job)))
    known = recorded(judge, design, trial)
    return [known[task] for task in tasks if task in known]


def recorded(judge: Judge, design: str, trial: Trial) -> Mapping[str, Seen]:
    """Those of the episodes that the archive holds, by task."""
    archive, wanted = judge.archive, {spec.id for spec in trial.specs}
    rows = [
        outcome
        for row in archive.evaluations_of(judge.run_id, design, trial.name)
        for outcome in archive.outcomes(row)
        if outcome.task_id in wanted and outcome.episode is not None
    ]
    keys = [outcome.episode for outcome in rows if outcome.episode is not None]
    recordings = archive.recordings(keys)
    found = {}
    for row in rows:
        if row.episode in recordings:
            trajectory = frames.unpack(Trajectory, recordings[row.episode])
            found[row.task_id] = Seen(row.task_id, row.score, unpack_told(archive.told(row.told)), trajectory)
    return found
