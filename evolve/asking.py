"""The conversation with a strategy: it asks, designs are proposed and evaluated, and it is told what became of them."""

from __future__ import annotations

import json
import time
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from archive.comparisons import order_of_telling
from archive.store import Asked
from archive.tables import SCORED, Request, State
from domains.base import Role
from evolve.desk import Desk
from evolve.errors import InputError
from evolve.front import KeptFront
from evolve.guidance import Guide
from evolve.judging import Trial
from evolve.llm.roles import COMPARE, INSIGHTS, models_of
from evolve.population import Population
from evolve.proposers.base import Brief, Commission, Proposer
from evolve.rungs import AUDITED, small_rung
from evolve.scheduler import Activity
from evolve.statistics import mean, paired
from evolve.strategies.base import Propose, Strategy
from evolve.strategies.registry import COMPARING
from sandbox.source import SourceRejected

if TYPE_CHECKING:
    from collections.abc import Generator

    from domains.base import TaskSpec
    from evolve.comparing import Comparison
    from evolve.evaluation import Need
    from evolve.loop import Search

AHEAD = 2
"""Requests under way beyond those that give every worker something to do, so that none waits for the driver."""
MOST_REJECTED = 3
"""Requests for each design asked for that may end without one, for it told just what another tells."""


Signatures = dict[bytes, str]
"""Designs by what they tell."""


