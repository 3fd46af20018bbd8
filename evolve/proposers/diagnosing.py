"""Diagnose and design: a parent is diagnosed once, and each of its descendants is to mend one of its parts.

MemEvolve (arXiv 2512.18746, section 4). The diagnosis goes by whole episodes on reflection tasks, which never select,
by what the evaluation keeps of what was told, and by the episodes that filled the memory.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from archive.fronts import add_diagnosis, diagnosis
from evolve.agents.prompts import template
from evolve.diagnosis import Defect, DefectProfile, measured, worst_first
from evolve.evaluation import Need
from evolve.history import Watched
from evolve.llm.base import BadAnswerError, Message, ModelRefusedError, Purpose, Request, TooLongError
from evolve.llm.roles import DIAGNOSE, settings_of
from evolve.proposers.alma.fitting import ALWAYS, LEAST, WINDOW, Section, fit
from evolve.proposers.alma.forms import Form, Part
from evolve.proposers.alma.prompting import opening, system
from evolve.proposers.base import Commission, Proposal, Proposer
from evolve.signs import describe, of_collection, of_episodes
from evolve.texts import episode_text, one_line
from evolve.thinking import think, until

if TYPE_CHECKING:
    from archive.tables import Design
    from evolve.desk import Desk
    from evolve.proposers.base import Brief
    from evolve.reflection import Seen

SEVERITIES = {"high": 0.9, "medium": 0.6, "low": 0.3}
HELD = 10
"""Proposals of a request that are held to the diagnosed part; those after them may change anything."""
LONGEST = 300
"""Characters of a finding's fields that are passed on."""


class Finding(Form):
    """One thing that is wrong with one part."""

    part: Part
    defect: str = Field(description="what is wrong, in a few words")
    evidence: str = Field(description="the episodes, signs or lines of code that show it, in one sentence")
    remedy: str = Field(description="what would mend it, in one sentence")
    severity: Literal["high", "medium", "low"]


class Findings(Form):
    """What is wrong with a design, worst first."""

    findings: list[Finding]


class Diagnosing:
    """Tells the proposer that it wraps which part of the first parent to mend, and why."""

    def __init__(self, inner: Proposer, tasks: int, model: str = "") -> None:
        self.inner = inner
        self.draws = inner.draws
        self.tasks = tasks
        """Reflection tasks that a parent plays for it, the same for all, so that parents are measured alike."""
        self.model = model
        """Who diagnoses; where it is empty the measured signs do."""
        self._drawn: dict[int, int] = {}
        """Proposals that the requests of this sitting drew, by number."""
        self._looking: set[str] = set()
        """Designs that are being diagnosed."""

    def propose(self, commission: Commission) -> Generator[Need, Any, Proposal | None]:
        """Diagnose the first parent if nobody did, and have a descendant written."""
        if commission.parents:
            profile = yield from self._profile(commission.desk, commission.parents[0])
            draw = self._drawn.get(commission.number, 0)
            self._drawn[commission.number] = draw + 1
            commission = replace(commission, brief=briefed(commission.brief, profile, draw))
        return (yield from self.inner.propose(commission))

    def _profile(self, desk: Desk, design: Design) -> Generator[Need, Any, DefectProfile]:
        """The diagnosis of a design, by whoever asks for it first."""
        yield from until(lambda: design.id not in self._looking)
        kept = diagnosis(desk.archive, desk.run_id, design.id)
        if kept is not None:
            return DefectProfile.unpack(kept)
        self._looking.add(design.id)
        try:
            profile = yield from self._diagnose(desk, design)
            add_diagnosis(desk.archive, desk.run_id, design.id, profile.pack(), time.time())
        finally:
            self._looking.remove(design.id)
        return profile

    def _diagnose(self, desk: Desk, design: Design) -> Generator[Need, Any, DefectProfile]:
        if design.origin == "untrusted":
            desk.admit()
        seen: Sequence[Seen] = ()
        if self.tasks:
            seen = yield from desk.reflect_on(design.id, desk.reflection_tasks(0, self.tasks))
        profile = examined(desk, design.id, seen)
        if not self.model:
            return profile
        return (yield from self._asked(desk, design, profile, seen))

    def _asked(
        self, desk: Desk, design: Design, profile: DefectProfile, seen: Sequence[Seen]
    ) -> Generator[Need, Any, DefectProfile]:
        """What a model finds from the same evidence; what was measured stands where it finds nothing of use."""
        sections, budget = evidence_of(desk, design, profile, seen), WINDOW
        purpose = Purpose(DIAGNOSE, self.model, design.id)
        while True:
            kept, _ = fit(sections, budget)
            told = f"{opening(kept)}\n\n{template('diagnose').render()}"
            messages = Message("system", system(desk, blocks=budget == WINDOW)), Message("user", told)
            try:
                answer, _ = yield from think(
                    desk, Findings, Request(messages, settings_of(desk.config, DIAGNOSE)), purpose
                )
            except TooLongError:
                budget //= 2
                if budget >= LEAST:
                    continue
                reason = "even the shortest account of it is too long"
            except (BadAnswerError, ModelRefusedError) as error:
                reason = str(error)
            else:
                return replace(profile, defects=found_by(answer), author=self.model) if answer.findings else profile
            desk.say(f"{design.id[:10]} is diagnosed by what was measured alone: {reason}")
            return profile


def examined(desk: Desk, design: str, seen: Sequence[Seen]) -> DefectProfile:
    """The defects that are measured."""
    evidence = desk.evidence
    told = {text for each in evidence.retrievals(design) for text in each.texts}
    told |= {item.text for each in seen for change in each.told for item in change.items}
    signs = {**evidence.signs(design), **of_episodes(seen, told), **of_collection(told, desk.collection)}
    return measured(signs, evidence.genotype(design))


def evidence_of(desk: Desk, design: Design, profile: DefectProfile, seen: Sequence[Seen]) -> list[Section]:
    """What a model is shown: it depends on the design alone, so that all descendants share one call."""
    parts = desk.evidence.genotype(design.id).parts()
    shown = sorted(seen, key=lambda each: each.score) if desk.config.context == "traces" else ()
    noted = [defect.note() for defect in profile.defects] or ["nothing that the rules know of"]
    return [
        Section("The design: its code", design.source, ALWAYS, kind="code"),
        Section("Its parts", "\n".join(f"{name}: {one_line(text)}" for name, text in parts.items()), ALWAYS),
        Section("What was measured of it", "\n".join(describe(profile.signs)), ALWAYS, kind=""),
        Section("What fixed rules make of that, worst first", "\n".join(noted), ALWAYS, kind=""),
        *(
            Section(
                f"Episode {number} with it: score {each.score:.2f}",
                episode_text(Watched(design.id, 0, each.trajectory)),
                30,
            )
            for number, each in enumerate(shown, 1)
        ),
    ]


def found_by(answer: Findings) -> tuple[Defect, ...]:
    """A model's findings as defects."""
    return worst_first(
        [
            Defect(
                each.part,
                one_line(each.defect, LONGEST),
                SEVERITIES[each.severity],
                one_line(each.evidence, LONGEST),
                one_line(each.remedy, LONGEST),
            )
            for each in answer.findings
        ]
    )


def briefed(brief: Brief, profile: DefectProfile, draw: int) -> Brief:
    """What a request's proposal of this number is written by: of some parts there are few variants, which run out."""
    return profile.brief(brief) if draw < HELD else brief
