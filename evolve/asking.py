"""The conversation with a strategy: it asks, designs are proposed and evaluated, and it is told what became of them."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from archive.tables import SCORED, Request, State
from domains.base import Role
from evolve.errors import InputError
from evolve.judging import Trial
from evolve.population import Population
from evolve.proposers.base import Brief, Proposer
from evolve.scheduler import Activity
from evolve.statistics import estimate, paired
from evolve.strategies.base import Propose, Strategy
from sandbox.source import SourceRejected

if TYPE_CHECKING:
    from domains.base import TaskSpec
    from evolve.loop import Search

DRAWS = 30
"""Proposals that one request may draw before it gives up finding a design that the run does not have."""
AHEAD = 2
"""Requests under way beyond one a worker, so that none waits for the driver."""

MOST_REJECTED = 3
"""Requests for each design asked for that may end without one, for it told just what another tells."""


class Ending(NamedTuple):
    """How a request ended."""

    design: str = ""
    """Empty where nothing new was drawn."""
    score: float | None = None
    """None where the design failed, or was rejected."""
    signature: bytes = b""
    rejected: bool = False
    """Whether it only told what another design tells, so that the run is owed another."""


class Conversation:
    """Asks until a run's designs are done.

    Results are told as they come. A reproducible run tells them in the order of the requests, one whenever `in_flight`
    are open, so that what the strategy knows when it asks depends on nothing but the number of the request.
    """

    def __init__(self, search: Search, strategy: Strategy, proposer: Proposer, specs: tuple[TaskSpec, ...]) -> None:
        self.search = search
        self.config = search.config
        self.strategy = strategy
        self.proposer = proposer
        self.trial = Trial(Role.DEPLOYMENT, specs, search.config.repeats)
        self.population = Population(baseline=estimate(list(search.baselines["no_memory"].values())).mean)
        self._committed = {request.number: request for request in search.archive.requests(search.run_id)}
        self._endings = self._known_endings()
        """Of requests that ended and were not told yet, by number."""
        self._told = 0
        self._rejected = 0
        """Of those that were told."""
        self._signatures: dict[bytes, str] = {}
        """Of the designs that were told."""

    def run(self) -> None:
        """Take up what an earlier sitting left, then ask for the rest."""
        progress, scheduler = self.search.progress, self.search.scheduler
        if not self.config.reproducible:
            self._restore()
        progress.resumed = progress.done + len(self._endings)
        progress.searching_since = time.monotonic()
        self.search.phase("searching")
        while True:
            while self._turn():
                pass
            if not scheduler.active:
                break
            scheduler.step()
            self.search.show()

    def _turn(self) -> bool:
        """Ask or tell once; false where both have to wait."""
        if self._may_ask():
            number = len(self.population.asked)
            ask = self.strategy.ask(self.population, randomness(self.config.seed, number, 0))
            if isinstance(ask, Propose):
                self._take_up(self._request(number, ask), ask)
                return True
        number = self._told if self.config.reproducible else next(iter(self._endings), -1)
        if number not in self._endings:
            return False
        self._tell(self._endings.pop(number))
        return True

    def _may_ask(self) -> bool:
        asked = len(self.population.asked)
        if asked - self._rejected >= self.config.designs or asked > MOST_REJECTED * self.config.designs:
            return False
        if self.config.reproducible:
            return asked - self._told < self.config.in_flight
        return not self._endings and self.search.scheduler.active < self.search.executor.slots + AHEAD

    def _request(self, number: int, ask: Propose) -> Request:
        """Commit a request, unless an earlier sitting did, which must have asked for the same."""
        payload = json.dumps({"parents": ask.parents, "brief": asdict(ask.brief)})
        request = self._committed.pop(number, None)
        if request is None:
            told = len(self.population.scores)
            request = Request(run_id=self.search.run_id, number=number, kind="propose", payload=payload, told=told)
            self.search.archive.save(request)
        elif request.payload != payload:
            raise InputError(
                f"request {number} of run {self.search.run_id} would now be another than the archive holds, so that it"
                " cannot go on as it began; start another with --fresh"
            )
        self.population.ask(ask.parents)
        return request

    def _take_up(self, request: Request, ask: Propose) -> None:
        """Do what a request asks for, as far as it is not done."""
        if request.number in self._endings:
            return
        design = json.loads(request.result)["design"] if request.result is not None else None
        pursuing = self._finish(request, design) if design is not None else self._pursue(request, ask)
        self.search.scheduler.start(pursuing)

    # Designs

    def _pursue(self, request: Request, ask: Propose) -> Activity:
        """Have a design proposed, and evaluate it."""
        design_id = self._propose(request, ask)
        if design_id is None:
            request.result = json.dumps({"design": None})
            self.search.archive.save(request)
            self._endings[request.number] = Ending()
        else:
            yield from self._finish(request, design_id)

    def _finish(self, request: Request, design_id: str) -> Activity:
        """Evaluate a candidate for selection."""
        judge = self.search.judge
        verdict = yield from judge.judge(design_id, self.trial, dict(self._signatures))
        if verdict is None:
            self._endings[request.number] = Ending(design_id, rejected=design_id not in judge.failures)
        else:
            score = fmean(verdict.by_task().values())
            self._endings[request.number] = Ending(design_id, score, verdict.signature)

    def _propose(self, request: Request, ask: Propose) -> str | None:
        rng = randomness(self.config.seed, request.number, 1)
        search = self.search
        parents = [search.archive.exactly(parent) for parent in ask.parents]
        for _ in range(DRAWS):
            proposal = self.proposer.propose([parent.source for parent in parents], ask.brief, rng)
            if any(parent.origin == "untrusted" for parent in parents):
                proposal = replace(proposal, origin="untrusted")
            try:
                design_id = search.judge.enter(proposal, request.number + 1, ask.parents, request)
            except SourceRejected as rejected:
                search.note(f"request {request.number}: a proposal was rejected: {rejected.reason}")
                continue
            if design_id is not None:
                return design_id
        search.note(f"request {request.number} drew {DRAWS} designs that the run has already, and none that is new")
        return None

    # What is known

    def _known_endings(self) -> dict[int, Ending]:
        """How the requests ended that earlier sittings finished, in the order in which their scores were committed."""
        archive, run_id = self.search.archive, self.search.run_id
        states = archive.states(run_id)
        rows = {row.design_id: row for row in archive.evaluations(run_id, Role.DEPLOYMENT)}
        known: dict[int, Ending] = {}
        for number, request in self._committed.items():
            if request.result is None:
                continue
            design = json.loads(request.result)["design"]
            state = states[design][0] if design is not None else None
            if state in SCORED:
                known[number] = Ending(design, rows[design].score, rows[design].signature)
            elif state in (None, State.FAILED, State.REJECTED):
                known[number] = Ending(design or "", rejected=state is State.REJECTED)
        order = {design: place for place, design in enumerate(rows)}
        return dict(sorted(known.items(), key=lambda item: order.get(item[1].design, -1)))

    def _restore(self) -> None:
        """Ask again what was asked, without the strategy, and take up what was under way."""
        for request in sorted(self._committed.values(), key=lambda request: request.number):
            payload = json.loads(request.payload)
            ask = Propose(tuple(payload["parents"]), Brief(**payload["brief"]))
            self.population.ask(ask.parents)
            self._take_up(request, ask)
        while self._endings:
            self._tell(self._endings.pop(next(iter(self._endings))))

    def _tell(self, ending: Ending) -> None:
        """Tell the population how a request ended."""
        self._told += 1
        self._rejected += ending.rejected
        self.population.tell(ending.design, ending.score)
        progress = self.search.progress
        if ending.score is None:
            progress.failed += not ending.rejected
            progress.rejected += ending.rejected
            return
        self._signatures.setdefault(ending.signature, ending.design)
        progress.evaluated += 1
        if progress.best is None or ending.score > progress.best[1].mean:
            scores = self.search.judge.scores(ending.design, Role.DEPLOYMENT)
            progress.best = (ending.design, estimate(list(scores.values())))
            progress.gain = paired(scores, self.search.baselines["no_memory"])


def randomness(seed: int, number: int, use: int) -> np.random.Generator:
    """The random stream of a request: of the strategy's choice (`use` 0), or of the proposer (1)."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, use)))
