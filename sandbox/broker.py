"""The host's side of the toolkit: answers a design's costly calls, counts them, refuses what is too much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sandbox.guest import frames
from sandbox.guest.tokens import count_tokens
from sandbox.guest.toolkit import MAX_BATCH, MAX_CHARACTERS
from sandbox.metering import Bucket, Complete, RefusedError

Embed = Callable[[Sequence[str]], list[list[float]]]

MAX_CALLS = 10_000
"""Toolkit calls in a design's life, refused ones too; each costs the host some work."""
MAX_PROMPT = 100_000
MAX_SCHEMA = 16 * 1024
MAX_ANSWER = 256 * 1024
"""Characters of a prompt, and bytes of JSON of a schema and of an answer."""
LONGEST_ANSWER = 1024
"""Tokens that a model may answer with."""


class Broker:
    """Serves one design. It may have `embed_allowance` texts embedded in its life, and spend `llm_allowance` tokens."""

    def __init__(
        self,
        embed: Embed | None = None,
        embed_allowance: int = 20_000,
        llm: Complete | None = None,
        llm_allowance: int = 100_000,
    ) -> None:
        self._embed = embed
        self._llm = llm
        self.embed_allowance = embed_allowance
        self.bucket = Bucket(llm_allowance)
        self.calls = 0
        self.embedded_texts = 0
        self.dollars: float | None = 0.0
        """Paid for the language model; none where a price is not known."""

    @property
    def is_exhausted(self) -> bool:
        """Whether the design has made more calls than any may."""
        return self.calls >= MAX_CALLS

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a toolkit call, as the guest's claim of one arrived: a result, or an error with its reason.

        Raises what the model or the embedder raises where it is not there.
        """
        self.calls += 1
        try:
            match request.get("call"):
                case "has_llm":
                    return {"result": self._llm is not None}
                case "llm":
                    return {"result": self._completed(request.get("prompt"), request.get("schema"))}
                case "embed":
                    return {"result": self._embedded(request.get("texts"))}
            raise RefusedError("there is no such toolkit call")
        except RefusedError as error:
            return {"error": str(error)}

    def charge(self, tokens: int, dollars: float | None) -> None:
        """Count a call of the model whose reply is known from a record, and what it took then."""
        self.calls += 1
        self.bucket.settle(0, tokens)
        self._pay(dollars)

    def _embedded(self, texts: object) -> list[list[float]]:
        if self._embed is None:
            raise RefusedError("this run has no embedder")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise RefusedError("embed takes a list of strings")
        if len(texts) > MAX_BATCH or sum(map(len, texts)) > MAX_CHARACTERS:
            raise RefusedError(f"one call embeds at most {MAX_BATCH} texts of {MAX_CHARACTERS} characters together")
        if self.embedded_texts + len(texts) > self.embed_allowance:
            raise RefusedError(f"the design's allowance of {self.embed_allowance} embedded texts is used up")
        self.embedded_texts += len(texts)
        return self._embed(texts)

    def _completed(self, prompt: object, schema: object) -> Any:
        if self._llm is None:
            raise RefusedError(
                "this run gives designs no language model; look at toolkit.has_llm before calling toolkit.llm"
            )
        if not isinstance(prompt, str) or not (schema is None or isinstance(schema, dict)):
            raise RefusedError("llm takes a string, and a JSON schema or nothing")
        form = frames.encode(schema).decode() if schema is not None else ""
        if len(prompt) > MAX_PROMPT or len(form.encode()) > MAX_SCHEMA:
            raise RefusedError(
                f"a prompt has at most {MAX_PROMPT} characters, and a schema {MAX_SCHEMA} bytes; "
                f"these have {len(prompt)} and {len(form.encode())}"
            )
        reserved, used = self.bucket.reserve(count_tokens(prompt) + count_tokens(form), LONGEST_ANSWER), 0
        try:
            completion = self._llm(prompt, schema, LONGEST_ANSWER)
            used = completion.tokens_in + completion.tokens_out
            self._pay(completion.dollars)
        finally:
            self.bucket.settle(reserved, used)
        if completion.problem:
            raise RefusedError(completion.problem)
        return _fit_to_send(completion.value)

    def _pay(self, dollars: float | None) -> None:
        self.dollars = None if self.dollars is None or dollars is None else self.dollars + dollars


def _fit_to_send(value: Any) -> Any:
    """A model's answer, or the reason why the guest could not read it; the tokens are spent all the same."""
    try:
        payload = frames.encode({"result": value})
        frames.decode(payload)
    except frames.FrameError as error:
        raise RefusedError(f"the model's answer cannot be passed on: {error}") from None
    if len(payload) > MAX_ANSWER:
        raise RefusedError(f"the model's answer has {len(payload)} bytes; at most {MAX_ANSWER} are passed on")
    return value
