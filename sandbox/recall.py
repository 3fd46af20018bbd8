"""A language model's replies while a memory was built, so that building it again pays for none of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from sandbox.broker import Broker
from sandbox.journal import digest

Reply = tuple[str, dict[str, Any], int, float | None]
"""The address of a request to the model, its answer, and the tokens and dollars that took; none of unknown price."""


class Recall:
    """Answers the toolkit calls of a design as its broker does, but the model's replies from an earlier record.

    The record serves while the design asks the model the same in the same order, and charges it as then. At the first
    request that differs it no longer fits, for what was answered later may hang on what was asked before: from there on
    the model itself is asked. Everything but the model's replies costs nothing to have again, and is had again.
    """

    def __init__(self, broker: Broker, record: Iterable[Reply] = ()) -> None:
        self._broker = broker
        self._left = deque(record)
        self._given: list[Reply] = []

    @property
    def record(self) -> list[Reply]:
        """The replies of this building, whoever gave them, and what of the earlier record may still be asked for."""
        return [*self._given, *self._left]

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a toolkit call; raises what the broker raises."""
        if request.get("call") != "llm":
            return self._broker.answer(request)
        asked = digest(request)
        reply = self._left.popleft() if self._left else None
        if reply is not None and reply[0] == asked:
            self._broker.charge(reply[2], reply[3])
        else:
            self._left.clear()
            reply = self._asked(asked, request)
        self._given.append(reply)
        return reply[1]

    def _asked(self, address: str, request: dict[str, Any]) -> Reply:
        """Ask the model itself."""
        tokens, dollars = self._broker.bucket.used, self._broker.dollars
        answer = self._broker.answer(request)
        paid = None if dollars is None or self._broker.dollars is None else self._broker.dollars - dollars
        return address, answer, self._broker.bucket.used - tokens, paid
