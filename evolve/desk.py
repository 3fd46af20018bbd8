"""What a run lends its proposers: the archive, a checker, smoke tests, episodes to reflect on, a language model."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archive.tables import Manifest, State
from domains.base import Role
from evolve.evaluation import Need, examine
from evolve.judging import Trial
from evolve.thinking import until

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Request
    from domains.base import TaskSpec
    from domains.registry import DomainInfo
    from evolve.llm.base import Asker
    from evolve.loop import Search
    from evolve.proposers.base import Commission, Proposal
    from evolve.reflection import Seen
    from sandbox.guest import Trajectory
    from sandbox.source import Checked

TUNING = "tuning: "
"""How a change begins that changes constants only."""
MOST_TUNING = 0.3
"""The share of a run's designs that may only tune."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposal that may enter the run."""

    proposal: Proposal
    checked: Checked
    tunes: bool
    """Whether it changes constants only."""


class Desk:
    """Takes in proposals for one run. It is for the driver's thread: between two needs, never inside a `Thought`."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self.archive: Archive = search.archive
        self.run_id = search.run_id
        self.config = search.config
        self.domain = search.domain
        self.evidence = search.evidence
        self.say: Callable[[str], None] = search.note
        """Say something that is worth a person's eye."""
        members = self.archive.members(self.run_id)
        self._tuning = {member.design_id for member in members if member.change.startswith(TUNING)}
        """What earlier sittings have."""
        self._tuned = 0
        """Designs that only tune, of those that were asked for."""
        self._writing: set[int] = set()
        """Requests whose designs are being written."""

    @property
    def asker(self) -> Asker:
        """Who asks the run's models; its `ask` is what a `Thought` is for."""
        assert self._search.asker is not None, "a proposer that asks a model is made only where there is one"
        return self._search.asker

    @cached_property
    def described(self) -> DomainInfo:
        """What is said of the domain."""
        from domains import registry

        return registry.describe(self.config.domain)

    @property
    def example(self) -> Trajectory | None:
        """An episode of those that fill every memory."""
        return next(iter(self.collection), None)

    @property
    def collection(self) -> Sequence[Trajectory]:
        """The episodes that fill every memory."""
        return self._search.collection

    # Entering designs

    def admit(self) -> None:
        """Refuse what a model or a person wrote where the sandbox does not isolate; raises `InputError`."""
        self._search.judge.admit("untrusted")

    @contextmanager
    def writing(self, number: int) -> Iterator[None]:
        """While a request's design is being written."""
        self._writing.add(number)
        try:
            yield
        finally:
            self._writing.remove(number)

    def turn(self, number: int) -> Generator[Need, Any, None]:
        """In a reproducible run, wait until the requests before this one have their designs.

        Else which of two requests gets a design that both write, and what the other one is told and writes in its
        place, would depend on who was faster.
        """
        if self.config.reproducible:
            yield from until(lambda: min(self._writing) >= number)

    def examine(self, commission: Commission, proposal: Proposal) -> Draft | str:
        """Whether a proposal may enter the run, before anything is spent on it: as a draft, or why it may not.

        Raises `SourceRejected` where it is no design at all.
        """
        parents = commission.parents if proposal.descends else ()
        if any(parent.origin == "untrusted" for parent in parents):
            proposal = replace(proposal, origin="untrusted")
        checked = self._search.judge.check(proposal.source)
        member = self.archive.member(self.run_id, checked.hash)
        if member is not None and not (member.role == ATTEMPT and member.number == commission.number + 1):
            return f"the run has this very program already, as design {checked.hash[:10]}"
        tunes = bool(parents) and checked.form_hash == self._search.judge.checked(parents[0]).form_hash
        if tunes and member is None and self._tuned > MOST_TUNING * commission.number:
            return "it changes nothing but constants, and the run has enough designs that only do that"
        if tunes:  # what was tried as an attempt is examined once more, and says so already
            proposal = replace(proposal, change=TUNING + proposal.change.removeprefix(TUNING))
        return Draft(proposal, checked, tunes)

    def enter(self, commission: Commission, draft: Draft, request: Request) -> str | None:
        """Enter a draft as what a request is answered with; none where another request had the same meanwhile."""
        parents = _ancestors(commission, draft)
        design = self._search.judge.enter(draft.proposal, commission.number + 1, parents, request, draft.checked)
        self._tuned += draft.tunes and design is not None
        return design

    def count(self, design: str | None) -> None:
        """Note that a request was answered with a design in an earlier sitting."""
        self._tuned += design in self._tuning

    # What a proposer may find out

    def smoke(self, commission: Commission, draft: Draft) -> Generator[Need, Any, str]:
        """Enter a draft as an attempt of its request, and have it build and answer about some reflection tasks.

        Answered by why it fails, and by nothing where it does not.
        """
        judge, design = self._search.judge, draft.checked.hash
        parents = _ancestors(commission, draft)
        judge.enter(draft.proposal, commission.number + 1, parents, checked=draft.checked, role=ATTEMPT)
        self.archive.add_event(self.run_id, design, State.SMOKE)
        trial = Trial(Role.REFLECTION, self.reflection_tasks(commission.number, self.config.smoke), 1)
        for job in judge.jobs(design, trial):
            answers = yield from examine(replace(job, smoke=len(trial.specs), check_purity=False))
            if answers.failure:
                return answers.failure
        return ""

    def send_back(self, draft: Draft, failure: str) -> None:
        """Note that an attempt goes back to its proposer, because of a failure; once, also where a run goes on."""
        design = draft.checked.hash
        if self.archive.life(self.run_id, design)[-1].state != State.REPAIRED:
            self.archive.add_event(self.run_id, design, State.REPAIRED, failure)

    def reflection_tasks(self, number: int, count: int) -> tuple[TaskSpec, ...]:
        """So many of the reflection tasks, others for each request, until it is the first ones' turn again."""
        tasks = self.domain.tasks(Role.REFLECTION)
        count = min(count, len(tasks))
        return tuple(tasks[(number * count + place) % len(tasks)] for place in range(count))

    def reflect_on(self, design: str, tasks: Sequence[TaskSpec]) -> Generator[Need, Any, Sequence[Seen]]:
        """Whole episodes of a design on reflection tasks, from the archive or played now; none where it fails there."""
        from evolve.reflection import episodes

        return (yield from episodes(self._search.judge, design, Trial(Role.REFLECTION, tuple(tasks), 1)))

    def keep(self, manifest: Manifest) -> None:
        """Commit what a model thought about a request, so far or at its end."""
        self.archive.save(manifest)

    def kept(self, number: int) -> Manifest | None:
        """What was kept of a request, in an earlier sitting say."""
        return self.archive.manifest_at(self.run_id, number)


def _ancestors(commission: Commission, draft: Draft) -> list[str]:
    return [parent.id for parent in commission.parents] if draft.proposal.descends else []


ATTEMPT = "attempt"
"""The role of a design that may yet be repaired before its request is answered."""
