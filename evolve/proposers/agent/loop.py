"""One proposal by a model that calls tools: it reads what it likes of the history, proposes, and mends what fails."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from evolve.agents.prompts import template
from evolve.desk import Draft
from evolve.errors import InputError
from evolve.evaluation import Need
from evolve.history import History
from evolve.llm.base import (
    BadAnswerError,
    Message,
    ModelRefusedError,
    Purpose,
    Reply,
    Request,
    ToolCall,
    TooLongError,
    Usage,
)
from evolve.llm.models import UnusableError
from evolve.llm.prices import Prices
from evolve.llm.roles import PROPOSE, settings_of
from evolve.proposers.agent.tools import Library, Propose, read_call, tools
from evolve.proposers.alma.fitting import LEAST, Cut
from evolve.proposers.alma.loop import AGAIN, LONGEST_FAILURE, REPAIRS, AlmaProposer, Endeavour
from evolve.proposers.alma.prompting import fenced, guidance, opening, render, system
from evolve.proposers.base import Commission, Proposal
from evolve.texts import designs_table
from evolve.thinking import patiently
from sandbox.guest import count_tokens

if TYPE_CHECKING:
    from evolve.config import RunConfig

SAMPLES = 1_000
"""Sample numbers that one request has to itself."""
SILENT = 3
"""Turns in a row without a call after which nothing more is waited for."""
HURRY = 4
"""Turns left when the model is told so."""
ROOM = 0.6
"""How full the context is after the oldest answers were left out, so that this is not done at each turn."""
LEFT_OUT = "(left out to make room; call the tool again if you need it)"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one proposal may take."""

    steps: int = 40
    """Turns of the model."""
    tokens: int = 2_000_000
    """In and out, over all turns; what a provider had cached counts too."""
    dollars: float | None = None

    @classmethod
    def of(cls, config: RunConfig) -> Limits:
        """Those of a run: what it says of the role `propose`, else the defaults."""
        given = config.roles.get(PROPOSE)
        if given is None:
            return cls()
        return cls(given.steps or cls().steps, given.tokens or cls().tokens, given.dollars)


class AgentProposer(AlmaProposer):
    """A model with read-only tools over the archive and one that writes (Meta-Harness, arXiv 2603.28052, section 3)."""

    def __init__(self, model: str, config: RunConfig) -> None:
        """Raises `InputError` where a bound in dollars cannot be kept."""
        super().__init__(model)
        if Limits.of(config).dollars is not None and Prices.load(config.prices).price(model, Usage()) is None:
            raise InputError(
                f"the price of {model} is not known, so that propose.dollars cannot be kept; give it with --prices, or"
                " bound propose.tokens"
            )

    def begin(self, commission: Commission) -> Endeavour:
        """The work on one request."""
        return Reading(self.model, commission)


