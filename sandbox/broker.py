"""The host's side of the toolkit: answers a design's costly calls, counts them, refuses what is too much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sandbox.guest.toolkit import MAX_BATCH, MAX_CHARACTERS

Embed = Callable[[Sequence[str]], list[list[float]]]

MAX_CALLS = 10_000
"""Toolkit calls in a design's life, refused ones too; each costs the host some work."""


class RefusedError(Exception):
    """A toolkit call that is not served; the design sees the message in a `ToolError`."""


class Broker:
    """Serves one design. `allowance` is how many texts it may have embedded in its life."""

    def __init__(self, embed: Embed | None, allowance: int = 20_000) -> None:
        self._embed = embed
        self.allowance = allowance
        self.calls = 0
        self.embedded_texts = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether the design has made more calls than any may."""
        return self.calls >= MAX_CALLS

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a toolkit call, as the guest's claim of one arrived: a result, or an error with its reason."""
        self.calls += 1
        try:
            if request.get("call") != "embed":
                raise RefusedError("there is no such toolkit call")
            return {"result": self._embedded(request.get("texts"))}
        except RefusedError as error:
            return {"error": str(error)}

    def _embedded(self, texts: object) -> list[list[float]]:
        if self._embed is None:
            raise RefusedError("this run has no embedder")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise RefusedError("embed takes a list of strings")
        if len(texts) > MAX_BATCH or sum(map(len, texts)) > MAX_CHARACTERS:
            raise RefusedError(f"one call embeds at most {MAX_BATCH} texts of {MAX_CHARACTERS} characters together")
        if self.embedded_texts + len(texts) > self.allowance:
            raise RefusedError(f"the design's allowance of {self.allowance} embedded texts is used up")
        self.embedded_texts += len(texts)
        return self._embed(texts)
