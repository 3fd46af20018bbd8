"""What requests are told beside what the strategy says: insights of this and of earlier runs, hints, tactics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import log2
from typing import TYPE_CHECKING

from archive.fronts import tactics
from archive.insights import hints, last_operation
from evolve.diagnosis import FOCUS
from evolve.insights import LESSON, Insight, Insights, Situation, Tally
from evolve.learning import EVERY, PRIOR, Learner, committed, source_of
from evolve.proposers.blocks import BY_NAME as BLOCKS
from evolve.proposers.credit import MOST
from evolve.proposers.genetic import DEFAULT_WEIGHTS
from evolve.strategies.base import Propose
from evolve.tactics import BY_NAME as TACTICS
from evolve.tactics import FOCUS as TACTIC_FOCUS
from evolve.tactics import Stagnation

if TYPE_CHECKING:
    from archive.store import Archive
    from evolve.config import RunConfig
    from evolve.population import Population
    from evolve.proposers.base import Brief
    from evolve.strategies.evidence import Evidence

RELEVANT = 12
"""Insights of earlier runs that a request is told."""
STEEPNESS = 4.0
"""A weight is doubled where the effect is a quarter of the spread of all."""
LEAST = 0.1
"""A logarithm of a weight that is not worth saying."""

_AGAINST = r"\b(?:avoid|no|not|never|without|less|fewer|drop|forget)\s+(?:the\s+|use\s+|more\s+)?"
_LISTED = r"(?:\w+(?:,\s*(?:(?:and|or|nor)\s+)?|\s+(?:and|or|nor)\s+))*"
"""What may stand before a name in a list of those that are spoken against."""


class Guide:
    """Adds to a strategy's requests, and takes in what becomes of them. It has no state but the archive's."""

    def __init__(self, archive: Archive, run_id: int, config: RunConfig, evidence: Evidence) -> None:
        run = archive.run(run_id)
        self.archive = archive
        self.run_id = run_id
        self.config = config
        self.goes_by_weights = config.proposer == "genetic"
        """Whether weights are all that the proposer goes by."""
        self.stagnation = Stagnation()
        self._asked: list[Brief] = []
        self._ended = 0
        """Requests that had ended when the last score was told."""
        if config.insights:
            self._before = Insights(archive, run.knew)
            """What was known when the run began; its own lessons are the learner's."""
            self._seen = run.knew
            """The last operation that was looked at."""
            self.learner = Learner(evidence, config.domain, source_of(run))
            self._committed = committed(archive, run_id)

    # Asking

    def guided(self, ask: Propose, population: Population) -> Propose:
        """A request with all that is known for it."""
        brief = ask.brief
        if self.config.insights:
            parent = ask.parents[0] if ask.parents else None
            brief = self._with_insights(brief, Situation(self.config.domain, self.learner.stage(parent, population)))
        for number, text, _ in hints(self.archive, self.run_id):
            brief = _with_hint(brief, number, text)
        if self.config.tactics and ask.parents and (tactic := self.stagnation.tactic()) is not None:
            weights = _times(brief, dict.fromkeys(tactic.operators, TACTIC_FOCUS))
            sources = f"tactic {tactic.name}", f"round {self.stagnation.began}"
            notes = (*brief.notes, tactic_note(tactic.name))
            brief = replace(brief, operators=weights, notes=notes, sources=(*brief.sources, *sources))
        return replace(ask, brief=brief)

    def _with_insights(self, brief: Brief, situation: Situation) -> Brief:
        ranked = self._known().relevant(situation)
        relevant = [each for each in ranked if each[0].kind != LESSON][:RELEVANT]
        if not self.goes_by_weights:
            relevant += [each for each in ranked if each[0].kind == LESSON][:RELEVANT]
        believed: dict[tuple[str, str], Tally] = {}
        for insight, tally in relevant:
            subject = insight.kind, insight.subject
            believed[subject] = believed.get(subject, Tally()) + tally
        for (subject, stage), tally in self.learner.tallies.items():
            likeness = 1.0 if stage == situation.stage else 0.5
            believed[subject] = believed.get(subject, Tally()) + tally.scaled(likeness)
        factors, blocks = {}, {}
        for (kind, name), tally in sorted(believed.items()):
            weight = STEEPNESS * tally.total / (tally.n + PRIOR) / self.learner.spread if tally.n else 0.0
            weight = round(max(-log2(MOST), min(log2(MOST), weight)), 2)
            if abs(weight) < LEAST:
                continue
            if kind == "operator" and name in DEFAULT_WEIGHTS:
                factors[name] = 2**weight
            elif kind in ("block", "range"):
                blocks[name] = weight
        told = [insight for insight, _ in relevant]
        return replace(
            brief,
            operators=_times(brief, factors),
            blocks={**brief.blocks, **blocks},
            notes=brief.notes if self.goes_by_weights else (*brief.notes, *(_note(insight) for insight in told)),
            sources=(*brief.sources, *(f"insight {insight.number}" for insight in told)),
        )

    def _known(self) -> Insights:
        """What requests may be told: what was known when the run began, and the lessons in words that it led to.

        Those come when a model is done with them, so that in a reproducible run they are for later ones only.
        """
        is_open = not self.goes_by_weights and not self.config.reproducible
        if is_open and (last := last_operation(self.archive)) != self._seen:
            self._seen = last
            now = Insights(self.archive)
            mine = [n for n, each in now.known.items() if each.kind == LESSON and now.runs[n] == self.run_id]
            self._before.known |= {number: now.known[number] for number in mine}
            gone = [n for n, each in self._before.known.items() if each.kind == LESSON and n not in now.known]
            for number in gone:
                del self._before.known[number]
        return self._before

    def asked(self, brief: Brief, told: int) -> None:
        """Note a request that was made when so many scores had been told, now or in an earlier sitting."""
        self._asked.append(brief)
        for name in named(brief, "tactic"):
            self.stagnation.asked(name, told)

    # Telling

    def tell(self, design: str, population: Population) -> None:
        """Take in the design that was told last."""
        ended = len(population.asked) - population.pending
        for _ in range(self._ended + 1, ended):  # failed, or told nothing new, since the score before
            self.stagnation.tell(None)
        self._ended = ended
        self.stagnation.tell(population.scores[design])
        if not self.config.insights:
            return
        member = self.archive.member(self.run_id, design)
        assert member is not None
        brief = self._asked[member.number - 1]
        known = self._known().known
        told = [known[int(each)] for each in named(brief, "insight") if int(each) in known]
        self.learner.tell(design, population, told, list(self._tactics(brief)))
        if len(population.scores) % EVERY == 0:
            self.commit(len(population.scores))

    def _tactics(self, brief: Brief) -> Iterator[str]:
        """What a request was told to try, in the words of a model where it found any."""
        for name, began in zip(named(brief, "tactic"), named(brief, "round"), strict=False):
            ways = tactics(self.archive, self.run_id, int(began)) or {}
            yield ways.get(name, TACTICS[name].note)

    def commit(self, told: int) -> None:
        """Have what was learned kept, unless an earlier sitting did that."""
        if self.config.insights and told > self._committed:
            self.learner.commit(Insights(self.archive), told)
            self._committed = told


