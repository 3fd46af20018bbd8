"""Agents by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evolve.agents.base import Agent
from evolve.errors import InputError

if TYPE_CHECKING:
    from evolve.llm.base import Asker, Settings


def load(name: str, asker: Asker | None = None, settings: Settings | None = None) -> Agent:
    """The agent of a name: `lexical`, or a language model's, which plays through `asker` with these settings.

    An unknown name is an `InputError` that says what there is.
    """
    if name == "lexical":
        from evolve.agents.lexical import LexicalAgent

        return LexicalAgent()
    from evolve.llm.models import FORMS, is_spec, parse
    from evolve.llm.roles import AGENT, DEFAULTS

    if not is_spec(name):
        raise InputError(f"there is no agent {name!r}; choose lexical, or a language model: {FORMS}")
    settings = settings or DEFAULTS[AGENT]
    if parse(name).provider == "local":
        from evolve.agents.completion import CompletionAgent

        return CompletionAgent(name, settings, asker)
    from evolve.agents.react import ReactAgent

    return ReactAgent(name, settings, asker)
