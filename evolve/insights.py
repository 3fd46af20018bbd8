"""Insights: what was seen to help or to harm, kept across runs by atomic operations that nothing overwrites.

The memory of Empirical-MCTS (arXiv 2602.04248, section 3.4): Add, Modify, Merge and Delete, each with its reason, its
evidence and its author. Where a plan of them does not hold together, all of it is refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf, sqrt
from typing import TYPE_CHECKING, Any, Literal

from evolve.errors import InputError
from evolve.statistics import Estimate

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Operation as Row

MEASURED, PERSON, IMPORT = "measured", "person", "import"
"""Authors; else it is the name of a model."""
LESSON = "lesson"
"""The kind of an insight in words; those that are measured name what they are about."""
TACTIC = "tactic"
"""The kind of what came of a tactic."""
ANY = ""
"""The stage of an insight that holds at every one."""
BELIEVED = 20.0
"""Most cases of other runs that count, so that a run can find out otherwise."""
OTHER_STAGE, SAME_FAMILY, OTHER_DOMAIN = 0.5, 0.5, 0.25
"""How much evidence counts that comes from another situation."""
STALE = 0.8
"""What is left of an insight's weight for each later run of its domain that said nothing of it."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Cases in which something was tried, and what they gained beyond what is usual in their situation."""

    n: float = 0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.n + other.n, self.total + other.total, self.squares + other.squares)

    def add(self, value: float) -> Tally:
        """With one case more."""
        return self + Tally(1, value, value * value)

    def scaled(self, factor: float) -> Tally:
        """The same, believed more or less."""
        return Tally(self.n * factor, self.total * factor, self.squares * factor)

    @property
    def mean(self) -> float:
        """Mean gain; 0 where nothing was tried."""
        return self.total / self.n if self.n else 0.0

    @property
    def error(self) -> float:
        """Standard error of the mean; infinite for a single case."""
        if self.n < 2:
            return inf
        return sqrt(max(0.0, self.squares - self.total * self.mean) / (self.n - 1) / self.n)

    def estimate(self) -> Estimate:
        """The mean with its 95 % interval by Student's t.

        >>> Tally().add(0.1).add(0.1).estimate()
        Estimate(mean=0.1, low=0.1, high=0.1, n=2)
        """
        if self.n < 2:
            return Estimate(self.mean, -inf, inf, int(self.n))
        from scipy.special import stdtrit

        half = float(stdtrit(self.n - 1, 0.975)) * self.error
        return Estimate(self.mean, self.mean - half, self.mean + half, int(self.n))


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a search stands."""

    domain: str
    stage: str = ANY
    """`start`: nothing to change; `weak`, `strong`: the parent is one of the lower or of the upper half."""


@dataclass(frozen=True, slots=True)
class Insight:
    """One lesson. `kind` says what `subject` is: an operator, a block, a range, a tactic; or a lesson in words."""

    kind: str
    subject: str
    """What was tried; of a lesson in words those words."""
    situation: Situation
    evidence: Mapping[str, Tally] = field(default_factory=dict)
    """By the key of the run that it comes from."""
    designs: tuple[str, ...] = ()
    """The last ones that were made so."""
    tasks: tuple[str, ...] = ()
    """Ids of the tasks that it was measured on."""
    used: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By run: designs that were made by it when it had been told, and those of them that gained more than is usual."""
    number: int = 0

    @property
    def tally(self) -> Tally:
        """All of its evidence."""
        return sum(self.evidence.values(), Tally())

    @property
    def uses(self) -> int:
        """Designs that were made by it when it had been told."""
        return sum(uses for uses, _ in self.used.values())

    @property
    def wins(self) -> int:
        """Of those, the ones that gained more than is usual."""
        return sum(wins for _, wins in self.used.values())

    @property
    def credit(self) -> float:
        """Share of the designs made by it that did better than is usual, (wins + 1) / (uses + 2); .5 before any."""
        return (self.wins + 1) / (self.uses + 2)

    @property
    def same(self) -> tuple[str, str, Situation]:
        """What two insights have in common that speak of the same."""
        return self.kind, self.subject, self.situation

    def sentence(self) -> str:
        """In words, with what it is known by."""
        where, found = f"on {self.situation.domain}" + STAGES[self.situation.stage], self.tally.estimate()
        between = f" [{found.low:+.3f}, {found.high:+.3f}]" if found.interval else ""
        if self.kind == LESSON:
            seen = f"seen {where}; the change that showed it gained {found.mean:+.3f}{between}, {found.n} designs"
            return f"{self.subject} ({seen if found.n else where})"
        gained = f"gains {found.mean:+.3f}{between} beyond what changes usually do, {found.n} designs"
        return f"{KINDS[self.kind].format(self.subject)} ({where}; {gained if found.n else 'not measured'})"

    def pack(self) -> dict[str, Any]:
        """As JSON, without its number."""
        tallies = {source: [tally.n, tally.total, tally.squares] for source, tally in self.evidence.items()}
        packed = {**asdict(self), "evidence": tallies}
        del packed["number"]
        return packed

    @classmethod
    def unpack(cls, packed: Mapping[str, Any], number: int = 0) -> Insight:
        """The inverse of `pack`."""
        known = dict(packed)
        known["situation"] = Situation(**known["situation"])
        known["evidence"] = {source: Tally(*tally) for source, tally in known["evidence"].items()}
        known["used"] = {source: (uses, wins) for source, (uses, wins) in known["used"].items()}
        return cls(**{**known, "designs": tuple(known["designs"]), "tasks": tuple(known["tasks"]), "number": number})


