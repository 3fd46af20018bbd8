"""An agent on a small local model, which continues a text of two solved examples with one of the listed actions.

Small models choose by position where they are asked in a chat, and ignore what they were told; continuing an example
they copy what is near. A grammar keeps them to the listed actions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from evolve.agents.base import Account
from evolve.agents.matching import drawn, matched
from evolve.agents.prompts import clipped, digest, template, text_of
from evolve.llm.base import Asker, BadAnswerError, Message, ModelRefusedError, Purpose, Request, Settings
from evolve.llm.roles import AGENT
from sandbox.guest import Item, count_tokens, lines

TEMPLATE = "play_continue"
KNOWN = 500
"""Tokens of memory, the best items first."""
TURNS = 400
"""Tokens of the last turns."""
LINE = 100
"""Tokens of an observation, of a line of memory, and of the goal."""


class CompletionAgent:
    """Has a model continue the episode's text; reads no instructions, for such a model follows none."""

    reads_instructions = False

    def __init__(self, model: str, settings: Settings, asker: Asker | None = None) -> None:
        self.name = model
        self.settings = replace(settings, temperature=settings.temperature or 0.0)
        self.version = f"continue-{digest(self.settings, KNOWN, TURNS, LINE, text_of(TEMPLATE))}"
        self._asker = asker

    def begin(self, goal: str, instructions: str, seed: int, account: Account | None = None) -> CompletionPlayer:
        """Start an episode; its calls are samples of the seed."""
        if self._asker is None:
            raise RuntimeError("an agent that was loaded without a gateway cannot play")
        account = account or Account()
        purpose = Purpose(AGENT, self.name, account.design, seed)
        return CompletionPlayer(self._asker, purpose, self.settings, goal, account)


class CompletionPlayer:
    """One episode."""

    def __init__(self, asker: Asker, purpose: Purpose, settings: Settings, goal: str, account: Account) -> None:
        self._asker = asker
        self._purpose = purpose
        self._settings = settings
        self._goal = _line(goal)
        self._account = account
        self._turns: list[tuple[str, str]] = []
        self._number = 0

    def act(self, observation: str, actions: Sequence[str], items: Sequence[Item]) -> str:
        """Have the model continue with an action; where it does not, take one that the seed draws."""
        seen = _line(observation)
        prompt = template(TEMPLATE).render(goal=self._goal, known=_known(items), turns=self._turns, observation=seen)
        request = Request(
            (Message("user", prompt + "\n"),), self._settings, continues=True, grammar=grammar(actions), stop=("\n",)
        )
        action = matched(self._said(request), actions)
        if action is None:
            self._account.misses += 1
            action = drawn(actions, self._purpose.sample, self._number)
        self._number += 1
        self._turns.append((seen, action))
        while sum(count_tokens(seen) + count_tokens(done) for seen, done in self._turns) > TURNS:
            del self._turns[0]
        return action

    def _said(self, request: Request) -> str | None:
        try:
            reply = self._asker.ask(request, self._purpose)
        except (ModelRefusedError, BadAnswerError):
            return None
        self._account.charge(reply)
        return reply.text.strip()


def grammar(actions: Iterable[str]) -> str:
    """A GBNF grammar of the listed actions.

    >>> print(grammar(["look", "take it"]))
    root ::= "look" | "take it"
    """
    return "root ::= " + " | ".join(json.dumps(action, ensure_ascii=False) for action in dict.fromkeys(actions))


def _known(items: Sequence[Item]) -> list[str]:
    """The memory's lines that fit."""
    known: list[str] = []
    spent = 0
    for line in (_line(each) for item in items for each in lines(item.text)):
        spent += count_tokens(line)
        if spent > KNOWN:
            break
        known.append(line)
    return known


def _line(text: str) -> str:
    """A text on one line, not too long."""
    return clipped(" ".join(text.split()), LINE)
