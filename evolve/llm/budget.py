"""What a run may spend on models: what is in flight is set aside at its upper bound, so that nothing is overspent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archive.ledger import Spent
from evolve.llm.base import SpentError, Usage

NOTICES = (0.5, 0.8)
"""Shares of the budget at which a person is told."""
OVERHEAD = 64
"""Tokens of a prompt that stand in no text of ours: the chat's template, a tool's, the provider's."""
A_MESSAGE = 16


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a call may take. Dollars are none where no price is known."""

    tokens: int
    dollars: float | None


def most_in(packed: dict[str, Any]) -> int:
    """No tokeniser makes more tokens than a text has bytes in UTF-8; how many fewer it makes is unknown here."""
    texts = [message.get("text", "") for message in packed.get("messages", ())] + packed.get("texts", [])
    turns = [message[name] for message in packed.get("messages", ()) for name in ("calls", "kept") if name in message]
    rest = [packed.get("tools"), packed.get("schema"), turns]
    said = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return said + sum(len(json.dumps(part)) for part in rest if part) + A_MESSAGE * len(texts) + OVERHEAD


class Budget:
    """Of one run, over all its sittings. Belongs to one event loop."""

    def __init__(
        self,
        dollars: float | None,
        tokens: int | None,
        spent: Spent,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.most_dollars = dollars
        self.most_tokens = tokens
        self.dollars = spent.dollars
        self.tokens = spent.tokens
        self._unpriced = spent.unpriced
        self._aside_tokens = 0
        self._aside_dollars = 0.0
        self._under_way = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._say = say
        self._noticed = self._share()

    async def reserve(self, bound: Bound, what: str) -> None:
        """Set aside the most that a call may take, waiting for calls under way where only they stand in the way.

        Raises `SpentError` where it would not fit without them either. What is set aside has to be settled.
        """
        while True:
            self._refuse(bound, what)
            if self._fits(bound):
                break
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            await settled
        self._under_way += 1
        self._aside_tokens += bound.tokens
        self._aside_dollars += bound.dollars or 0.0

    def settle(self, bound: Bound, usage: Usage | None = None, dollars: float | None = None) -> None:
        """Give back what was set aside and charge what was used, if anything was."""
        if usage is not None:
            self.tokens += usage.tokens_in + usage.tokens_out
            self._unpriced += dollars is None
        self.dollars += dollars or 0.0
        self._under_way -= 1
        self._aside_tokens -= bound.tokens
        self._aside_dollars -= bound.dollars or 0.0
        self._notice()
        waiting, self._waiting = self._waiting, []
        for settled in waiting:
            if not settled.done():
                settled.set_result(None)

    def _refuse(self, bound: Bound, what: str) -> None:
        if self.most_tokens is not None and self.tokens + bound.tokens > self.most_tokens:
            left = max(0, self.most_tokens - self.tokens)
            raise SpentError(
                f"the budget of {self.most_tokens:,} tokens is spent: {what} may take {bound.tokens:,}, and {left:,}"
                " are left. What is done is kept; the same command with a larger --budget-tokens goes on"
            )
        if self.most_dollars is not None:
            if bound.dollars is None:
                raise SpentError(
                    f"{what} has no known price, so that --budget-usd cannot hold; give its price with --prices, or"
                    " --budget-tokens instead"
                )
            if self.dollars + bound.dollars > self.most_dollars:
                left_over = max(0.0, self.most_dollars - self.dollars)
                raise SpentError(
                    f"the budget of ${self.most_dollars:.2f} is spent: {what} may cost ${bound.dollars:.4f}, and"
                    f" ${left_over:.4f} are left. What is done is kept; the same command with a larger --budget-usd"
                    " goes on"
                )

    def _fits(self, bound: Bound) -> bool:
        if not self._under_way:
            return True  # it was not refused, and no rounding of what was set aside may keep it waiting
        if self.most_tokens is not None and self.tokens + self._aside_tokens + bound.tokens > self.most_tokens:
            return False
        dollars = self.dollars + self._aside_dollars + (bound.dollars or 0.0)
        return self.most_dollars is None or dollars <= self.most_dollars

    def _share(self) -> float:
        """How much of the budget is spent."""
        of_tokens = self.tokens / self.most_tokens if self.most_tokens else 0.0
        of_dollars = self.dollars / self.most_dollars if self.most_dollars else 0.0
        return max(of_tokens, of_dollars)

    def _notice(self) -> None:
        before, self._noticed = self._noticed, self._share()
        passed = [share for share in NOTICES if before < share <= self._noticed]
        if passed:
            self._say(f"{passed[-1]:.0%} of the budget for models is spent: {self.describe()}")

    def describe(self) -> str:
        """What is spent, and of how much."""
        parts = []
        if self.most_dollars is not None or self.dollars:
            of = f" of ${self.most_dollars:.2f}" if self.most_dollars is not None else ""
            known = f"${self.dollars:.2f}{of}"
            parts.append(f"dollars unknown ({known} counted)" if self._unpriced else known)
        of = f" of {self.most_tokens:,}" if self.most_tokens is not None else ""
        parts.append(f"{self.tokens:,}{of} tokens")
        return ", ".join(parts)
