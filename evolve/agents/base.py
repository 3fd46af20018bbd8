"""What an agent is to the rest: something that picks one of the listed actions, given what it was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sandbox.guest import Item

if TYPE_CHECKING:
    from evolve.llm.base import Reply


@dataclass(slots=True)
class Account:
    """What the agent's calls of a model took in one episode. Calls that were answered from a record count alike."""

    design: str = ""
    """Id of the design for which the episode is played, if it is for one alone."""
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    dollars: float | None = 0.0
    """None where the price of a call is not known."""
    misses: int = 0
    """Steps in which no answer named a listed action."""

    def charge(self, reply: Reply) -> None:
        """Add a call."""
        self.calls += 1
        self.tokens_in += reply.usage.tokens_in
        self.tokens_out += reply.usage.tokens_out
        unknown = self.dollars is None or reply.dollars is None
        self.dollars = None if unknown else (self.dollars or 0.0) + (reply.dollars or 0.0)


class Player(Protocol):
    """An agent in the middle of one episode."""

    def act(self, observation: str, actions: Sequence[str], items: Sequence[Item]) -> str:
        """Pick one of `actions`; `items` are the retrieved memory in force, best first.

        Raises a `ModelError` where the agent's model is away, or the run's budget does not cover the call.
        """


class Agent(Protocol):
    """Plays episodes. `version` changes whenever an episode would come out differently."""

    @property
    def name(self) -> str:
        """What `registry.load` knows it by."""

    @property
    def version(self) -> str:
        """Part of every key under which an episode is kept."""

    @property
    def reads_instructions(self) -> bool:
        """Whether a design's `instructions` can change what it does."""

    def begin(self, goal: str, instructions: str, seed: int, account: Account | None = None) -> Player:
        """Start an episode; equal arguments, observations and items give equal actions, but for the account."""
