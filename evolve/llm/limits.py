"""How many calls of a provider are under way at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evolve.llm.models import TransientError

DECREASE = 0.5


class Limiter:
    """Adapts to what a provider takes: additive increase, multiplicative decrease, between 1 and `most`.

    A call that ends well raises the limit by 1 / limit, so by about one for each round of calls; one that is turned
    away as too much halves it, but only once for all that were under way together (as TCP does: Jacobson, "Congestion
    Avoidance and Control", 1988, section 3). Belongs to one event loop; calls are let in as they came.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(most)
        self.under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._decreases = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one of the slots; what comes out of the block is what the limit learns from."""
        await self._enter()
        before = self._decreases
        try:
            yield
        except TransientError as error:
            if error.overloaded and before == self._decreases:
                self._decreases += 1
                self.limit = max(1.0, self.limit * DECREASE)
            raise
        else:
            self.limit = min(float(self.most), self.limit + 1 / self.limit)
        finally:
            self.under_way -= 1
            self._let_in()

    async def _enter(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # let in and called off in the same moment
                self.under_way -= 1
                self._let_in()
            raise

    def _let_in(self) -> None:
        while self._waiting and self.under_way < int(self.limit):
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self.under_way += 1
