"""Asking a model within a conversation with the loop: beside it, and patiently where the model is away."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from evolve.errors import StandstillError
from evolve.evaluation import Need, Thought
from evolve.llm.base import ModelAwayError, Purpose, Reply, Request

if TYPE_CHECKING:
    from pydantic import BaseModel

    from evolve.desk import Desk

    Form = TypeVar("Form", bound=BaseModel)

AWAY = 3
"""Times that a model may be away, each for as long as calls are tried, before the run stops."""


def think(desk: Desk, form: type[Form], request: Request, purpose: Purpose) -> Generator[Need, Any, tuple[Form, Reply]]:
    """What a model answers in the form, and the reply that held it; raises what `ask_for` does, but for its absence."""
    from evolve.llm.structured import ask_for

    for _ in range(AWAY):
        try:
            answer: tuple[Form, Reply] = yield Thought(partial(ask_for, desk.asker, form, request, purpose))
        except ModelAwayError as error:
            away = str(error)
            desk.say(f"{away}; trying again")
        else:
            return answer
    raise StandstillError(f"{away}; what is done is kept, and the same command goes on when it is back")