def _times(brief: Brief, factors: Mapping[str, float]) -> dict[str, float]:
    """The operators' weights, some of them times a factor."""
    weights = dict(brief.operators)
    for name, factor in factors.items():
        weights[name] = round(weights.get(name, DEFAULT_WEIGHTS[name]) * factor, 6)
    return weights


def _with_hint(brief: Brief, number: int, text: str) -> Brief:
    """A hint in words; operators and blocks that it names get weight, or lose it where it says to avoid them."""
    signs = said_of(text, (*DEFAULT_WEIGHTS, *BLOCKS))
    factors = {name: FOCUS**sign for name, sign in signs.items() if name in DEFAULT_WEIGHTS}
    blocks = {name: brief.blocks.get(name, 0.0) + sign * log2(FOCUS) for name, sign in signs.items() if name in BLOCKS}
    return replace(
        brief,
        operators=_times(brief, factors),
        blocks={**brief.blocks, **{name: round(weight, 2) for name, weight in blocks.items()}},
        notes=(*brief.notes, f"hint of a person: {text}"),
        sources=(*brief.sources, f"hint {number}"),
    )


def said_of(text: str, names: Iterable[str]) -> dict[str, int]:
    """Which of the names a text speaks of: +1 for, -1 against.

    >>> said_of("Try ByReward without Contrast", ["ByReward", "Contrast", "Recent"])
    {'ByReward': 1, 'Contrast': -1}
    >>> said_of("avoid ByReward and Contrast, try Recent", ["ByReward", "Contrast", "Recent"])
    {'ByReward': -1, 'Contrast': -1, 'Recent': 1}
    """
    found = {}
    for name in names:
        if re.search(rf"\b{name}\b", text):
            found[name] = -1 if re.search(rf"{_AGAINST}{_LISTED}{name}\b", text, re.IGNORECASE) else 1
    return found


def tactic_note(name: str) -> str:
    """What a request with a tactic is told."""
    return f"tactic, for nothing got better of late: {TACTICS[name].note}"


def named(brief: Brief, kind: str) -> list[str]:
    """The sources of a brief that are of a kind: numbers of insights, hints and rounds, names of tactics."""
    pairs = [source.split(" ", 1) for source in brief.sources]
    return [name for each, name in pairs if each == kind]


def _note(insight: Insight) -> str:
    return f"insight {insight.number}: {insight.sentence()}"
