"""Warm guests: started ahead of need, each used for one design and thrown away."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

from sandbox.backend import Backend, Guest, Limits, MachineFault
from sandbox.broker import Broker, Embed
from sandbox.metering import Complete
from sandbox.session import DesignSession, await_ready, still_answers

_PING_SECONDS = 5.0


class Pool:
    """Keeps `size` guests started, all by one thread that lives as long as the pool: a guest dies with its starter."""

    def __init__(
        self,
        backend: Backend,
        limits: Limits | None = None,
        *,
        size: int = 1,
        embed: Embed | None = None,
        embed_allowance: int = 20_000,
        llm: Complete | None = None,
        llm_allowance: int = 100_000,
    ) -> None:
        if size < 1:
            raise ValueError(f"a pool needs at least one guest, not {size}")
        self.backend = backend
        self.limits = limits or Limits()
        self._broker = partial(Broker, embed, embed_allowance, llm, llm_allowance)
        self._lock = threading.Lock()
        self._closed = False
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="guest-starter")
        self._starter.submit(backend.reap)
        self._warm = deque(self._starter.submit(self._start) for _ in range(size))

    @contextmanager
    def lease(self, broker: Broker | None = None) -> Iterator[DesignSession]:
        """A session in a fresh guest, which is killed at the end; raises `MachineFault` where none starts.

        Its toolkit is served by a broker of its own, else by the given one.
        """
        session = DesignSession(self._take(), self.limits, broker or self._broker())
        try:
            yield session
        finally:
            session.close()

    def close(self) -> None:
        """Kill the waiting guests and end the starter."""
        with self._lock:
            self._closed = True
            waiting = list(self._warm)
            self._warm.clear()
        for future in waiting:
            if not future.cancel():
                with suppress(MachineFault):
                    future.result().kill()
        self._starter.submit(self.backend.reap)
        self._starter.shutdown()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self) -> Guest:
        """The guest that has waited longest, and another one ordered in its place."""
        with self._lock:
            if self._closed:
                raise MachineFault("the pool is closed")
            future = self._warm.popleft()
            self._warm.append(self._starter.submit(self._start))
        with suppress(MachineFault):  # it may have failed long ago, when the engine was away
            guest = future.result()
            if still_answers(guest, time.monotonic() + _PING_SECONDS):
                return guest
        return self._starter.submit(self._start).result()

    def _start(self) -> Guest:
        guest = self.backend.start(self.limits)
        try:
            await_ready(guest, time.monotonic() + self.limits.start_seconds)
        except MachineFault:
            guest.kill()
            raise
        return guest