class Reading(Endeavour):
    """The turns that lead to one design, or to none.

    What tools answered is committed before the model is told, so that a killed run goes on with the same words, and
    the archive's record answers what was paid for.
    """

    def __init__(self, model: str, commission: Commission) -> None:
        super().__init__(model, commission)
        self.limits = Limits.of(self.desk.config)
        self.library = Library(commission)
        self.told: list[str] = list(self.followed.get("told", ()))
        """Answers of tools, those of an earlier sitting first."""
        self.answered = 0
        """How many of them this sitting has used."""
        self.tried = 0
        """How often something was proposed."""
        self.forgotten = 0
        """Turns whose tools' answers were left out."""
        self.code = commission.parents[0].source if commission.parents else ""
        self.thoughts["tools"] = []

    def design(self) -> Generator[Need, Any, Proposal | None]:
        """Let the model read and propose until a design passes its smoke test, or a limit is reached."""
        self.turns.append(Message("user", self._opening()))
        silent = 0
        for step in range(self.limits.steps):
            reply = yield from self._turn(step)
            self.turns.append(Message("assistant", reply.text, reply.calls, kept=reply.kept))
            silent = 0 if reply.calls else silent + 1
            if silent == SILENT:
                raise BadAnswerError(f"{self.model} stopped calling tools, and proposed nothing")
            for call in reply.calls:
                text, proposal = yield from self._answer_call(call)
                if proposal is not None:
                    return proposal
                self.turns.append(Message("tool", text, answers=call.id))
            self.keep()
            if self._is_spent(1.0):
                raise BadAnswerError("nothing was proposed for the tokens or dollars that a proposal may take")
            self._urge(step, reply)
        raise BadAnswerError(f"nothing that works was proposed in {self.limits.steps} turns")

    def keep(self, design: str = "", reason: str = "") -> None:
        """Commit what was done so far, and what tools answered for as long as it may be needed again."""
        self.thoughts.pop("told", None)
        if not (design or reason):
            self.thoughts["told"] = self.told
        super().keep(design, reason)

    # Tools

    def _answer_call(self, call: ToolCall) -> Generator[Need, Any, tuple[str, Proposal | None]]:
        """What a tool answers; or the design that was proposed, where that ends the work."""
        asked = read_call(call)
        self.thoughts["tools"].append(call.name)
        if isinstance(asked, str):
            return asked, None
        if isinstance(asked, Propose):
            return (yield from self._proposed(asked))
        if self.answered == len(self.told):
            self.told.append((yield from self.library.answer(asked)))
        self.answered += 1
        return self.told[self.answered - 1], None

    def _proposed(self, answer: Propose) -> Generator[Need, Any, tuple[str, Proposal | None]]:
        number, self.tried = self.tried, self.tried + 1
        self.thoughts["manifest"] = answer.manifest.model_dump()
        made, draft = yield from self._draft(answer, self.code)
        attempt = yield from self._attempt(number, draft)
        if isinstance(draft, Draft):
            self.entered = attempt.design
            if not attempt.failure or number == REPAIRS:
                return "", draft.proposal
            self.desk.send_back(draft, attempt.failure)
        elif number == REPAIRS:
            raise BadAnswerError(f"no design came of it, also after {REPAIRS} repairs: {attempt.failure}")
        failure, shown = fenced(attempt.failure[-LONGEST_FAILURE:]), fenced(made, "code") if made else ""
        told = render("repair", failure=failure, code=shown, stands=bool(self.code))
        self.code = made or self.code
        return told, None

    # What the model is told

    def _opening(self) -> str:
        desk, parents = self.desk, [parent.id for parent in self.commission.parents]
        lines = {line.design: line for line in History(desk.archive, desk.run_id).designs()}
        shown = fenced(designs_table(lines[parent] for parent in parents)) if parents else ""
        facts = {"context": desk.config.context, "steps": self.limits.steps, "repairs": REPAIRS}
        begin = _say("begin", parents=shown, several=len(parents) > 1, **facts)
        return "\n\n".join(filter(None, (begin, opening(guidance(self.commission.brief)).strip())))

    def _urge(self, step: int, reply: Reply) -> None:
        """Say that nothing was called, or that the end is near."""
        left, spent = self.limits.steps - step - 1, self._is_spent(0.8)
        said = []
        if not reply.calls:
            most = settings_of(self.desk.config, PROPOSE).max_tokens
            said.append(_say("silent", cut=reply.finish == "length", most=most))
        if 0 < left <= HURRY or (spent and left):
            said.append(_say("hurry", turns=left, spent=spent))
        if said:
            self.turns.append(Message("user", "\n\n".join(said)))

    def _is_spent(self, share: float) -> bool:
        """Whether such a share of what the proposal may take is taken."""
        tokens = sum(reply.usage.tokens_in + reply.usage.tokens_out for reply in self.replies)
        dollars = sum(reply.dollars or 0.0 for reply in self.replies)
        limit = self.limits.dollars
        return tokens >= share * self.limits.tokens or (limit is not None and dollars >= share * limit)

    def _messages(self) -> tuple[Message, ...]:
        """The whole conversation, the oldest answers of tools left out where it does not fit the model's context."""
        first = system(self.desk, blocks=True)
        if count_tokens(first) > self.budget / 2:
            first = system(self.desk, blocks=False)
        while self._size(first) > self.budget and self._forget(first):
            pass
        return Message("system", first), *self._remembered()

    def _remembered(self) -> list[Message]:
        old = [replace(turn, text=LEFT_OUT) if turn.answers else turn for turn in self.turns[: self.forgotten]]
        return [*old, *self.turns[self.forgotten :]]

    def _size(self, first: str) -> int:
        return count_tokens(first) + sum(_tokens(turn) for turn in self._remembered())

    def _forget(self, first: str) -> bool:
        """Leave out old answers until there is room; false where nothing more can go."""
        before = self.forgotten
        while self.forgotten < len(self.turns) - 1 and self._size(first) > ROOM * self.budget:
            self.forgotten += 1
        if self.forgotten > before:
            gone = sum(count_tokens(turn.text) for turn in self.turns[: self.forgotten] if turn.answers)
            self.thoughts["cut"] = [asdict(Cut("older answers of tools", gone, 0))]
        return self.forgotten > before

    # Asking

    def _turn(self, step: int) -> Generator[Need, Any, Reply]:
        """The model's next words; what is refused or of no use is asked for once more."""
        again = 0
        while True:
            settings, offered = settings_of(self.desk.config, PROPOSE), tools(self.desk.config.context)
            request = Request(self._messages(), settings, tools=offered)
            sample = self.commission.number * SAMPLES + step * (1 + AGAIN) + again
            purpose = Purpose(PROPOSE, self.model, self.entered, sample)
            try:
                reply = yield from patiently(self.desk, partial(self.desk.asker.ask, request, purpose))
                if reply.finish == "refusal":
                    raise ModelRefusedError(f"{self.model} refused: {reply.text[:200]}")
            except TooLongError:
                self.budget = min(self.budget, self._size(request.messages[0].text)) // 2
                if self.budget < LEAST:
                    raise
                continue
            except (BadAnswerError, ModelRefusedError) as error:
                if isinstance(error, UnusableError):
                    self.replies.append(error.reply)
                if again == AGAIN:
                    raise
                again += 1
                continue
            self.replies.append(reply)
            return reply


def _say(name: str, **facts: object) -> str:
    text: str = template(f"agent_{name}").render(**facts)
    return text


def _tokens(turn: Message) -> int:
    said = count_tokens(turn.text) + sum(count_tokens(str(call.arguments)) for call in turn.calls)
    return max(said, count_tokens(str(turn.kept)) if turn.kept is not None else 0)
