"""A design that a person or another program wrote, entered into a run as if the run had asked for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from archive.tables import SCORED, Request, State
from domains.base import Role
from evolve.asking import randomness
from evolve.desk import ATTEMPT, Desk, Draft
from evolve.errors import InputError
from evolve.front import KeptFront
from evolve.judging import Trial
from evolve.proposers.base import Brief, Commission, Proposal
from evolve.scheduler import Activity

if TYPE_CHECKING:
    from archive.store import Result as Scored
    from archive.tables import Member, Run
    from evolve.config import RunConfig
    from evolve.loop import Search

SUBMITTED = "submit"
"""The kind of a request that nobody but a person made."""
OVER = frozenset({*SCORED, State.FAILED, State.DROPPED, State.REJECTED})
"""States that nothing more is to be done about."""


@dataclass(slots=True)
class Result:
    """What became of a submitted design."""

    design: str
    status: Literal["ok", "failed", "rejected"]
    reason: str = ""


def may_submit(run: Run, config: RunConfig) -> None:
    """Refuse a run that a design from outside would spoil; raises `InputError`."""
    if config.strategy == "eval":
        raise InputError(f"run {run.id} is one of `evolve eval`, not a search; `evolve runs` lists them")
    if config.reproducible:
        raise InputError(
            f"run {run.id} is reproducible: the same seed has to give the same designs, and one from outside would"
            " change what follows; submit it to another run"
        )


class Submission:
    """Takes one design into a run. It is one more than the run was asked for, so that the search loses none."""

    def __init__(self, search: Search, run: Run) -> None:
        self.search = search
        self.run = run
        self.desk = Desk(search)

    def submit(self, source: str, change: str, parents: Sequence[str], trial: Trial) -> Result:
        """Check, smoke, enter and evaluate a design; raises `SourceRejected` and `InputError`."""
        archive, run_id, judge = self.search.archive, self.search.run_id, self.search.judge
        judge.admit("untrusted")
        design = judge.check(source).hash
        known = archive.member(run_id, design)
        if known is None or known.role == ATTEMPT:
            if (failure := self._enter(source, change, parents)) is not None:
                return Result(design, "failed", failure)
        elif not self._is_under_way(known):
            raise InputError(
                f"run {run_id} has this design already, as number {known.number}; `evolve show {design[:10]}` shows it"
            )
        self.search.phase("evaluating the design")
        self.search.drain([self._judge(design, trial)])
        if (failure := judge.failures.get(design)) is not None:
            return Result(design, "failed", failure)
        state, reason = archive.states(run_id)[design]
        if state is State.REJECTED:
            self._extend(-1)  # the run would else propose one more in its place
            return Result(design, "rejected", reason)
        KeptFront(archive, run_id, self.search.evidence).tell(design, len(self._scored()))
        return Result(design, "ok")

    def _is_under_way(self, member: Member) -> bool:
        """Whether a design was submitted before, and the evaluation interrupted."""
        state, _ = self.search.archive.states(self.search.run_id)[member.design_id]
        return member.number > 0 and state not in OVER

    def _enter(self, source: str, change: str, parents: Sequence[str]) -> str | None:
        """Enter a new design; why it fails where it does not get that far."""
        archive, config = self.search.archive, self.search.config
        number = archive.count_requests(self.search.run_id)
        rng = randomness(config.seed, number, 1)
        commission = Commission(number, [archive.exactly(p) for p in parents], Brief(), rng, self.desk)
        draft = self.desk.examine(commission, Proposal(source, change, "untrusted"))
        if isinstance(draft, str):
            raise InputError(f"the design is not taken: {draft}")
        failures: list[str] = []
        self.search.phase("trying the design")
        self.search.drain([self._smoke(commission, draft, failures)])
        if failures:
            return failures[0]
        self._extend(1)
        payload = json.dumps({"parents": list(parents), "brief": Brief().pack()})
        request = Request(
            run_id=self.search.run_id, number=number, kind=SUBMITTED, payload=payload, told=len(self._scored())
        )
        archive.add_request(request)
        self.desk.enter(commission, draft, request)
        return None

    def _smoke(self, commission: Commission, draft: Draft, failures: list[str]) -> Activity:
        failure = yield from self.desk.smoke(commission, draft)
        if failure:
            self.desk.send_back(draft, failure)
            failures.append(failure)

    def _judge(self, design: str, trial: Trial) -> Activity:
        signatures = {row.signature: row.design for row in reversed(self._scored().values()) if row.design != design}
        yield from self.search.judge.judge(design, trial, signatures)

    def _scored(self) -> dict[str, Scored]:
        """The candidates' results, the oldest first."""
        baselines = {member.design_id for member in self.search.archive.baselines(self.search.run_id)}
        rows = self.search.archive.results(self.search.run_id, Role.DEPLOYMENT)
        return {design: row for design, row in rows.items() if design not in baselines}

    def _extend(self, more: int) -> None:
        """Have the run asked for so many designs more."""
        config = type(self.search.config).model_validate_json(self.run.config)
        self.run.config = config.model_copy(update={"designs": config.designs + more}).model_dump_json()
        self.search.archive.save(self.run)
