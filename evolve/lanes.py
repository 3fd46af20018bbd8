"""Jobs in line for workers: each has a lane of its own, so that work on one task meets the worker that knows it."""

from __future__ import annotations

import heapq
import zlib


class Lanes:
    """One priority queue a worker and one for all; a worker with nothing to do takes from the longest."""

    def __init__(self, workers: int) -> None:
        self._own: list[list[tuple[int, int]]] = [[] for _ in range(workers)]
        self._shared: list[tuple[int, int]] = []

    def lane_of(self, name: str) -> int:
        """The lane of a task, always the same."""
        return zlib.crc32(name.encode()) % len(self._own)

    def push(self, number: int, ticket: int, lane: int | None) -> None:
        """Put a ticket in a lane, or in everyone's; low numbers go first."""
        heapq.heappush(self._shared if lane is None else self._own[lane], (number, ticket))

    def pop(self, lane: int) -> int | None:
        """The next ticket for a worker; none where nothing waits anywhere."""
        mine = [line for line in (self._own[lane], self._shared) if line]
        line = min(mine, key=lambda line: line[0]) if mine else max(self._own, key=len)
        return heapq.heappop(line)[1] if line else None
