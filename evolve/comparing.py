"""A child beside its parent: by their scores where these differ for certain, else by criteria found for the pair.

PE-EMP of Empirical-MCTS (arXiv 2602.04248) without a model. The criteria are what can be measured of both and differs;
their weights are learned from the pairs before, by what went with higher scores there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import sqrt
from statistics import fmean
from typing import TYPE_CHECKING, Any

from evolve.proposers.credit import operators_of, shifted
from evolve.signs import of_collection
from evolve.statistics import Estimate, paired
from evolve.strategies.values import local_value

if TYPE_CHECKING:
    from archive.tables import Comparison as Row
    from evolve.population import Population
    from evolve.signs import Signs
    from evolve.strategies.evidence import Evidence
    from sandbox.guest import Trajectory

MEASURED, CRITERIA, JUDGE = "measured", "criteria", "judge"
"""Who decided: scores that differ for certain, criteria with learned weights, or a model."""
SCORE = "score"
"""The criterion that is always there."""
DIFFERS = 0.02
"""By how much a sign has to differ to be a criterion."""
PRIOR = 5
"""Pairs that it takes for half of a correlation to be believed."""
LOWEST, HIGHEST = 1.0, 10.0
"""Scores of a criterion."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One point of view, with its share in the totals, and what both are given for it."""

    name: str
    weight: float
    ours: float
    theirs: float
    critique: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a judge took."""

    tokens_in: int = 0
    tokens_out: int = 0
    dollars: float | None = 0.0
    """None where a price is unknown."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A child (ours) beside the parent it was asked of (theirs), and what the child's own children are told for it."""

    design: str
    rival: str
    decided_by: str
    ours: float
    """Weighted total, in [1, 10]."""
    theirs: float
    difference: Estimate
    """Of the scores, by task."""
    criteria: tuple[Criterion, ...] = ()
    signs: Mapping[str, float] = field(default_factory=dict)
    """Differences of what was measured, ours less theirs."""
    operators: Mapping[str, float] = field(default_factory=dict)
    """How many times its usual weight each operator has for the children."""
    meta_prompt: str = ""
    lessons: tuple[str, ...] = ()
    author: str = ""
    """The model that judged."""
    spent: Spent = field(default_factory=Spent)

    @property
    def value(self) -> float:
        """Local value of the child."""
        return local_value(self.ours, self.theirs)

    def details(self) -> dict[str, Any]:
        """What a row has no columns for, as JSON."""
        names = ("signs", "operators", "meta_prompt", "lessons")
        return {"criteria": [asdict(each) for each in self.criteria], **{name: getattr(self, name) for name in names}}

    def columns(self) -> dict[str, Any]:
        """And what it has."""
        return {
            "rival_id": self.rival,
            "decided_by": self.decided_by,
            "total": self.ours,
            "rival_total": self.theirs,
            "difference": self.difference.mean,
            "low": self.difference.low,
            "high": self.difference.high,
            "n": self.difference.n,
            "author": self.author,
            **asdict(self.spent),
        }

    @classmethod
    def of(cls, row: Row, details: Mapping[str, Any]) -> Comparison:
        """As it was kept."""
        estimate = Estimate(row.difference, row.low, row.high, row.n)
        rest = {**details, "lessons": tuple(details["lessons"])}
        rest["spent"] = Spent(row.tokens_in, row.tokens_out, row.dollars)
        rest["criteria"] = tuple(Criterion(**each) for each in details["criteria"])
        pair = (row.design_id, row.rival_id, row.decided_by, row.total, row.rival_total)
        return cls(*pair, estimate, author=row.author, **rest)


NOT_COMPARED = {"rival_id": "", "decided_by": "", "author": "", **asdict(Spent())}
NOT_COMPARED |= dict.fromkeys(("total", "rival_total", "difference", "low", "high", "n"), 0)


@dataclass(slots=True)
class _Sums:
    """Of one sign over pairs: products of its difference with that of the scores."""

    pairs: int = 0
    both: float = 0.0
    sign: float = 0.0
    score: float = 0.0


class Weighing:
    """What went with higher scores in the pairs so far.

    >>> weighing = Weighing()
    >>> weighing.learn({"empty": -0.5}, 0.2)
    >>> round(weighing.worth("empty"), 3), weighing.worth("cut")
    (-0.167, 0.0)
    """

    def __init__(self) -> None:
        self._sums: dict[str, _Sums] = {}

    def learn(self, signs: Mapping[str, float], difference: float) -> None:
        """Take in a pair: how its signs and its scores differ."""
        for name, value in signs.items():
            sums = self._sums.setdefault(name, _Sums())
            sums.pairs += 1
            sums.both += value * difference
            sums.sign += value**2
            sums.score += difference**2

    def worth(self, sign: str) -> float:
        """Correlation in [-1, 1] of a sign's differences with the scores', about zero, less believed the fewer pairs.

        r = sum(x y) / sqrt(sum(x^2) sum(y^2)) * n / (n + PRIOR); the sign of r says which way is better.
        """
        sums = self._sums.get(sign)
        if sums is None or not sums.sign or not sums.score:
            return 0.0
        return sums.both / sqrt(sums.sign * sums.score) * sums.pairs / (sums.pairs + PRIOR)


