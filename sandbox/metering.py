"""What a design may spend on the run's language model: a bucket of tokens, reserved before a call, settled after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class RefusedError(Exception):
    """A toolkit call that is not served; the design sees the message in a `ToolError`."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer, a JSON value, with the tokens it cost as the model counts them."""

    value: Any
    tokens_in: int
    tokens_out: int
    dollars: float | None = 0.0
    """None where the price is not known."""
    problem: str = ""
    """Why there is no value, where there is none though the tokens were spent."""


Complete = Callable[[str, dict[str, Any] | None, int], Completion]
"""Answers a prompt, in the form of a schema where there is one, with at most so many tokens.

It raises `RefusedError` for a prompt that it will not answer, of which the design is told. Whatever else it raises ends
the guest and blames nobody. Designs that run side by side call it from several threads. Whoever answers sees to it that
the answer fits the schema: the schema is a design's text, and checking against it here
would let its patterns and references loose on the host.
"""


class Bucket:
    """Tokens of one design. A call is made only where the most that it may cost is left.

    What is charged is what the model says it took. Where it counts a prompt higher than we do, the call that empties
    the bucket may pass it by that difference; the next is refused.
    """

    def __init__(self, allowance: int) -> None:
        self.allowance = allowance
        self.used = 0
        self.reserved = 0

    def reserve(self, prompt: int, answer: int) -> int:
        """Set the most that a call may cost aside and return it; raises `RefusedError`."""
        most, left = prompt + answer, self.allowance - self.used - self.reserved
        if most > left:
            raise RefusedError(
                f"this call may take {most} tokens ({prompt} of prompt, {answer} of answer); "
                f"{max(0, left)} of the design's {self.allowance} are left"
            )
        self.reserved += most
        return most

    def settle(self, reserved: int, used: int) -> None:
        """Give a reservation back and charge what was used."""
        self.reserved -= reserved
        self.used += used
