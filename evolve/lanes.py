"""Jobs in line for workers: each has a lane of its own, so that work on one task meets the worker that knows it."""

from __future__ import annotations

import heapq
import zlib

Line = list[tuple[int, int]]


class Lanes:
    """One priority queue a worker and two for all; a worker with nothing to do takes from the longest.

    Of the two, one is for workers that can build designs. A lane whose worker is gone keeps its line: others take
    from it when they have nothing of their own, or its next worker does.
    """

    def __init__(self, workers: int) -> None:
        self._own: list[Line] = [[] for _ in range(workers)]
        self._shared: Line = []
        self._building: Line = []

    def widen(self, workers: int) -> None:
        """Add lanes up to so many."""
        self._own += [[] for _ in range(workers - len(self._own))]

    def lane_of(self, name: str) -> int:
        """The lane of a task, the same for as long as there are as many lanes."""
        return zlib.crc32(name.encode()) % len(self._own)

    def push(self, number: int, ticket: int, lane: int | None, *, builds: bool = False) -> None:
        """Put a ticket in a lane, or in everyone's, or in that of all who can build; low numbers go first."""
        everyone = self._building if builds else self._shared
        heapq.heappush(everyone if lane is None else self._own[lane], (number, ticket))

    def pop(self, lane: int, *, builds: bool = True) -> int | None:
        """The next ticket for a worker; none where nothing that it may do waits anywhere."""
        open_to_it = (self._own[lane], self._shared, *([self._building] if builds else []))
        mine = [line for line in open_to_it if line]
        line = min(mine, key=lambda line: line[0]) if mine else max(self._own, key=len)
        return heapq.heappop(line)[1] if line else None
