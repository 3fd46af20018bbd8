"""What is wrong with a design, by part, and what that says to whoever is to change it.

The diagnosis of MemEvolve (arXiv 2512.18746, section 4: a defect profile over the four parts, from the evidence of
trajectories). Each rule turns measured signs into the severity of one defect. A descendant is to mend one part: the
first of a parent the worst one, the next the second worst, and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evolve.genotype import Genotype
from evolve.proposers.base import Brief
from evolve.signs import Signs

LEAST = 0.1
"""Severity below which a defect is none."""
FOCUS = 3.0
"""How many times its usual weight an operator has that a defect calls for."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong with one part."""

    part: str
    name: str
    severity: float
    """In [0, 1]."""
    evidence: str
    remedy: str = ""

    def note(self) -> str:
        """One line, for whoever is to mend it."""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.part}: {self.name} ({self.evidence}{remedy})"


@dataclass(frozen=True, slots=True)
class DefectProfile:
    """What is wrong with a design, worst first, with the signs that say so."""

    defects: tuple[Defect, ...] = ()
    signs: Mapping[str, float] = field(default_factory=dict)
    author: str = ""
    """The model that found the defects; empty where they were measured."""

    def parts(self) -> list[str]:
        """The parts with a defect, that with the worst one first."""
        return list(dict.fromkeys(defect.part for defect in self.defects))

    def of(self, part: str) -> list[Defect]:
        """What is wrong with one part."""
        return [defect for defect in self.defects if defect.part == part]

    def brief(self, brief: Brief) -> Brief:
        """What this adds to a brief that names no part: the part for this descendant, its defects, operator weights.

        Once each part had its turn, the next descendant is free to change anything; then it is the first one's turn.
        """
        turns = [*self.parts(), ""]
        part = turns[brief.descendant % len(turns)]
        if brief.part or not part:
            return brief
        found = self.of(part)
        weights = {name: FOCUS * weight for name, weight in _called_for(found).items()}
        notes = (*brief.notes, *(defect.note() for defect in found))
        return replace(brief, part=part, operators={**weights, **brief.operators}, notes=notes)

    def pack(self) -> dict[str, Any]:
        """As JSON."""
        defects = [[each.part, each.name, each.severity, each.evidence, each.remedy] for each in self.defects]
        return {"defects": defects, "signs": dict(self.signs), "author": self.author}

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> DefectProfile:
        """The inverse of `pack`."""
        return cls(tuple(Defect(*each) for each in packed["defects"]), packed["signs"], packed["author"])


@dataclass(frozen=True, slots=True)
class Rule:
    """One defect: of which part, how severe by the signs, what shows it, what may mend it, and by which operators."""

    part: str
    name: str
    severity: Callable[[Mapping[str, float]], float]
    evidence: str
    """A template of the signs."""
    remedy: str
    operators: tuple[str, ...]


RULES = (
    Rule(
        "encode",
        "what won is not kept",
        lambda s: 1 - s["kept"],
        "{kept:.0%} of the actions rewarded in the collected episodes stand in anything that it tells",
        "encode what was rewarded",
        ("swap_block", "add_layer", "cross_parts"),
    ),
    Rule(
        "encode",
        "bad abstraction",
        lambda s: s["foreign"],
        "{foreign:.0%} of its items speak mostly of what does not occur in the episode",
        "put slots for what differs from task to task, or keep what tasks share",
        ("wrap_encoder", "swap_block"),
    ),
    Rule(
        "store",
        "nothing is found",
        lambda s: s["empty"] - s["failed"],
        "{empty:.0%} of the episodes were told nothing",
        "store it so that other words find it too",
        ("swap_block",),
    ),
    Rule(
        "store",
        "what won is kept but not found",
        lambda s: s["missed"],
        "{missed:.0%} of the rewarded actions stand in what other tasks are told, but not where they are due",
        "index it by what a query holds",
        ("swap_block",),
    ),
    Rule(
        "retrieve",
        "retrieval fails",
        lambda s: s["failed"],
        "{failed:.0%} of the retrievals ended in an error",
        "handle every query",
        ("swap_block",),
    ),
    Rule(
        "retrieve",
        "over-long",
        lambda s: s["cut"],
        "in {cut:.0%} of the tasks something is cut off at the budget",
        "tell less",
        ("change_lines", "change_parameter", "mutate_worth"),
    ),
    Rule(
        "retrieve",
        "mostly ballast",
        lambda s: s["full"] * (1 - s["followed"]),
        "{full:.0%} of the budget is used, and {followed:.0%} of the items are followed",
        "tell less",
        ("change_lines", "change_parameter", "mutate_worth"),
    ),
    Rule(
        "retrieve",
        "not followed",
        lambda s: (1 - s["followed"]) * (1 - s["covered"]),
        "{followed:.0%} of the items are followed, {covered:.0%} of the rewarded actions stand in them",
        "rank by what the task needs",
        ("mutate_worth", "swap_block", "fuse_retrievers", "cross_expressions"),
    ),
    Rule(
        "retrieve",
        "the same for every task",
        lambda s: s["same"],
        "{same:.0%} of the tasks are told just what another one is told",
        "make it depend on the query",
        ("swap_block", "fuse_retrievers", "mutate_worth"),
    ),
    Rule(
        "manage",
        "repetition",
        lambda s: s["repeated"],
        "{repeated:.0%} of the lines repeat another one of the same retrieval",
        "drop duplicates",
        ("add_layer", "swap_block"),
    ),
    Rule(
        "manage",
        "stale beside new",
        lambda s: s["twins"],
        "{twins:.0%} of the lines stand beside one that says nearly the same",
        "merge what speaks of the same thing, or forget the older",
        ("add_layer", "swap_block", "change_parameter"),
    ),
    Rule(
        "manage",
        "missing forgetting",
        lambda s: s["unmanaged"] * s["full"],
        "nothing is ever merged or forgotten, and {full:.0%} of the budget is used",
        "forget what never helped",
        ("add_layer",),
    ),
)


def measured(signs: Signs, parts: Genotype) -> DefectProfile:
    """The defects that the rules find; a rule whose signs were not measured finds none."""
    if parts.source == "layers":
        signs = {**signs, "unmanaged": float(parts.manage == "nothing")}
    found = []
    for rule in RULES:
        try:
            severity, evidence = rule.severity(signs), rule.evidence.format(**signs)
        except KeyError:
            continue
        if severity >= LEAST:
            found.append(Defect(rule.part, rule.name, round(severity, 4), evidence, rule.remedy))
    return DefectProfile(worst_first(found), signs)


def worst_first(defects: Sequence[Defect]) -> tuple[Defect, ...]:
    """In the order in which they are to be mended."""
    return tuple(sorted(defects, key=lambda defect: -defect.severity))


def _called_for(defects: Sequence[Defect]) -> dict[str, float]:
    """Usual weights of the operators that the measured ones among some defects call for."""
    from evolve.proposers.genetic import DEFAULT_WEIGHTS

    rules = {(rule.part, rule.name): rule for rule in RULES}
    known = [rules[defect.part, defect.name] for defect in defects if (defect.part, defect.name) in rules]
    return {name: DEFAULT_WEIGHTS[name] for rule in known for name in rule.operators}
