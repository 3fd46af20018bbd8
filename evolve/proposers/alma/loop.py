"""One proposal: reflect on the parent, implement one change, check it, smoke-test it, and have it repaired."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, astuple
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from archive.store import pack
from archive.tables import Manifest as Row
from evolve.desk import Draft
from evolve.errors import StandstillError
from evolve.evaluation import Need
from evolve.llm.base import (
    BadAnswerError,
    Message,
    ModelError,
    ModelRefusedError,
    Purpose,
    Reply,
    Request,
    TooLongError,
    Usage,
)
from evolve.llm.roles import IMPLEMENT, REFLECT, REPAIR, settings_of
from evolve.manifests import thoughts_of
from evolve.proposers.alma import novelty
from evolve.proposers.alma.dossier import Dossier, known
from evolve.proposers.alma.fitting import LEAST, WINDOW, Cut, Section, fit, tokens_of
from evolve.proposers.alma.forms import Form, Implementation, Plan
from evolve.proposers.alma.patches import PatchError, apply
from evolve.proposers.alma.prompting import fenced, guidance, opening, render, system
from evolve.proposers.base import Commission, Proposal
from evolve.thinking import think
from sandbox.source import SourceRejected

if TYPE_CHECKING:
    from evolve.reflection import Seen

F = TypeVar("F", bound=Form)
Waiting = Generator[Need, Any, F]

REPAIRS = 3
"""Times that a design goes back to the model with what is wrong with it."""
REFLECTED = 6
"""Reflection tasks that the parent plays for one proposal."""
SAMPLES = 100
"""Sample numbers that one request has to itself."""
AGAIN = 1
"""Further samples that are asked for where an answer is refused, or is not of the form."""
LONGEST_FAILURE = 6_000
"""Characters of a failure that the model is shown; its end says most."""


class Attempt(NamedTuple):
    """One answer that was to be a design, and why it fails; the design is empty where it never was one."""

    design: str
    failure: str


class AlmaProposer:
    """ALMA's meta-agent (arXiv 2602.07755, Algorithm 1 and the prompts in its code) on a language model."""

    draws = 1

    def __init__(self, model: str) -> None:
        self.model = model

    def propose(self, commission: Commission) -> Generator[Need, Any, Proposal | None]:
        """Write a design, and keep what led to it; none where no answer was a design."""
        commission.desk.admit()
        endeavour = self.begin(commission)
        try:
            proposal = yield from endeavour.design()
        except StandstillError:
            raise
        except ModelError as error:
            endeavour.give_up(str(error))
            return None
        endeavour.keep(endeavour.entered)
        return proposal

    def begin(self, commission: Commission) -> Endeavour:
        """The work on one request."""
        return Endeavour(self.model, commission)