class Ending(NamedTuple):
    """How a request ended."""

    design: str = ""
    """Empty where nothing new was drawn."""
    score: float | None = None
    """None where the design failed, or was rejected."""
    signature: bytes = b""
    dropped: bool = False
    """Whether the score is that of the small rung alone."""
    rejected: bool = False
    """Whether it only told what another design tells, so that the run is owed another."""
    comparison: Comparison | None = None
    """What a model says of it beside the design that it was asked of."""


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
        self.rung = small_rung(self.config, search.judge, specs, search.baselines["no_memory"])
        self.population = Population(baseline=fmean(search.baselines["no_memory"].values()))
        self._compares = self.config.strategy in COMPARING
        self._committed = {asked.number: asked for asked in search.archive.asked(search.run_id)}
        self._endings = self._known_endings()
        """Of requests that ended and were not told yet, by number."""
        self._told = 0
        self._rejected = 0
        """Of those that were told."""
        self._desk = Desk(search)
        self._front = KeptFront(search.archive, search.run_id, search.evidence)
        self._guide = Guide(search.archive, search.run_id, self.config, search.evidence)
        self._judge = models_of(self.config).get(COMPARE, "")
        """Who compares designs whose scores do not tell them apart, where a model does."""
        search.evidence.comparer.collection = search.collection
        self._teacher = models_of(self.config).get(INSIGHTS, "")
        """Who draws lessons in words, where a model does."""
        self._unjudged = self._take_out_unjudged()
        """Of requests whose designs were evaluated in an earlier sitting, but maybe not compared."""
        self._signatures: Signatures = {}
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
        self._guide.commit(len(self.population.scores))

    def _turn(self) -> bool:
        """Ask or tell once; false where both have to wait."""
        if self._may_ask():
            number = len(self.population.asked)
            ask = self.strategy.ask(self.population, randomness(self.config.seed, number, 0))
            if isinstance(ask, Propose):
                ask = self._guide.guided(ask, self.population)
                self._take_up(self._request(number, ask), ask)
                return True
        number = self._told if self.config.reproducible else next(iter(self._endings), -1)
        if number not in self._endings:
            return False
        self._tell(self._endings.pop(number))
        return True

    def _may_ask(self) -> bool:
        asked = len(self.population.asked)
        if self.config.reproducible and asked in self._committed:
            return len(self.population.scores) >= self._committed[asked].told  # as it was, also before a larger budget
        if asked - self._rejected >= self.config.designs or asked > MOST_REJECTED * self.config.designs:
            return False
        if self.config.reproducible:
            return asked - self._told < self.config.in_flight
        return not self._endings and self.search.scheduler.active < self.search.executor.designs + AHEAD

    def _request(self, number: int, ask: Propose) -> Asked:
        """Commit a request, unless an earlier sitting did, which must have asked for the same."""
        payload = json.dumps({"parents": ask.parents, "brief": ask.brief.pack()})
        asked = self._committed.pop(number, None)
        if asked is None:
            asked = Asked(number, payload, len(self.population.scores), None)
            self.search.archive.add_request(self._row(asked))
        elif asked.payload != payload:
            raise InputError(
                f"request {number} of run {self.search.run_id} would now be another than the archive holds, so that it"
                " cannot go on as it began; start another with --fresh"
            )
        self.population.ask(ask.parents)
        self._guide.asked(ask.brief, asked.told)
        return asked

    def _row(self, asked: Asked) -> Request:
        return Request(run_id=self.search.run_id, kind="propose", **asked._asdict())

    def _take_up(self, asked: Asked, ask: Propose) -> None:
        """Do what a request asks for, as far as it is not done."""
        design = json.loads(asked.result)["design"] if asked.result is not None else None
        self._desk.count(design)
        if asked.number in self._endings:
            return
        if (ending := self._unjudged.get(asked.number)) is not None:
            if self.config.reproducible:
                self.search.scheduler.start(self._end(asked.number, ending))
            return
        request = self._row(asked)
        known = dict(self._signatures) if self.config.reproducible else None  # as when it was asked, however long ago
        pursuing = self._finish(request, design, known) if design is not None else self._pursue(request, ask, known)
        self.search.scheduler.start(pursuing)

    # Designs

    def _pursue(self, request: Request, ask: Propose, known: Signatures | None) -> Activity:
        """Have a design proposed, and evaluate it."""
        with self._desk.writing(request.number):
            design_id = yield from self._propose(request, ask)
        if design_id is None:
            request.result = json.dumps({"design": None})
            self.search.archive.save(request)
            self._endings[request.number] = Ending()
        else:
            yield from self._finish(request, design_id, known)

    def _finish(self, request: Request, design_id: str, known: Signatures | None) -> Activity:
        """Evaluate a candidate for selection, beside the designs that are known, or else all that are told by now."""
        judge = self.search.judge
        climb = None
        if self.rung is not None:
            audit = float(randomness(self.config.seed, request.number, 2).random()) < AUDITED
            parent = next(iter(self.search.archive.parents_of(self.search.run_id, design_id)), None)
            climb = partial(self.rung.climb, parent=parent, audit=audit)
        verdict = yield from judge.judge(
            design_id, self.trial, dict(self._signatures) if known is None else known, climb
        )
        if verdict is None:
            self._endings[request.number] = Ending(design_id, rejected=design_id not in judge.failures)
        else:
            score = fmean(verdict.scores(dynamic=self.config.mode == "dynamic").values())
            yield from self._end(request.number, Ending(design_id, score, verdict.signature, verdict.dropped))

    def _end(self, number: int, ending: Ending) -> Activity:
        """Have a model compare a design with the one that it was asked of, where one does, before it is told of."""
        asks = bool(self._judge or self._teacher) and not ending.dropped
        rival = self.search.evidence.comparer.rival(ending.design, self.population) if asks else None
        if rival is not None and self._judge:
            from evolve.pe_emp import judge

            judging = judge(self._desk, self._judge, ending.design, rival)
            ending = ending._replace(comparison=(yield from judging))
        if rival is not None and self._teacher:
            from evolve.memory_agent import optimise

            told = len(self.population.scores)
            yield from optimise(self._desk, self._teacher, ending.design, rival, ending.comparison, told)
        self._endings[number] = ending

    def _propose(self, request: Request, ask: Propose) -> Generator[Need, Any, str | None]:
        """Have designs proposed until one may enter the run."""
        number, desk = request.number, self._desk
        parents = [self.search.archive.exactly(parent) for parent in ask.parents]
        rng = randomness(self.config.seed, number, 1)
        commission = Commission(number, parents, ask.brief, rng, desk)
        why = ""
        for _ in range(self.proposer.draws):
            proposal = yield from self.proposer.propose(commission)
            if proposal is None:
                return None  # and the proposer said why
            yield from desk.turn(number)
            try:
                draft = desk.examine(commission, proposal)
            except SourceRejected as rejected:
                self.search.note(f"request {number}: a proposal was rejected: {rejected.reason}")
                continue
            if isinstance(draft, str):
                why = draft
            elif (design_id := desk.enter(commission, draft, request)) is not None:
                return design_id
        last = f", the last one because {why}" if why else ""
        self.search.note(f"request {number}: none of {self.proposer.draws} proposals may enter the run{last}")
        return None

    # What is known

    def _known_endings(self) -> dict[int, Ending]:
        """How the requests ended that earlier sittings finished, in the order in which their scores were committed."""
        archive, run_id = self.search.archive, self.search.run_id
        states = archive.states(run_id)
        rows = archive.results(run_id, Role.DEPLOYMENT)
        known: dict[int, Ending] = {}
        for number, asked in self._committed.items():
            if asked.result is None:
                continue
            design = json.loads(asked.result)["design"]
            state = states[design][0] if design is not None else None
            # what failed in the finals had a score before; what was dropped has one, unless a mended archive lost it
            scored_before = state in (State.FAILED, State.DROPPED) and design in rows
            if state in SCORED or scored_before:
                row = rows[design]
                known[number] = Ending(design, row.score, row.signature, state is State.DROPPED)
            elif state in (None, State.FAILED, State.REJECTED):
                known[number] = Ending(design or "", rejected=state is State.REJECTED)
        told = order_of_telling(archive, run_id) if self._compares else {}
        order = {design: (told.get(design, len(rows)), place) for place, design in enumerate(rows)}
        return dict(sorted(known.items(), key=lambda item: order.get(item[1].design, (-1, -1))))

    def _take_out_unjudged(self) -> dict[int, Ending]:
        """The known endings of designs that nobody compared yet, where a model does that."""
        if not self._judge:
            return {}
        told = order_of_telling(self.search.archive, self.search.run_id)
        ended = self._endings.items()
        found = {number: each for number, each in ended if each.score is not None and each.design not in told}
        self._endings = {number: each for number, each in ended if number not in found}
        return found

    def _restore(self) -> None:
        """Ask again what was asked, without the strategy, and take up what was under way."""
        for asked in self._committed.values():
            payload = json.loads(asked.payload)
            ask = Propose(tuple(payload["parents"]), Brief.unpack(payload["brief"]))
            self.population.ask(ask.parents)
            self._guide.asked(ask.brief, asked.told)
            self._take_up(asked, ask)
        self._committed.clear()
        for number in list(self._endings):
            self._tell(self._endings.pop(number))
        for number, ending in self._unjudged.items():
            self.search.scheduler.start(self._end(number, ending))

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
        if self._compares:
            self.search.evidence.comparer.keep(ending.design, self.population, ending.comparison)
        self._guide.tell(ending.design, self.population)
        self._signatures.setdefault(ending.signature, ending.design)
        progress.evaluated += not ending.dropped
        progress.dropped += ending.dropped
        if ending.dropped:
            return
        self._front.tell(ending.design, len(self.population.scores))
        if progress.best is None or ending.score > progress.best[1].mean:
            scores = self.search.judge.scores(ending.design, Role.DEPLOYMENT)
            progress.best = (ending.design, mean(scores))
            progress.gain = paired(scores, self.search.baselines["no_memory"])


def randomness(seed: int, number: int, use: int) -> np.random.Generator:
    """The random stream of a request: of the strategy's choice (`use` 0), the proposer (1), the audit (2)."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, use)))