class Comparer:
    """Compares the designs of one run, each once, in the order in which they are told of."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.collection: Sequence[Trajectory] = ()
        """The episodes that filled the memories, where a sitting has them."""
        self.weighing = Weighing()
        self._made: dict[str, Comparison | None] = {}
        self._kept: dict[str, Comparison] | None = None
        self._requests: dict[str, tuple[int, str]] = {}
        self._signs: dict[str, Signs] = {}

    def rival(self, design: str, population: Population) -> str | None:
        """The design that another was asked of, if that had a score before it."""
        number, _ = self._member(design)
        asked = population.asked[number] if 0 <= number < len(population.asked) else ()
        places = population.places
        before = asked and asked[0] in places and places[asked[0]] < places.get(design, len(places))
        return asked[0] if before else None

    def tell(self, design: str, population: Population, judged: Comparison | None = None) -> Comparison | None:
        """Compare a design with its rival, unless that is known: from the archive, or from a judge now.

        None where it has no rival.
        """
        if design not in self._made:
            rival = self.rival(design, population)
            found = None
            if rival is not None:
                found = self.kept(design, rival) or judged or self.measure(design, rival)
                self.weighing.learn(found.signs, found.difference.mean)
            self._made[design] = found
        return self._made[design]

    def made(self, design: str) -> Comparison | None:
        """What was said of a design that was told of."""
        return self._made.get(design)

    def keep(self, design: str, population: Population, judged: Comparison | None = None) -> None:
        """Commit what `tell` says, as that of the design which was told last."""
        from archive.comparisons import add_comparison
        from archive.store import pack

        found = self.tell(design, population, judged)
        row = {"run_id": self.evidence.run_id, "design_id": design, "told": len(population.scores)}
        columns = found.columns() if found is not None else NOT_COMPARED
        details = pack(found.details() if found is not None else {})
        add_comparison(self.evidence.archive, {**row, **columns, "details": details, "created": time.time()})

    def kept(self, design: str, rival: str) -> Comparison | None:
        """What the archive holds of a pair."""
        from archive.comparisons import comparisons, details

        if self._kept is None:
            rows = comparisons(self.evidence.archive, self.evidence.run_id)
            self._kept = {row.design_id: Comparison.of(row, details(row)) for row in rows if row.rival_id}
        found = self._kept.get(design)
        return found if found is not None and found.rival == rival else None

    def measure(self, design: str, rival: str) -> Comparison:
        """Compare by what was measured; the words that the design was written by go on to its children."""
        ours, theirs = self.evidence.scores(design), self.evidence.scores(rival)
        difference = paired(ours, theirs)
        mine, other, signs = self.signs(design), self.signs(rival), self.sign_differences(design, rival)
        shared = ours.keys() & theirs.keys()  # what was dropped played some of the tasks
        scores = fmean(ours[task] for task in shared), fmean(theirs[task] for task in shared)
        if is_certain(difference):
            decided_by, weights = MEASURED, {SCORE: 1.0}
        else:
            decided_by, weights = CRITERIA, self._weights(signs)
        criteria = tuple(
            Criterion(name, weight, *_given(scores if name == SCORE else (mine[name], other[name]), self._way(name)))
            for name, weight in weights.items()
        )
        totals = total(criteria)
        operators, parent = self.inherited(design, rival, local_value(*totals)), self._made.get(rival)
        advice = parent.meta_prompt if parent is not None else ""
        return Comparison(design, rival, decided_by, *totals, difference, criteria, signs, operators, advice)

    def signs(self, design: str) -> Signs:
        """What was measured of a design at work, and how much it tells of what won in the collected episodes."""
        if design not in self._signs:
            told = {text for each in self.evidence.retrievals(design) for text in each.texts}
            self._signs[design] = {**self.evidence.signs(design), **of_collection(told, self.collection)}
        return self._signs[design]

    def sign_differences(self, design: str, rival: str) -> Signs:
        """Those of both, ours less theirs."""
        mine, other = self.signs(design), self.signs(rival)
        return {name: round(mine[name] - other[name], 9) for name in mine if name in other}

    def inherited(self, design: str, rival: str, value: float) -> dict[str, float]:
        """The operators' factors for a design's children: its parent's, shifted by what became of the design."""
        parent = self._made.get(rival)
        return shifted(parent.operators if parent is not None else {}, operators_of(self._member(design)[1]), value)

    def _weights(self, signs: Mapping[str, float]) -> dict[str, float]:
        """Shares of the criteria: 1 for the score, for each sign that differs what it was worth so far; then scaled."""
        found = {SCORE: 1.0}
        found |= {name: abs(self.weighing.worth(name)) for name, value in signs.items() if abs(value) >= DIFFERS}
        whole = sum(found.values())
        return {name: weight / whole for name, weight in found.items() if weight}

    def _way(self, name: str) -> bool:
        """Whether more of it is better."""
        return name == SCORE or self.weighing.worth(name) > 0

    def _member(self, design: str) -> tuple[int, str]:
        """The number of the request that a design answers, and what was changed to make it."""
        archive, run_id = self.evidence.archive, self.evidence.run_id
        if not self._requests:
            members = archive.members(run_id)
            self._requests = {each.design_id: (each.number - 1, each.change) for each in members if each.number}
        if design not in self._requests:
            member = archive.member(run_id, design)
            self._requests[design] = (member.number - 1, member.change) if member is not None else (-1, "")
        return self._requests[design]


def is_certain(difference: Estimate) -> bool:
    """Whether the 95 % interval of a paired difference leaves zero out."""
    return difference.interval is not None and (difference.low > 0 or difference.high < 0)


def total(criteria: Sequence[Criterion]) -> tuple[float, float]:
    """S = sum of weight times score, of ours and of theirs."""
    return sum(each.weight * each.ours for each in criteria), sum(each.weight * each.theirs for each in criteria)


def _given(shares: tuple[float, float], more_is_better: bool) -> tuple[float, float]:
    """Scores of 1 to 10 for two shares in [0, 1]."""
    ours, theirs = (LOWEST + (HIGHEST - LOWEST) * (share if more_is_better else 1 - share) for share in shares)
    return ours, theirs