KINDS = {
    "operator": "designs made by the operator {}",
    "block": "designs with the building block {}",
    "range": "designs with {}",
    TACTIC: "designs made by the tactic: {}",
}
STAGES = {ANY: "", "start": ", from nothing", "weak": ", from a weak parent", "strong": ", from a strong parent"}


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a plan."""

    kind: Literal["add", "modify", "merge", "delete"]
    reason: str
    insight: Insight | None = None
    """What is known afterwards; none where something is deleted."""
    targets: tuple[int, ...] = ()
    """Insights that it is done to: none for `add`, at least two for `merge`, else one."""


class PlanError(InputError):
    """A plan does not hold together; none of it is done."""


class Insights:
    """What an archive knows, or knew up to one operation."""

    def __init__(self, archive: Archive, until: int | None = None) -> None:
        from archive.insights import operations

        self.archive = archive
        self.known: dict[int, Insight] = {}
        """By number."""
        self.ever: dict[int, Insight] = {}
        """The same with those that were deleted or merged, as they were last."""
        self.runs: dict[int, int | None] = {}
        """The run that last said something of an insight."""
        self.order: list[tuple[int, str]] = []
        """Runs that learned, with their domain, in the order in which they first did."""
        for row in operations(archive, until):
            self._fold(row)

    def _fold(self, row: Row) -> None:
        from archive.store import unpack

        number = row.id or 0
        targets = numbers_of(row.targets)
        if row.kind in ("merge", "delete"):
            for target in targets:
                self.known.pop(target, None)
        if row.insight:
            place = targets[0] if row.kind == "modify" else number
            self.known[place] = self.ever[place] = Insight.unpack(unpack(row.insight), place)
            self.runs[place] = row.run_id
            if row.run_id is not None:
                entry = row.run_id, self.known[place].situation.domain
                self.order += [entry] if entry not in self.order else []

    def like(self, insight: Insight) -> Insight | None:
        """The one that speaks of the same, or of the same at every stage."""
        everywhere = insight.kind, insight.subject, replace(insight.situation, stage=ANY)
        wanted = (insight.same, everywhere)
        return next((known for known in self.known.values() if known.same in wanted), None)

    def weight(self, insight: Insight, situation: Situation) -> float:
        """How much an insight counts in a situation, in [0, 1]: by likeness, by its credit, and less when stale."""
        there = insight.situation
        likeness = 1.0 if there.stage in (ANY, situation.stage) else OTHER_STAGE
        if there.domain != situation.domain:
            family = there.domain.partition(":")[0] == situation.domain.partition(":")[0]
            likeness *= SAME_FAMILY if family else OTHER_DOMAIN
        later = [run for run, domain in self.order if domain == there.domain]
        last = self.runs.get(insight.number)
        age = len(later) - 1 - later.index(last) if last in later else 0
        return likeness * min(1.0, 2 * insight.credit) * STALE**age

    def relevant(self, situation: Situation, count: int | None = None) -> list[tuple[Insight, Tally]]:
        """The insights that say most of a situation, each with its evidence as far as that counts there."""
        found = []
        for insight in self.known.values():
            tally, weight = insight.tally, self.weight(insight, situation)
            believed = tally.scaled(weight * min(1.0, BELIEVED / tally.n)) if tally.n else tally
            strength = abs(believed.total) if insight.kind != LESSON else weight
            found.append((insight.kind == LESSON, -strength, insight.number, insight, believed))
        found.sort(key=lambda each: each[:3])
        return [(insight, tally) for *_, insight, tally in found[:count]]

    def apply(self, plan: Sequence[Step], author: str, run_id: int | None = None, told: int = 0) -> list[int]:
        """Do all of a plan, or refuse it: raises `PlanError`. Numbers of the operations."""
        from archive.insights import add_operations, last_operation
        from archive.store import pack
        from archive.tables import Operation

        if not plan:
            return []
        first = last_operation(self.archive) + 1
        self._check(plan)
        rows = [
            Operation(
                id=first + place,
                kind=step.kind,
                targets=",".join(map(str, step.targets)),
                run_id=run_id,
                told=told,
                author=author,
                reason=step.reason,
                insight=pack(step.insight.pack()) if step.insight is not None else b"",
                created=time.time(),
            )
            for place, step in enumerate(plan)
        ]
        add_operations(self.archive, [row.model_dump() for row in rows])
        for row in rows:
            self._fold(row)
        return [first + place for place in range(len(rows))]

    def _check(self, plan: Sequence[Step]) -> None:
        there = set(self.known)
        for number, step in enumerate(plan, 1):
            wanted = {"add": len(step.targets) == 0, "merge": len(set(step.targets)) >= 2}
            if not wanted.get(step.kind, len(step.targets) == 1) or (step.insight is None) != (step.kind == "delete"):
                raise PlanError(f"step {number} of the plan, {step.kind}, is not complete")
            if unknown := [target for target in step.targets if target not in there]:
                raise PlanError(f"step {number} of the plan: there is no insight {unknown[0]}")
            if step.kind in ("merge", "delete"):
                there -= set(step.targets)


def numbers_of(text: str) -> list[int]:
    """Targets as they are kept."""
    return [int(each) for each in text.split(",") if each]


def history(archive: Archive, number: int) -> list[Row]:
    """The operations that made an insight what it is or was, the oldest first; of merged ones theirs too."""
    from archive.insights import operations

    wanted = {number}
    found: list[Row] = []
    for row in reversed(operations(archive)):
        targets = set(numbers_of(row.targets))
        if row.id in wanted or targets & wanted:
            found.append(row)
            if row.id in wanted:
                wanted |= targets
    return found[::-1]


# Between archives


def lines(insights: Iterable[Insight]) -> list[str]:
    """Insights as JSON lines."""
    return [json.dumps(insight.pack()) for insight in insights]


def read_line(text: str) -> Insight:
    """The inverse; raises `InputError` of what is none."""
    from pydantic import TypeAdapter, ValidationError

    try:
        packed = json.loads(text)
        names = "n", "total", "squares"
        tallies = {source: dict(zip(names, each, strict=True)) for source, each in packed["evidence"].items()}
        insight: Insight = TypeAdapter(Insight).validate_python({**packed, "evidence": tallies, "number": 0})
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError("it is no insight as `evolve insights export` writes it") from None
    if not (all(map(_is_sound, insight.evidence.values())) and all(0 <= w <= u for u, w in insight.used.values())):
        raise InputError("its evidence does not add up, so that it says nothing")
    if insight.kind not in (*KINDS, LESSON) or insight.situation.stage not in STAGES:
        raise InputError(f"{insight.kind} at the stage {insight.situation.stage!r} is nothing that is known here")
    return insight


def _is_sound(tally: Tally) -> bool:
    """Whether a tally is one of differences between gains, which lie between -2 and 2."""
    return 0 <= tally.n < inf and abs(tally.total) <= 2 * tally.n and 0 <= tally.squares <= 4 * tally.n


def taken_in(known: Insights, others: Sequence[Insight], origin: str) -> list[Step]:
    """The plan that takes in insights of another archive; evidence of a run that is known already does not count."""
    plan = []
    for other in {other.same: other for other in others}.values():
        mine = known.like(other)
        if mine is None:
            plan.append(Step("add", f"from {origin}", other))
        elif fresh := {source: tally for source, tally in other.evidence.items() if source not in mine.evidence}:
            tasks = tuple(dict.fromkeys((*mine.tasks, *other.tasks)))
            joined = replace(mine, evidence={**mine.evidence, **fresh}, tasks=tasks)
            plan.append(Step("modify", f"{len(fresh)} runs more, from {origin}", joined, (mine.number,)))
    return plan
