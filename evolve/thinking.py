"""Asking a model within a conversation with the loop: beside it, and patiently where the model is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from evolve.errors import StandstillError
from evolve.evaluation import Need, Thought
from evolve.llm.base import ModelAwayError, Purpose, Reply, Request

if TYPE_CHECKING:
    from pydantic import BaseModel

    from evolve.desk import Desk

    Form = TypeVar("Form", bound=BaseModel)

T = TypeVar("T")

PAUSE = 0.05
"""Seconds between two looks at whether another request is done with what this one waits for."""
AWAY = 3
"""Times that a model may be away, each for as long as calls are tried, before the run stops."""


def until(is_so: Callable[[], bool]) -> Generator[Need, Any, None]:
    """Wait, beside the loop, for something that another request brings about."""
    while not is_so():
        yield Thought(partial(time.sleep, PAUSE))


def think(desk: Desk, form: type[Form], request: Request, purpose: Purpose) -> Generator[Need, Any, tuple[Form, Reply]]:
    """What a model answers in the form, and the reply that held it; raises what `ask_for` does, but for its absence."""
    from evolve.llm.structured import ask_for

    return (yield from patiently(desk, partial(ask_for, desk.asker, form, request, purpose)))


def patiently(desk: Desk, call: Callable[[], T]) -> Generator[Need, Any, T]:
    """What a call of a model comes to; one that is away is waited for, and then the run stops."""
    for _ in range(AWAY):
        try:
            answer: T = yield Thought(call)
        except ModelAwayError as error:
            away = str(error)
            desk.say(f"{away}; trying again")
        else:
            return answer
    raise StandstillError(f"{away}; what is done is kept, and the same command goes on when it is back")
