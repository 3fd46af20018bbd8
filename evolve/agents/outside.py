"""An agent that is not ours, held to its contract while it plays: what it does wrong ends in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from domains import factories
from domains.factories import FactoryError, Made, blamed
from evolve.agents.base import Account, Agent, Player
from evolve.errors import InputError
from sandbox.guest import Item

GROUP = "palimpsest.agents"
"""The entry points by which packages bring agents."""


def load(name: str) -> OutsideAgent | None:
    """The agent of a factory or an entry point, if it is one; raises `InputError` where that makes none."""
    try:
        found = factories.make(name, GROUP)
        if found is None:
            return None
        fields, methods = ("name", "version", "reads_instructions"), ("begin",)
        factories.expect(found.thing, name, "agent", fields, methods, "evolve/agents/base.py (Agent)")
    except FactoryError as error:
        raise InputError(str(error)) from error.__cause__
    return OutsideAgent(name, found)


class OutsideAgent:
    """Plays as another's agent, under the name that it was asked for by; a hash of its source is in its version."""

    def __init__(self, name: str, made: Made) -> None:
        self._inner: Agent = made.thing
        self.name = name
        self.version = f"{self._inner.version}-{made.digest}"
        self.reads_instructions = bool(self._inner.reads_instructions)

    def begin(self, goal: str, instructions: str, seed: int, account: Account | None = None) -> OutsidePlayer:
        """Start an episode."""
        with _charged(self.name, "begin()"):
            return OutsidePlayer(self.name, self._inner.begin(goal, instructions, seed, account))


class OutsidePlayer:
    """Passes everything on, and looks at what comes back."""

    def __init__(self, name: str, inner: Player) -> None:
        self._name = name
        self._inner = inner

    def act(self, observation: str, actions: Sequence[str], items: Sequence[Item]) -> str:
        """Pick one of `actions`."""
        with _charged(self._name, "act()"):
            action = self._inner.act(observation, actions, items)
            if action not in actions:
                raise ValueError(f"{action!r} is not among the listed actions {list(actions)}")
        return action


def _charged(name: str, what: str) -> AbstractContextManager[None]:
    """Make one sentence of whatever a foreign agent raises."""
    return blamed(lambda raised: InputError(f"the agent {name} is at fault: {what}: {raised}"), InputError)
