"""What an agent is to the rest: something that picks one of the listed actions, given what it was told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from sandbox.guest import Item


class Player(Protocol):
    """An agent in the middle of one episode."""

    def act(self, observation: str, actions: Sequence[str], items: Sequence[Item]) -> str:
        """Pick one of `actions`; `items` are the retrieved memory in force, best first."""


class Agent(Protocol):
    """Plays episodes. `version` changes whenever an episode would come out differently."""

    name: ClassVar[str]
    version: ClassVar[str]
    reads_instructions: ClassVar[bool]
    """Whether a design's `instructions` can change what it does."""

    def begin(self, goal: str, instructions: str, seed: int) -> Player:
        """Start an episode; equal arguments, observations and items give equal actions."""
