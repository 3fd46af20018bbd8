"""Every decision of a run once more, from what the archive holds: which parents were chosen, and what was written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from archive.comparisons import order_of_telling
from archive.fronts import diagnosis
from archive.tables import Request, Run
from evolve.asking import randomness
from evolve.config import RunConfig
from evolve.diagnosis import DefectProfile
from evolve.errors import InputError
from evolve.population import Population
from evolve.proposers.base import DRAWS, AtOnce, Brief, Writer
from evolve.proposers.diagnosing import Diagnosing, briefed
from evolve.proposers.registry import make as make_proposer
from evolve.results import DEPLOYMENT, baseline_scores
from evolve.strategies.base import Propose
from evolve.strategies.evidence import Evidence
from evolve.strategies.registry import make as make_strategy
from evolve.submission import SUBMITTED
from sandbox.source import SourceRejected

if TYPE_CHECKING:
    from archive.store import Archive
    from sandbox.source import SourceChecker


@dataclass(frozen=True, slots=True)
class Decision:
    """One request, decided again; `difference` says what came out otherwise, and is empty where nothing did."""

    request: int
    design: str
    difference: str


class Replay:
    """Decides a run's requests again. Nothing is played and nothing is written."""

    def __init__(self, archive: Archive, run: Run, checker: SourceChecker) -> None:
        assert run.id is not None
        self.archive = archive
        self.checker = checker
        self.config = RunConfig.model_validate_json(run.config)
        counted, budget = self.config.reproducible, self.config.memory_budget
        self.strategy = make_strategy(self.config, Evidence(archive, run.id, counted=counted, budget=budget))
        proposer = make_proposer(self.config)
        self.diagnoses = isinstance(proposer, Diagnosing)
        """Whether parents were diagnosed before anything was written."""
        inner = proposer.inner if isinstance(proposer, Diagnosing) else proposer
        self.writer = inner.writer if isinstance(inner, AtOnce) else None
        """What wrote the designs; none where a model did, which is not asked again."""
        self.run_id = run.id
        self.requests = archive.requests(run.id)
        numbers = {member.design_id: member.number for member in archive.members(run.id)}
        rows = {row.design_id: row.score for row in archive.evaluations(run.id, DEPLOYMENT) if numbers[row.design_id]}
        if self.config.reproducible:
            rows = {design: rows[design] for design in sorted(rows, key=lambda design: numbers[design])}
        elif told := order_of_telling(archive, run.id):
            rows = {design: rows[design] for design in sorted(rows, key=lambda each: told.get(each, len(rows)))}
        self.scores = list(rows.items())
        """In the order in which the strategy was told."""
        if not (without := baseline_scores(archive, run.id).get("no_memory")):
            raise InputError(f"run {run.id} asked for nothing yet; `evolve run` goes on with it")
        self.population = Population(baseline=fmean(without.values()))

    def decisions(self) -> list[Decision]:
        """All requests, in order."""
        return [self._decide(number, request) for number, request in enumerate(self.requests)]

    def _decide(self, number: int, request: Request) -> Decision:
        payload = json.loads(request.payload)
        design = (json.loads(request.result) if request.result else {}).get("design") or ""
        population = self.population
        for told in self.scores[len(population.scores) : request.told]:
            population.tell(*told)
        population.pending = 0  # what was asked for was not waited for
        if request.kind == SUBMITTED:  # by a person, whose decision it was
            population.ask(tuple(payload["parents"]))
            return Decision(number, design, "")
        ask = self.strategy.ask(population, randomness(self.config.seed, number, 0))
        population.ask(tuple(payload["parents"]))
        chosen = list(ask.parents) if isinstance(ask, Propose) else None
        if chosen != payload["parents"]:
            return Decision(number, design, f"the parents were {payload['parents']} and would be {chosen}")
        if design and self.writer is not None and not self._is_written_again(self.writer, number, payload, design):
            return Decision(number, design, "the proposer would not write this design from these parents")
        return Decision(number, design, "")

    def _is_written_again(self, writer: Writer, number: int, payload: dict[str, Any], design: str) -> bool:
        """Whether the proposer draws the design; the draws before it were in the run already, or no designs."""
        sources = [self.archive.exactly(parent).source for parent in payload["parents"]]
        brief, rng = Brief.unpack(payload["brief"]), randomness(self.config.seed, number, 1)
        kept = diagnosis(self.archive, self.run_id, payload["parents"][0]) if payload["parents"] else None
        profile = DefectProfile.unpack(kept) if kept is not None else DefectProfile()
        for draw in range(DRAWS):
            proposal = writer.write(sources, briefed(brief, profile, draw) if self.diagnoses else brief, rng)
            try:
                if self.checker.check(proposal.source).hash == design:
                    return True
            except SourceRejected:
                continue
        return False
