"""What a run says about designs: whether one may enter it, what it scores, and the rows that keep both."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archive.store import Archive, event_row, pack
from archive.tables import Design, Evaluation, Member, Outcome, Request, State
from domains.base import Role
from evolve.errors import InputError
from evolve.evaluation import Need, Verdict, by_task, examine, score
from evolve.jobs import LiveJob
from evolve.statistics import estimate

if TYPE_CHECKING:
    from domains.base import TaskSpec
    from evolve.config import RunConfig
    from evolve.plan import Plan
    from evolve.proposers.base import Proposal
    from sandbox.source import SourceChecker

DESIGN_SEED = 0
"""Seed of every design's toolkit, so that a rebuilt design is the same."""


class Judge:
    """Enters designs into one run and evaluates them. All that it learns is committed before it goes on."""

    def __init__(
        self,
        archive: Archive,
        run_id: int,
        config: RunConfig,
        plan: Plan,
        checker: SourceChecker,
        note: Callable[[str], None],
        *,
        isolated: bool,
    ) -> None:
        self.archive = archive
        self.run_id = run_id
        self.config = config
        self.plan = plan
        self.checker = checker
        self.isolated = isolated
        """Whether untrusted code may run on this sitting's sandbox."""
        self.failures: dict[str, str] = {}
        """Why designs failed in this sitting, by id."""
        self._note = note

    def enter(
        self, proposal: Proposal, number: int, parents: Sequence[str], request: Request | None = None
    ) -> str | None:
        """Check a proposal and enter it into the run; None where the run has it. Raises `SourceRejected`.

        The request that it answers is answered in the same transaction, so that a killed run asks nothing twice.
        """
        if number:
            self.admit(proposal.origin)
        checked = self.checker.check(proposal.source)
        now = time.time()
        design = Design(
            id=checked.hash, source=proposal.source, summary=checked.summary, origin=proposal.origin, created=now
        )
        role = "candidate" if number else "baseline"
        member = Member(run_id=self.run_id, design_id=checked.hash, number=number, role=role, change=proposal.change)
        if request is not None:
            request.result = json.dumps({"design": checked.hash})
        is_new = self.archive.add_design(design, member, parents, request)
        return checked.hash if is_new or not number else None

    def admit(self, origin: str) -> None:
        """Refuse untrusted code on a sandbox that does not isolate; raises `InputError`."""
        if origin == "untrusted" and not self.isolated:
            raise InputError(
                "this design is untrusted code, and the sandbox would let it read and write your files; install docker"
                " or bubblewrap (`evolve doctor` says how), or give --allow-unsafe if you trust it"
            )

    def scores(self, design_id: str, role: Role) -> Mapping[str, float]:
        """A design's score by task from its latest evaluation; empty where it has none."""
        return by_task([(outcome.task_id, outcome.score) for outcome in self._outcomes(design_id, role)])

    def is_evaluated(self, design_id: str, role: Role, specs: Sequence[TaskSpec], repeats: int) -> bool:
        """Whether the latest evaluation of a design is one of just these episodes."""
        wanted = {(spec.id, repeat) for spec in specs for repeat in range(repeats)}
        return {(outcome.task_id, outcome.repeat) for outcome in self._outcomes(design_id, role)} == wanted

    def _outcomes(self, design_id: str, role: Role) -> Sequence[Outcome]:
        row = self.archive.evaluation(self.run_id, design_id, role)
        return self.archive.outcomes(row.id) if row is not None and row.id is not None else ()

    def judge(
        self, design_id: str, role: Role, specs: tuple[TaskSpec, ...], repeats: int
    ) -> Generator[Need, Any, Verdict | None]:
        """Evaluate a design and commit what comes of it; only evaluations for selection are arrows in its life."""
        selects = role is Role.DEPLOYMENT
        if selects:
            self.archive.add_event(self.run_id, design_id, State.SMOKE)
        job = self._job(design_id, specs, repeats)
        answers = yield from examine(job)
        if answers.failure:
            self.failures[design_id] = answers.failure
            if selects:
                self.archive.add_event(self.run_id, design_id, State.FAILED, answers.failure)
            self._note(f"design {short(design_id)} failed: {answers.failure.splitlines()[0]}")
            return None
        if selects:
            self.archive.add_event(self.run_id, design_id, State.FULL)
        verdict = yield from score(answers, self.plan, job)
        self._commit(design_id, role, verdict)
        self.failures.pop(design_id, None)
        return verdict

    def _job(self, design_id: str, specs: tuple[TaskSpec, ...], repeats: int) -> LiveJob:
        """All that an evaluation asks of a design."""
        return LiveJob(
            self.archive.exactly(design_id).source,
            DESIGN_SEED,
            specs,
            repeats,
            self.plan.first_seed,
            min(self.config.smoke, len(specs)),
            self.config.memory_budget,
            self.config.mode == "dynamic",
        )

    def _commit(self, design_id: str, role: Role, verdict: Verdict) -> None:
        total = estimate(list(verdict.by_task().values()))
        evaluation = Evaluation(
            run_id=self.run_id,
            design_id=design_id,
            role=role.value,
            score=total.mean,
            low=total.low,
            high=total.high,
            n=total.n,
            tokens=verdict.tokens,
            cut=verdict.cut,
            calls=verdict.calls,
            seconds=verdict.seconds,
            created=time.time(),
        )
        outcomes = [
            {
                "task_id": episode.task_id,
                "repeat": episode.repeat,
                "score": episode.score,
                "episode": episode.key,
                "told": episode.told,
                "tokens": episode.tokens,
            }
            for episode in verdict.episodes
        ]
        told = {key: pack(items) for key, items in verdict.told.items()}
        reason = f"{total.mean:.3f} on {total.n} tasks"
        event = event_row(self.run_id, design_id, State.EVALUATED, reason) if role is Role.DEPLOYMENT else None
        self.archive.add_evaluation(evaluation, outcomes, told, event)


def short(design_id: str) -> str:
    """The leading characters of a design's id, as people are shown it."""
    return design_id[:10]
