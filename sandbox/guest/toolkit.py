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
    """The guest's side of `Toolkit`: `embed` crosses the pipe, the rest is local."""

    has_llm = False

    def __init__(self, ask: Ask, seed: int) -> None:
        self.ask = ask
        self.rng = Random(seed)

    def llm(self, prompt: str, schema: dict[str, Any] | None = None) -> Any:
        """Refuse: this run gives designs no language model."""
        raise ToolError("this run gives designs no language model; look at toolkit.has_llm before calling llm")

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
