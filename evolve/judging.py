"""What a run says about designs: whether one may enter it, what it scores, and the rows that keep both."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from archive.store import Archive, event_row, pack
from archive.tables import Design, Evaluation, Member, Outcome, Request, State
from domains.base import Role
from evolve.errors import UntrustedError
from evolve.evaluation import Need, Verdict, examine, merged, score, scores_of, signature
from evolve.jobs import Built, LiveJob, Recipe
from evolve.statistics import Passes, Scores, mean

if TYPE_CHECKING:
    from domains.base import TaskSpec
    from evolve.config import RunConfig
    from evolve.plan import Plan
    from evolve.proposers.base import Proposal
    from evolve.rungs import Step
    from sandbox.source import Checked, SourceChecker

DESIGN_SEED = 0
"""Seed of every design's toolkit, so that a rebuilt design is the same."""

REMEMBERED = 300
"""Designs of which a sitting keeps what the checker said, the last ones that were asked about."""
NO_LLM = "no-llm variant"
"""What a design is that would ask a language model, in a run that has none."""
SAMPLED = 10
"""One design in so many is checked for purity during the search; finalists all are."""

Control = Literal["", "blank", "shuffled"]
Climb = Callable[[Built, LiveJob], Generator[Need, Any, "Step"]]
"""Plays a part of a trial, and decides whether the rest of it is worth playing."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What an evaluation is to play. A control says what fills the memory in place of the collected episodes.

    `blank`: nothing, so that what is told was written into the code. `shuffled`: another family's episodes, so that
    what is told was learned, but not from tasks like these.
    """

    role: Role
    specs: tuple[TaskSpec, ...]
    repeats: int
    control: Control = ""
    first_repeat: int = 0
    """Later ones play again what was played for selection, with other seeds."""

    @property
    def name(self) -> str:
        """The role of its row in the archive."""
        kind = "again" if self.first_repeat else self.control
        return f"{self.role}:{kind}" if kind else str(self.role)

    @property
    def selects(self) -> bool:
        """Whether it scores designs for selection, and so is part of their lives."""
        return self.name == Role.DEPLOYMENT

    @property
    def episodes(self) -> set[tuple[str, int]]:
        """Its tasks, each with the number of the repeat."""
        rounds = range(self.first_repeat, self.first_repeat + self.repeats)
        return {(spec.id, repeat) for spec in self.specs for repeat in rounds}


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
        self._checked: dict[str, Checked] = {}
        """What was checked last, the oldest first."""

    def enter(
        self,
        proposal: Proposal,
        number: int,
        parents: Sequence[str],
        request: Request | None = None,
        checked: Checked | None = None,
        role: str = "",
    ) -> str | None:
        """Check a proposal and enter it into the run; None where the run has it. Raises `SourceRejected`.

        The request that it answers is answered in the same transaction, so that a killed run asks nothing twice.
        """
        if number:
            self.admit(proposal.origin)
        checked = checked or self.check(proposal.source)
        now = time.time()
        design = Design(
            id=checked.hash, source=proposal.source, summary=checked.summary, origin=proposal.origin, created=now
        )
        role = role or ("candidate" if number else "baseline")
        member = Member(run_id=self.run_id, design_id=checked.hash, number=number, role=role, change=proposal.change)
        if request is not None:
            request.result = json.dumps({"design": checked.hash})
        is_new = self.archive.add_design(design, member, parents, request)
        return checked.hash if is_new or not number else None

    def check(self, source: str) -> Checked:
        """What the checker says of a source; raises `SourceRejected`."""
        return self._remember(self.checker.check(source))

    def checked(self, design: Design) -> Checked:
        """What the checker says of a design of the archive; it is asked again only after a while."""
        known = self._checked.get(design.id)
        return self._remember(known) if known is not None else self.check(design.source)

    def _remember(self, checked: Checked) -> Checked:
        self._checked.pop(checked.hash, None)
        self._checked[checked.hash] = checked
        if len(self._checked) > REMEMBERED:
            del self._checked[next(iter(self._checked))]
        return checked

    def admit(self, origin: str) -> None:
        """Refuse untrusted code on a sandbox that does not isolate; raises `UntrustedError`."""
        if origin == "untrusted" and not self.isolated:
            raise UntrustedError

    def scores(self, design_id: str, role: str) -> Scores:
        """A design's score by task from its latest evaluation; empty where it has none."""
        episodes = [(outcome.task_id, outcome.repeat, outcome.score) for outcome in self._outcomes(design_id, role)]
        return scores_of(episodes, dynamic=self.config.mode == "dynamic")

    def is_evaluated(self, design_id: str, trial: Trial) -> bool:
        """Whether the latest evaluation of a design is one of just these episodes."""
        played = {(outcome.task_id, outcome.repeat) for outcome in self._outcomes(design_id, trial.name)}
        return played == trial.episodes

    def _outcomes(self, design_id: str, role: str) -> Sequence[Outcome]:
        row = self.archive.evaluation(self.run_id, design_id, role)
        return self.archive.outcomes(row.id) if row is not None and row.id is not None else ()

    def judge(
        self, design_id: str, trial: Trial, known: Mapping[bytes, str] | None = None, climb: Climb | None = None
    ) -> Generator[Need, Any, Verdict | None]:
        """Evaluate a design and commit what comes of it; only evaluations for selection are arrows in its life.

        A design that tells just what one of the `known` tells, which are given by signature, is rejected unplayed.
        To `climb` is to play a part of the trial first, and maybe to be dropped with what that came to.
        """
        if trial.selects:
            self.archive.add_event(self.run_id, design_id, State.SMOKE)
        verdicts = []
        for job in self.jobs(design_id, trial):
            answers = yield from examine(job)
            for fault in answers.effort.spared:
                self._note(f"the machine failed, not design {short(design_id)}, which did well again: {fault}")
            if answers.failure:
                self._fail(design_id, trial, answers.failure)
                return None
            told = signature(answers, self.plan)
            if trial.selects and (twin := (known or {}).get(told, design_id)) != design_id:
                self.archive.add_event(self.run_id, design_id, State.REJECTED, f"tells just what {twin[:10]} tells")
                return None
            step = None
            if climb is not None and isinstance(answers, Built):
                self.archive.add_event(self.run_id, design_id, State.SMALL)
                step = yield from climb(answers, job)
                if step.state is State.DROPPED:
                    dropped = replace(step.verdict, signature=told, dropped=True)
                    self.keep(design_id, trial, dropped, step.reason)
                    return dropped
            if trial.selects:
                self.archive.add_event(self.run_id, design_id, *(step[:2] if step is not None else (State.FULL,)))
            verdicts.append((yield from score(answers, self.plan, job, step.verdict if step is not None else None)))
        verdict = verdicts[0] if len(verdicts) == 1 else merged(verdicts)
        if trial.selects or not self.is_evaluated(design_id, trial):  # another may have asked for the same meanwhile
            self.keep(design_id, trial, verdict)
        self.failures.pop(design_id, None)
        return verdict

    def _fail(self, design_id: str, trial: Trial, failure: str) -> None:
        if not trial.first_repeat:  # for which another design asked
            self.failures[design_id] = failure
        if trial.role is not Role.TEST and not (
            trial.first_repeat or trial.control
        ):  # those change nothing in its life
            self.archive.add_event(self.run_id, design_id, State.FAILED, failure)
        self._note(f"design {short(design_id)} failed: {failure.splitlines()[0]}")

    def jobs(self, design_id: str, trial: Trial) -> Iterator[LiveJob]:
        """All that an evaluation asks of a design; raises `UntrustedError` where it may not run here."""
        design, member = self.archive.exactly(design_id), self.archive.member(self.run_id, design_id)
        if member is None or member.number:  # a baseline is one of ours
            self.admit(design.origin)
        building_hash = self.checked(design).build_hash
        checked = trial.role is not Role.DEPLOYMENT or is_sampled(design_id)
        for specs, collected in self._parts(trial):
            yield LiveJob(
                Recipe(design.source, DESIGN_SEED, building_hash, collected, design.origin != "composed", design_id),
                specs,
                trial.repeats,
                self.plan.first_seed,
                min(self.config.smoke, len(specs)),
                self.config.memory_budget,
                self.config.mode == "dynamic",
                checked,
                trial.first_repeat,
            )

    def _parts(self, trial: Trial) -> Sequence[tuple[tuple[TaskSpec, ...], frozenset[str] | None]]:
        """The tasks of a trial with those whose episodes fill the memory that is asked about them."""
        if trial.control == "blank":
            return [(trial.specs, frozenset())]
        if trial.control == "shuffled":
            families = list(dict.fromkeys(spec.family for spec in self.plan.collection))
            others = dict(zip(families, families[1:] + families[:1], strict=True))
            return [
                (
                    tuple(spec for spec in trial.specs if spec.family == family),
                    frozenset(spec.id for spec in self.plan.collection if spec.family == others[family]),
                )
                for family in dict.fromkeys(spec.family for spec in trial.specs)
            ]
        return [(trial.specs, None)]

    def keep(self, design_id: str, trial: Trial, verdict: Verdict, why_dropped: str = "") -> None:
        """Commit what an evaluation came to."""
        scores = verdict.scores(dynamic=self.config.mode == "dynamic")
        total = mean(scores)
        evaluation = Evaluation(
            run_id=self.run_id,
            design_id=design_id,
            role=trial.name,
            score=total.mean,
            low=total.low,
            high=total.high,
            n=total.n,
            tokens=verdict.tokens,
            cut=verdict.cut,
            calls=verdict.effort.calls,
            seconds=verdict.effort.seconds,
            llm_tokens=verdict.effort.llm_tokens,
            llm_dollars=verdict.effort.dollars,
            signature=verdict.signature,
            variant=NO_LLM if verdict.effort.asked_llm and self.config.memory_model is None else "",
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
        reason = f"{total.mean:.3f} {played_on(scores)}" + (f" ({evaluation.variant})" if evaluation.variant else "")
        reason += f"; {why_dropped}" if why_dropped else ""
        state = State.DROPPED if verdict.dropped else State.EVALUATED
        event = event_row(self.run_id, design_id, state, reason) if trial.selects else None
        self.archive.add_evaluation(evaluation, outcomes, told, event)


def played_on(scores: Scores) -> str:
    """How much a score is of, in words."""
    passes = f" in {len(scores.each)} passes" if isinstance(scores, Passes) and len(scores.each) > 1 else ""
    return f"on {len(scores)} tasks{passes}"


def is_sampled(design_id: str) -> bool:
    """Whether a design is among those that are checked for purity during the search."""
    return int(design_id[-8:], 16) % SAMPLED == 0


def short(design_id: str) -> str:
    """The leading characters of a design's id, as people are shown it."""
    return design_id[:10]
