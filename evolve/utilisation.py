"""How busy workers are: the share of their time in which they have a job."""

from __future__ import annotations

import time
from collections.abc import Callable

from archive.utilisation import Stretch

SPAN = 10.0
"""Seconds after which a stretch is told."""


class Meter:
    """Told whenever the number of busy workers changes; tells of stretches of time.

    >>> stretches = []
    >>> meter = Meter(stretches.append)
    >>> meter.note(busy=1, workers=2)
    >>> meter.end()
    >>> stretches[0].busy / stretches[0].available
    0.5
    """

    def __init__(self, keep: Callable[[Stretch], None]) -> None:
        self._keep = keep
        self._began, self._seen = time.time(), time.monotonic()
        self._workers = self._busy = 0
        """Since they were last noted."""
        self._seconds = self._worked = self._available = 0.0
        """Of this stretch, the latter two in seconds of workers."""

    def note(self, *, busy: int, workers: int) -> None:
        """So many workers have a job from now on, of so many."""
        self._pass()
        self._busy, self._workers = busy, workers
        if self._seconds >= SPAN:
            self.end()

    def end(self) -> None:
        """End the stretch, and begin another."""
        self._pass()
        if self._available:
            self._keep(Stretch(self._began, self._seconds, self._worked, self._available))
        self._began = time.time()
        self._seconds = self._worked = self._available = 0.0

    def _pass(self) -> None:
        now = time.monotonic()
        passed, self._seen = now - self._seen, now
        self._seconds += passed
        self._worked += passed * self._busy
        self._available += passed * self._workers
