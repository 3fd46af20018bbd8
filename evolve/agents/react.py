"""An agent on a chat model, in the manner of ReAct (arXiv 2210.03629): at each turn a thought and a listed action."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evolve.agents.base import Account
from evolve.agents.matching import drawn, matched
from evolve.agents.prompts import clipped, digest, template, text_of
from evolve.llm.base import (
    Asker,
    BadAnswerError,
    Message,
    ModelRefusedError,
    Purpose,
    Reply,
    Request,
    Settings,
    TooLongError,
)
from evolve.llm.roles import AGENT
from sandbox.guest import Item, count_tokens

TEMPLATES = ("play_react", "play_memory", "play_turn")
HISTORY = 6000
"""Tokens of turns that are sent along; where they are more, the oldest are left out until they are half as many, so
that what is sent begins alike for many turns, and a provider's cache of prefixes helps."""
OBSERVATION = 1500
"""Tokens of one observation."""
THOUGHT = 200
"""Tokens of a thought that are kept."""
LONGEST_ENUM = 64
"""Listed actions that a schema names; more are matched to a free text."""


class ReactAgent:
    """Asks a model for each action, with the retrieved memory, the design's instructions and the turns so far."""

    reads_instructions = True

    def __init__(self, model: str, settings: Settings, asker: Asker | None = None) -> None:
        self.name = model
        self.settings = settings
        self.version = (
            f"react-{digest(settings, HISTORY, OBSERVATION, THOUGHT, LONGEST_ENUM, *map(text_of, TEMPLATES))}"
        )
        self._asker = asker

    def begin(self, goal: str, instructions: str, seed: int, account: Account | None = None) -> ReactPlayer:
        """Start an episode. Its calls are samples of the seed, so that equal episodes are equal calls."""
        if self._asker is None:
            raise RuntimeError("an agent that was loaded without a gateway cannot play")
        account = account or Account()
        purpose = Purpose(AGENT, self.name, account.design, seed)
        return ReactPlayer(self._asker, purpose, self.settings, goal, instructions, account)


@dataclass(frozen=True, slots=True)
class Turn:
    """What was observed, and what the agent said to it; about so many tokens are sent for both."""

    observation: str
    said: str
    tokens: int

    @classmethod
    def of(cls, observation: str, thought: str, action: str) -> Turn:
        """A turn in which an action was taken for a reason."""
        said = json.dumps({"thought": thought, "action": action}, ensure_ascii=False)
        return cls(observation, said, count_tokens(observation) + count_tokens(said))


class ReactPlayer:
    """One episode."""

    def __init__(
        self, asker: Asker, purpose: Purpose, settings: Settings, goal: str, instructions: str, account: Account
    ) -> None:
        self._asker = asker
        self._purpose = purpose
        self._settings = settings
        self._goal = goal
        self._instructions = instructions
        self._account = account
        self._turns: list[Turn] = []
        self._skipped = 0
        """Turns at the beginning that are left out."""

    def act(self, observation: str, actions: Sequence[str], items: Sequence[Item]) -> str:
        """Ask the model; where no answer names a listed action, take one that the seed draws."""
        observation = clipped(observation, OBSERVATION)
        self._leave_out()
        reply = self._ask(observation, actions, items)
        answer = reply.value if reply is not None and isinstance(reply.value, dict) else {}
        action = matched(answer.get("action", reply.text if reply is not None and not answer else None), actions)
        if action is None:
            self._account.misses += 1
            action = drawn(actions, self._purpose.sample, len(self._turns))
        thought = answer.get("thought")
        said = clipped(thought, THOUGHT) if isinstance(thought, str) else ""
        self._turns.append(Turn.of(observation, said.encode("utf-8", "replace").decode(), action))
        return action

    def _ask(self, observation: str, actions: Sequence[str], items: Sequence[Item]) -> Reply | None:
        """The model's reply; none where it refuses, also without the earlier turns."""
        while True:
            request = Request(self._messages(observation, actions, items), self._settings, schema=form(actions))
            try:
                reply = self._asker.ask(request, self._purpose)
            except TooLongError:
                if self._skipped == len(self._turns):
                    return None
                self._skipped += -(-(len(self._turns) - self._skipped) // 2)
            except (ModelRefusedError, BadAnswerError):
                return None
            else:
                self._account.charge(reply)
                return reply

    def _leave_out(self) -> None:
        """Leave the oldest turns out where they are too many."""
        if sum(turn.tokens for turn in self._turns[self._skipped :]) > HISTORY:
            while sum(turn.tokens for turn in self._turns[self._skipped :]) > HISTORY // 2:
                self._skipped += 1

    def _messages(self, observation: str, actions: Sequence[str], items: Sequence[Item]) -> tuple[Message, ...]:
        """What does not change comes first."""
        memory = template("play_memory").render(instructions=self._instructions, items=items)
        messages = [Message("system", text_of("play_react")), Message("system", memory)]
        for number, turn in enumerate(self._turns[self._skipped :]):
            messages.append(Message("user", self._shown(turn.observation, (), is_first=not number)))
            messages.append(Message("assistant", turn.said))
        is_first = self._skipped == len(self._turns)
        return (*messages, Message("user", self._shown(observation, actions, is_first=is_first)))

    def _shown(self, observation: str, actions: Sequence[str], *, is_first: bool) -> str:
        """A turn as the model sees it; the first also says the goal, and what was left out before it."""
        goal, skipped = (self._goal, self._skipped) if is_first else ("", 0)
        text: str = template("play_turn").render(goal=goal, skipped=skipped, observation=observation, actions=actions)
        return text.strip()


def form(actions: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of an answer; it names the actions where they are few."""
    listed = list(dict.fromkeys(actions))
    action = {"type": "string", "enum": listed} if len(listed) <= LONGEST_ENUM else {"type": "string"}
    return {
        "type": "object",
        "properties": {"thought": {"type": "string"}, "action": action},
        "required": ["thought", "action"],
        "additionalProperties": False,
    }
