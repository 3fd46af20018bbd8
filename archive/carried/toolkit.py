"""What the design may use: functions of your own, where you give it some."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from sandbox.guest.design import ToolError
from sandbox.guest.tokens import count_tokens

Complete = Callable[[str, dict[str, Any] | None], Any]
"""Answers a prompt with a text, or with a JSON value in the form of a JSON schema."""
Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""Answers texts with unit vectors, all of one length."""


class Toolkit:
    """A language model and an embedder if you have them, a random generator, a token counter.

    Your functions may raise `ToolError` where they cannot answer. Answers are noted, so that a memory can be built
    again without asking twice.
    """

    def __init__(self, llm: Complete | None = None, embed: Embed | None = None, seed: int = 0) -> None:
        self.rng = Random(seed)
        self.noted: list[dict[str, Any]] = []
        """The answers since somebody last looked."""
        self._functions = (llm, embed)
        self._recorded: Iterator[dict[str, Any]] | None = None
        self._had_llm = False

    @property
    def has_llm(self) -> bool:
        """Whether there is a language model."""
        return self._had_llm if self._recorded is not None else self._functions[0] is not None

    def llm(self, prompt: str, schema: dict[str, Any] | None = None) -> Any:
        """Ask the language model for a text, or for a JSON value in the form of a JSON schema."""
        ask = self._functions[0]
        return self._answer(lambda: _function(ask, "llm")(prompt, schema))

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Unit vectors of texts."""
        ask = self._functions[1]
        vectors: list[list[float]] = self._answer(
            lambda: [[float(number) for number in vector] for vector in _function(ask, "embed")(list(texts))]
        )
        return vectors

    def count_tokens(self, text: str) -> int:
        """About as many tokens as a language model would count."""
        return count_tokens(text)

    def answer_as(self, recorded: list[dict[str, Any]] | None, *, had_llm: bool = False) -> None:
        """Answer as was noted before, each answer once; with None, as usual again."""
        self._recorded = iter(recorded) if recorded is not None else None
        self._had_llm = had_llm

    def __deepcopy__(self, memo: dict[int, Any]) -> Toolkit:
        copied = Toolkit(*self._functions)
        copied.rng = copy.deepcopy(self.rng, memo)  # which the design may hold too
        return copied

    def _answer(self, ask: Callable[[], Any]) -> Any:
        if self._recorded is None:
            try:
                answer: dict[str, Any] = {"result": ask()}
            except ToolError as error:
                answer = {"error": str(error)}
        elif (known := next(self._recorded, None)) is not None:
            answer = known
        else:
            raise RuntimeError("built again, this memory asks for more than it did: its design is not deterministic")
        self.noted.append(answer)
        if "error" in answer:
            raise ToolError(answer["error"])
        return answer["result"]


def _function(given: Callable[..., Any] | None, name: str) -> Callable[..., Any]:
    if given is None:
        raise ToolError(f"this memory asks for {name}, and was given no such function: AgentMemory({name}=...)")
    return given
