"""The small rung: a design first plays some of the tasks, and is dropped where it is surely worse than its parent."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from archive.tables import State
from domains.base import Role
from evolve.evaluation import Need, Verdict, part, score
from evolve.judging import Judge, Trial
from evolve.results import baseline_scores, candidates, task_scores
from evolve.statistics import Scores, upper_bound

if TYPE_CHECKING:
    from archive.store import Archive
    from domains.base import TaskSpec
    from evolve.config import RunConfig
    from evolve.jobs import Built, LiveJob

AUDITED = 0.1
"""Share of the would-be drops that go on."""


class Step(NamedTuple):
    """Where a design goes from the small rung, and what it came to there."""

    state: State
    """`FULL`, `DROPPED` or `AUDITED`."""
    reason: str
    verdict: Verdict


class SmallRung:
    """Plays a fixed part of a run's tasks and decides on their paired differences.

    A design is dropped when the one-sided 90 % upper bound of its mean difference to its first parent lies under the
    margin. With which episodes of the parent is it compared? Those on which it was evaluated also selected it: of many
    noisy scores the lucky ones become parents, and a child that is just as good would look worse. So the parent plays
    the tasks once more, in repeats of their own that select nothing; all its children share them. What the child
    played counts towards its full evaluation; had it to play the parent's new repeats too, for the sake of common
    agent seeds, every suspect would cost twice, and the seeds of a parent and its child have little in common: on
    `textworld:cooking` (1,042 pairs of episodes told differently) the variance of a difference within a task is .0135
    with equal seeds and .0148 with others.

    The parent plays only for a suspect: a child under the margin even by the known episodes, which favour the parent.
    To drop takes both bounds, so that a child as good as its parent is dropped at most as often as the second alone is
    wrong, and most parents never play again.

    A design without a parent is compared with no memory on the same repeats: that was never selected, so its episodes
    are as good as new, cost nothing and share their seeds; a design that is worse than nothing is nobody's best.

    Designs that are asked at each step, and those of dynamic mode, play beside their guest in one go: they have no
    small rung. A decision depends on the design, its parent, their episodes and the number of the request, on nothing
    that others do meanwhile.
    """

    def __init__(self, judge: Judge, specs: tuple[TaskSpec, ...], margin: float, repeats: int, without: Scores) -> None:
        self.judge = judge
        self.specs = specs
        self.margin = margin
        self.again = Trial(Role.DEPLOYMENT, specs, repeats, first_repeat=repeats)
        """What parents play to be compared with."""
        self.without = without
        """Scores by task without memory."""

    def climb(self, built: Built, job: LiveJob, parent: str | None, *, audit: bool) -> Generator[Need, Any, Step]:
        """Have a design play the small tasks, and decide; an `audit` lets it go on where it would be dropped."""
        tasks = {spec.id for spec in self.specs}
        verdict = yield from score(part(built, tasks), self.judge.plan, replace(job, specs=self.specs))
        rival = "its parent" if parent is not None else "no memory"
        theirs = self.judge.scores(parent, Role.DEPLOYMENT) if parent is not None else self.without
        differences = _differences(verdict, theirs)
        if parent is not None and upper_bound(differences) < self.margin:
            fresh = yield from self._fresh(parent)
            rival += " playing again"
            differences = _differences(verdict, fresh)
        if not differences:
            return Step(State.FULL, "its parent could not play again", verdict)
        bound = upper_bound(differences)
        reason = f"{fmean(differences):+.3f} (at most {bound:+.3f}) against {rival} on {len(differences)} tasks"
        if bound >= self.margin:
            return Step(State.FULL, reason, verdict)
        if audit:
            return Step(State.AUDITED, f"would be dropped: {reason}", verdict)
        return Step(State.DROPPED, reason, verdict)

    def _fresh(self, parent: str) -> Generator[Need, Any, Scores]:
        """The parent's scores in repeats that selected nothing, played where they are not known; empty if it failed."""
        trial = self.again
        if not self.judge.is_evaluated(parent, trial):
            yield from self.judge.judge(parent, trial)
        return self.judge.scores(parent, trial.name)


def _differences(verdict: Verdict, theirs: Scores) -> list[float]:
    return [ours - theirs[task] for task, ours in verdict.by_task().items() if task in theirs]


def small_rung(config: RunConfig, judge: Judge, specs: tuple[TaskSpec, ...], without: Scores) -> SmallRung | None:
    """The small rung of a run, its tasks drawn by the seed from those that score designs; none where it is off."""
    if not 0 < config.small < len(specs) or config.mode == "dynamic":
        return None
    return SmallRung(judge, small_tasks(config.seed, specs, config.small), config.drop_margin, config.repeats, without)


def small_tasks(seed: int, specs: tuple[TaskSpec, ...], count: int) -> tuple[TaskSpec, ...]:
    """The tasks of a run's small rung, drawn by its seed."""
    import numpy as np

    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(Role),)))
    return tuple(specs[i] for i in sorted(rng.permutation(len(specs))[:count]))


@dataclass(frozen=True, slots=True)
class Audit:
    """What became of the would-be drops of a run that went on."""

    audited: int = 0
    better: int = 0
    """Those that ended above what they were compared with, on all tasks; a parent's own score there is a lucky one."""
    among_best: int = 0
    """Those that ended among the run's best, as many as it has finalists."""


def audit(archive: Archive, run_id: int, best: int) -> Audit:
    """Read from the archive what dropping would have cost."""
    audited = archive.reached(run_id, State.AUDITED)
    if not audited:
        return Audit()
    without = baseline_scores(archive, run_id)["no_memory"]
    better = 0
    for design in audited:
        parents = archive.parents_of(run_id, design)[:1]
        ours = task_scores(archive, run_id, design)
        theirs = task_scores(archive, run_id, parents[0]) if parents else without
        better += sum(ours[task] - theirs[task] for task in ours.keys() & theirs.keys()) > 0
    among_best = set(audited) & {row.design_id for row in candidates(archive, run_id, max(1, best))}
    return Audit(len(audited), better, len(among_best))
