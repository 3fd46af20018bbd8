"""When improvements dry up a model says once what three tactics to try; each is told to requests of its round.

AdaEvolve (arXiv 2602.20133, level 3). The three ways of `evolve.tactics` say of what kind they are; the model says what
that means for this search. Where it says nothing of use they are told as they are.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from archive.fronts import add_tactics, tactics
from evolve.agents.prompts import template
from evolve.evaluation import Need
from evolve.guidance import named, tactic_note
from evolve.history import History, ranked
from evolve.llm.base import BadAnswerError, Message, ModelRefusedError, Purpose, Request
from evolve.llm.roles import TACTICS as ROLE
from evolve.llm.roles import settings_of
from evolve.proposers.alma.fitting import ALWAYS, WINDOW, Section, fit
from evolve.proposers.alma.forms import Form
from evolve.proposers.alma.prompting import opening, system
from evolve.proposers.base import Brief, Commission, Proposal, Proposer
from evolve.tactics import TACTICS
from evolve.texts import designs_table, one_line
from evolve.thinking import think, until

if TYPE_CHECKING:
    from archive.history import Listed
    from evolve.desk import Desk

SHOWN = 3
"""Designs whose code is shown, the best ones."""
LONGEST = 600
"""Characters of a tactic that are passed on."""


class Ways(Form):
    """What to try now, one way of each kind."""

    leave: str = Field(
        description="a design that works in another way than all of those: its mechanism, in 1-3 sentences"
    )
    cross: str = Field(description="which parts of which of those designs to put together, and why they fit")
    rebuild: str = Field(description="which whole part of the best one to add, take out or replace, and by what")


class Tactical:
    """Tells the proposer that it wraps what a model would try, in rounds that `evolve.tactics.Stagnation` begins."""

    def __init__(self, inner: Proposer, model: str) -> None:
        self.inner = inner
        self.draws = inner.draws
        self.model = model
        self._asking: set[int] = set()
        """Rounds whose tactics are being found."""

    def propose(self, commission: Commission) -> Generator[Need, Any, Proposal | None]:
        """Have the tactic of the request put in words, if it has one, and a design written."""
        for name, began in zip(named(commission.brief, "tactic"), named(commission.brief, "round"), strict=False):
            ways = yield from self._ways(commission.desk, int(began))
            commission = replace(commission, brief=told(commission.brief, name, ways))
        return (yield from self.inner.propose(commission))

    def _ways(self, desk: Desk, began: int) -> Generator[Need, Any, dict[str, str]]:
        """The tactics of a round, by whichever of its requests comes first."""
        yield from until(lambda: began not in self._asking)
        kept = tactics(desk.archive, desk.run_id, began)
        if kept is None:
            self._asking.add(began)
            try:
                kept = yield from self._asked(desk, began)
                add_tactics(desk.archive, desk.run_id, began, kept, self.model, time.time())
            finally:
                self._asking.remove(began)
        return kept

    def _asked(self, desk: Desk, began: int) -> Generator[Need, Any, dict[str, str]]:
        kept, _ = fit(evidence_of(desk, began), WINDOW)
        text = f"{opening(kept)}\n\n{template('tactics').render()}"
        messages = Message("system", system(desk, blocks=True)), Message("user", text)
        request, purpose = Request(messages, settings_of(desk.config, ROLE)), Purpose(ROLE, self.model)
        try:
            answer, _ = yield from think(desk, Ways, request, purpose)
        except (BadAnswerError, ModelRefusedError) as error:
            desk.say(f"nothing got better of late, and no tactics of its own came to {self.model}: {error}")
            return {}
        return {name: text for name, text in _texts(answer).items() if text}


def evidence_of(desk: Desk, began: int) -> list[Section]:
    """What a model is shown: all designs in a line each, and the best ones' code. It depends on the round alone."""
    lines = told_by(History(desk.archive, desk.run_id).designs(), began)
    best, count = ranked(lines)[:SHOWN], sum(map(is_candidate, lines))
    return [
        Section(
            f"All designs of this search so far, of which the last ones were no better: {count}",
            designs_table(lines),
            50,
            True,
        ),
        *(
            Section(
                f"Its code: the design at place {place}", desk.archive.exactly(line.design).source, keep, kind="code"
            )
            for place, (line, keep) in enumerate(zip(best, (ALWAYS, 40, 30), strict=False), 1)
        ),
        *_tried(desk, began),
    ]


def is_candidate(line: Listed) -> bool:
    """Whether a design is one that the search asked for."""
    return line.number > 0


def told_by(lines: Sequence[Listed], began: int) -> list[Listed]:
    """The designs up to the last one that had a score when the round began; there may be more, without scores."""
    scored = [line.number for line in lines if is_candidate(line) and line.score is not None]
    last = max(scored[:began], default=0)
    return [line for line in lines if line.number <= last]


def _tried(desk: Desk, began: int) -> list[Section]:
    found: Sequence[str] = [
        f"- after {each} scores, {name}: {text}"
        for each in range(began)
        for name, text in (tactics(desk.archive, desk.run_id, each) or {}).items()
    ]
    return [Section("What was tried when this happened before", "\n".join(found), 45, True)] if found else []


def _texts(answer: Ways) -> dict[str, str]:
    return {tactic.name: one_line(getattr(answer, tactic.name), LONGEST) for tactic in TACTICS}


def told(brief: Brief, name: str, ways: dict[str, str]) -> Brief:
    """A brief with a tactic as the model put it."""
    if name not in ways:
        return brief
    usual, words = tactic_note(name), f"{tactic_note(name)}; namely: {ways[name]}"
    return replace(brief, notes=tuple(words if note == usual else note for note in brief.notes))
