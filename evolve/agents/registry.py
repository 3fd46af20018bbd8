"""Agents by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evolve.agents.base import Agent
from evolve.errors import InputError

if TYPE_CHECKING:
    from evolve.llm.base import Asker, Settings


def load(name: str, asker: Asker | None = None, settings: Settings | None = None) -> Agent:
    """The agent of a name: ours, a language model's, which plays through `asker` with these settings, or another's.

    Others' are what `package.module:factory` returns, and the entry points of installed packages; where a name is also
    one of ours, that is meant. An unknown name is an `InputError` that says what there is.
    """
    if name == "lexical":
        from evolve.agents.lexical import LexicalAgent

        return LexicalAgent()
    from evolve.llm.models import FORMS, is_spec, parse
    from evolve.llm.roles import AGENT, DEFAULTS

    if not is_spec(name):
        return _outside(name, FORMS)
    settings = settings or DEFAULTS[AGENT]
    if parse(name).provider == "local":
        from evolve.agents.completion import CompletionAgent

        return CompletionAgent(name, settings, asker)
    from evolve.agents.react import ReactAgent

    return ReactAgent(name, settings, asker)


def _outside(name: str, models: str) -> Agent:
    from domains.factories import FORM, offered
    from evolve.agents.outside import GROUP
    from evolve.agents.outside import load as load_outside

    agent = load_outside(name)
    if agent is None:
        known = ", ".join(["lexical", *offered(GROUP)])
        raise InputError(
            f"there is no agent {name!r}; choose {known}, one of your own as {FORM}, or a language model: {models}"
        )
    return agent