class Endeavour:
    """The conversation with a model that leads to one design, or to none.

    It only grows, so that each call begins with what the one before it said, and a provider can keep that. What shapes
    it is committed before it is said, so that a killed run says the same again and pays for nothing twice.
    """

    def __init__(self, model: str, commission: Commission) -> None:
        self.model = model
        self.commission = commission
        self.desk = commission.desk
        self.budget = WINDOW
        self.turns: list[Message] = []
        self.replies: list[Reply] = []
        before = self.desk.kept(commission.number)
        kept = thoughts_of(before) if before is not None and not (before.design_id or before.reason) else {}
        self.sections = [Section(*each) for each in kept.get("sections", ())]
        is_answered_again = self.desk.config.cache or self.desk.config.llm == "replay"
        self.followed: dict[str, Any] = kept if is_answered_again else {}
        """What followed the model's words in an earlier sitting, where it says the same in this one."""
        self.attempts: list[Attempt] = [Attempt(*each) for each in self.followed.get("attempts", ())]
        """Those of an earlier sitting first; what failed in them is not found out again."""
        self.thoughts: dict[str, Any] = {"plan": None, "manifest": None, "cut": [], "warnings": []}
        self.was_warned = False
        """Whether it was told that its change seems to be no new one."""
        self.entered = ""
        """Id of the last draft that was taken in."""

    def design(self) -> Generator[Need, Any, Proposal | None]:
        """Reflect, implement, and repair until a smoke test is passed, or no repair is left."""
        role, text, code = IMPLEMENT, render("first"), ""
        if self.commission.parents:
            yield from self._gather()
            plan = yield from self._ask(Plan, REFLECT, render("reflect"))
            self.thoughts["plan"] = plan.model_dump()
            text, code = render("implement"), self.commission.parents[0].source
        for number in range(1 + REPAIRS):
            answer = yield from self._ask(Implementation, role, text)
            self.thoughts["manifest"] = answer.manifest.model_dump()
            made, draft = yield from self._draft(answer, code)
            attempt = yield from self._attempt(number, draft)
            if isinstance(draft, Draft):
                self.entered = attempt.design
                if not attempt.failure or number == REPAIRS:
                    return draft.proposal
                self.desk.send_back(draft, attempt.failure)
            shown = fenced(made, "code") if made else ""
            failure = fenced(attempt.failure[-LONGEST_FAILURE:])
            role, text = REPAIR, render("repair", failure=failure, code=shown, stands=bool(code))
            code = made or code
        raise BadAnswerError(f"no design came of it, also after {REPAIRS} repairs: {attempt.failure}")

    def _attempt(self, number: int, draft: Draft | str) -> Generator[Need, Any, Attempt]:
        """What became of an answer: smoke-tested where it is a draft, and committed."""
        design = draft.checked.hash if isinstance(draft, Draft) else ""
        if [each.design for each in self.attempts[number : number + 1]] != [design]:
            del self.attempts[number:]  # without the cache a run that goes on is answered otherwise
            failure = (yield from self.desk.smoke(self.commission, draft)) if isinstance(draft, Draft) else draft
            self.attempts.append(Attempt(design, failure))
            self.keep()
        return self.attempts[number]

    def give_up(self, reason: str) -> None:
        """Keep why nothing came of it, and say so."""
        self.keep(reason=reason)
        self.desk.say(f"request {self.commission.number}: nothing was proposed: {reason}")

    def keep(self, design: str = "", reason: str = "") -> None:
        """Commit what was thought so far, and what it took; at the end with what came of it."""
        usage = sum((reply.usage for reply in self.replies), Usage())
        dollars = [reply.dollars for reply in self.replies]
        thoughts = {**self.thoughts, "attempts": self.attempts}
        if not (design or reason):
            thoughts["sections"] = [list(astuple(section)) for section in self.sections]
        self.desk.keep(
            Row(
                run_id=self.desk.run_id,
                number=self.commission.number,
                design_id=design,
                thoughts=pack(thoughts),
                reason=reason,
                calls=len(self.replies),
                tokens_in=usage.tokens_in,
                tokens_out=usage.tokens_out,
                cached=usage.cached,
                dollars=sum(each or 0.0 for each in dollars) if None not in dollars else None,
                created=time.time(),
            )
        )

    # What the model is told

    def _gather(self) -> Generator[Need, Any, None]:
        """Have the parent play what is to be reflected on, and read the rest from the archive, all for good."""
        if self.sections:
            return
        parent, number = self.commission.parents[0], self.commission.number
        seen: Sequence[Seen] = ()
        if self.desk.config.context != "scores":
            tasks = self.desk.reflection_tasks(number, REFLECTED)
            seen = yield from self.desk.reflect_on(parent.id, tasks)
        self.sections = Dossier(self.commission, seen).sections()
        self.keep()

    def _messages(self) -> tuple[Message, ...]:
        """The whole conversation, as far as it fits the model's context; what is cut is noted."""
        first = system(self.desk, blocks=True)
        whole = tokens = tokens_of(first)
        if whole > self.budget / 2:
            first = system(self.desk, blocks=False)
            tokens = tokens_of(first)
        told = sum(tokens_of(turn.text) for turn in self.turns)
        kept, cuts = fit([*self.sections, *guidance(self.commission.brief)], self.budget - told - tokens)
        cuts += [Cut("building blocks", whole - tokens, 0)] if tokens < whole else []
        self.thoughts["cut"] = [asdict(cut) for cut in cuts]
        dossier = (Message("user", opening(kept)),) if kept else ()
        return Message("system", first), *dossier, *self.turns

    # Asking

    def _ask(self, form: type[F], role: str, text: str) -> Waiting[F]:
        """An answer of the form to what was said so far and this; both become part of the conversation."""
        self.turns.append(Message("user", text))
        again = 0
        while True:
            request = Request(self._messages(), settings_of(self.desk.config, role))
            purpose = Purpose(role, self.model, self.entered, self.commission.number * SAMPLES + again)
            try:
                value, reply = yield from think(self.desk, form, request, purpose)
            except TooLongError:
                self.budget = min(self.budget, sum(tokens_of(each.text) for each in request.messages)) // 2
                if self.budget < LEAST:
                    raise
                continue
            except (BadAnswerError, ModelRefusedError):
                if again == AGAIN:
                    raise
                again += 1
                continue
            self.replies.append(reply)
            self.turns.append(Message("assistant", value.model_dump_json()))
            return value

    # Checking, before anything is spent

    def _draft(self, answer: Implementation, code: str) -> Generator[Need, Any, tuple[str, Draft | str]]:
        """What an answer makes of the code, and that as a draft that may enter the run; or why it is none."""
        if not answer.module.strip() and not answer.edits:
            return "", "the answer holds neither edits nor a module"
        try:
            edits = [(edit.find, edit.replace) for edit in answer.edits]
            source = answer.module if answer.module.strip() else apply(code, edits)
        except PatchError as error:
            return "", str(error)
        yield from self.desk.turn(self.commission.number)
        try:
            draft = self.desk.examine(self.commission, Proposal(source, _one_line(answer.change), "untrusted"))
        except SourceRejected as rejected:
            return source, f"it is no design: {rejected.reason}"
        if isinstance(draft, str):
            return source, draft
        return source, self._objection(source) or draft

    def _objection(self, source: str) -> str:
        """Why a change seems to be no new one. That is said once, and noted; who insists is let through."""
        if not self.commission.parents or self.was_warned:
            return ""
        archive, run_id, parent = self.desk.archive, self.desk.run_id, self.commission.parents[0]
        there = known(self.commission)
        tried = {
            child: archive.exactly(child).source for child in archive.children_of(run_id, parent.id) if child in there
        }
        objection = ""
        back, mostly = novelty.revived(source, parent.source, self._ancestors())
        if back:
            self.thoughts["warnings"].append({"lines that an ancestor deleted": back})
        if mostly:
            objection = "most of the lines that it adds were deleted by an ancestor:\n" + "\n".join(back[:20])
        if (design := novelty.twin(source, parent.source, tried)) is not None:
            self.thoughts["warnings"].append({"nearly the change of": design})
            objection = f"this is nearly the same change as that of design {design[:10]}, which was tried already"
        self.was_warned = bool(objection)
        return objection

    def _ancestors(self) -> list[str]:
        """Sources of the parent's ancestors by first parents, the nearest first."""
        archive, run_id, design = self.desk.archive, self.desk.run_id, self.commission.parents[0].id
        sources = []
        while older := archive.parents_of(run_id, design):
            design = older[0]
            sources.append(archive.exactly(design).source)
        return sources


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500] or "changed without a word"
