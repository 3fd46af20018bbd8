"""What stands behind a design's toolkit in a run with models: brokers that ask the gateway on the design's account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from evolve.llm.base import Asker, BadAnswerError, Message, ModelRefusedError, Purpose, Reply, Request
from evolve.llm.roles import EMBED, MEMORY
from sandbox.broker import Broker, Embed
from sandbox.metering import Completion, RefusedError

if TYPE_CHECKING:
    from evolve.llm.wire import Models

DIGITS = 6
"""Decimals of a number of a vector."""
NO_ANSWER = "the model gave no answer"
NO_JSON = "the model's answer is no JSON of the form that was asked for"
REFUSED = "the model refuses to answer this"


class Brokers:
    """Makes the broker of each design. Where the run has no model in a role, the static embedder or nothing is it."""

    def __init__(self, static: Embed, models: Models | None = None, asker: Asker | None = None) -> None:
        self._static = static
        self._models = models
        self._asker = asker

    def of(self, design: str) -> Broker:
        """A broker with a whole allowance, whose calls are on the design's account."""
        if self._models is None or self._asker is None:
            return Broker(self._static)
        models, embed, llm = self._models, self._static, None
        if models.embedder:
            embed = partial(self._embed, self._asker, Purpose(EMBED, models.embedder, design))
        if models.memory:
            llm = partial(self._complete, self._asker, Purpose(MEMORY, models.memory, design))
        return Broker(embed, llm=llm, llm_allowance=models.memory_tokens)

    def _complete(
        self, asker: Asker, purpose: Purpose, prompt: str, schema: dict[str, Any] | None, most: int
    ) -> Completion:
        assert self._models is not None
        settings = self._models.memory_settings
        settings = replace(settings, max_tokens=min(settings.max_tokens, most))
        try:
            reply = asker.ask(Request((Message("user", prompt),), settings, schema), purpose)
        except (ModelRefusedError, BadAnswerError) as error:
            raise RefusedError(str(error)) from None
        value = reply.text if schema is None else reply.value
        problem = _problem(reply, value)
        return Completion(value, reply.usage.tokens_in, reply.usage.tokens_out, reply.dollars, problem)

    def _embed(self, asker: Asker, purpose: Purpose, texts: Sequence[str]) -> list[list[float]]:
        """Vectors of the texts; an empty one, which providers do not take, is a blank to them."""
        try:
            vectors = asker.embed([text or " " for text in texts], purpose) if texts else []
        except (ModelRefusedError, BadAnswerError) as error:
            raise RefusedError(str(error)) from None
        return [[round(number, DIGITS) for number in vector] for vector in vectors]


def _problem(reply: Reply, value: Any) -> str:
    """Why a reply holds no answer for a design, if so."""
    if reply.finish == "refusal":
        return REFUSED
    if value is None:
        return NO_JSON
    return NO_ANSWER if value == "" else ""
