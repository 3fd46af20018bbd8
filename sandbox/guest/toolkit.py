"""What a design holds in its hands inside the guest: the toolkit, whose costly calls the host answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from sandbox.guest.design import ToolError
from sandbox.guest.tokens import count_tokens

MAX_BATCH = 1000
MAX_CHARACTERS = 300_000

Ask = Callable[[dict[str, Any]], Any]
"""Send one request to the host and return its answer; raises `ToolError` where the host refuses."""


class GuestToolkit:
    """The guest's side of `Toolkit`: `llm` and `embed` cross the pipe, the rest is local."""

    def __init__(self, ask: Ask, seed: int) -> None:
        self.ask = ask
        self.rng = Random(seed)
        self._has_llm: bool | None = None

    @property
    def has_llm(self) -> bool:
        """Whether the host has a language model. It is asked once, and so knows that the design wanted to know."""
        if self._has_llm is None:
            self._has_llm = bool(self.ask({"call": "has_llm"}))
        return self._has_llm

    def llm(self, prompt: str, schema: dict[str, Any] | None = None) -> Any:
        """The model's answer, from the host."""
        if not isinstance(prompt, str):
            raise TypeError(f"llm takes a prompt as a string, not {type(prompt).__name__}")
        return self.ask({"call": "llm", "prompt": prompt, "schema": schema})

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Unit vectors of the texts, from the host."""
        if isinstance(texts, str):
            raise TypeError("embed takes a list of texts, not one string")
        batch = list(texts)
        if not batch:
            return []
        if len(batch) > MAX_BATCH or sum(map(len, batch)) > MAX_CHARACTERS:
            raise ToolError(f"one call embeds at most {MAX_BATCH} texts of {MAX_CHARACTERS} characters together")
        vectors: list[list[float]] = self.ask({"call": "embed", "texts": batch})
        return vectors

    def count_tokens(self, text: str) -> int:
        """Tokens as the host counts them."""
        return count_tokens(text)
