"""Agents by name."""

from __future__ import annotations

from evolve.agents.base import Agent
from evolve.errors import InputError

NAMES = ("lexical",)


def load(name: str) -> Agent:
    """The agent of a name; an unknown one is an `InputError` that lists the known."""
    if name == "lexical":
        from evolve.agents.lexical import LexicalAgent

        return LexicalAgent()
    raise InputError(f"there is no agent {name!r}; choose one of {', '.join(NAMES)}")
