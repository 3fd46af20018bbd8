"""The one policy by which a failed call is tried again; the clients' own retries are off."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TypeVar

from evolve.llm.base import ModelAwayError
from evolve.llm.limits import Limiter
from evolve.llm.models import TransientError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt: as long as the provider says, else twice as long each time, jittered.

    Uniform between zero and the doubled bound ("full jitter"), so that calls that failed together part.
    """

    first: float = 0.5
    most: float = 30.0
    draw: random.Random = field(default_factory=random.Random)

    def before(self, attempt: int, retry_after: float | None) -> float:
        """Seconds before attempt number `attempt`, the first repeated one being 1."""
        waited = self.draw.uniform(0, min(self.most, self.first * 2 ** (attempt - 1)))
        return waited if retry_after is None else retry_after + min(waited, self.first)


async def with_retries(
    attempt: Callable[[], Awaitable[T]], limiter: Limiter, deadline: float, backoff: Backoff | None = None
) -> T:
    """What an attempt returns, tried again while it fails for a reason that passes, until `deadline` seconds from now.

    Each attempt holds a slot of the limiter, and no slot is held while waiting. Raises the last attempt's error: a
    `ModelAwayError` that says how often it was tried, or the first one that another attempt would not mend.
    """
    backoff = backoff or Backoff()
    end = time.monotonic() + deadline
    tries = 0
    while True:
        tries += 1
        try:
            async with limiter.slot():
                return await attempt()
        except TransientError as error:
            pause = backoff.before(tries, error.retry_after)
            if time.monotonic() + pause >= end:
                times = "once" if tries == 1 else f"{tries} times"
                raise ModelAwayError(f"{error}; tried {times} in {deadline:.0f} s") from None
        await asyncio.sleep(pause)


def seconds_of(retry_after: str | None, now: float | None = None) -> float | None:
    """A Retry-After header in seconds from now; it holds a number or a date (RFC 9110, section 10.2.3).

    >>> seconds_of("2"), seconds_of("Thu, 01 Jan 1970 00:01:00 GMT", now=50.0), seconds_of("soon")
    (2.0, 10.0, None)
    """
    if retry_after is None:
        return None
    try:
        wait = float(retry_after)
    except ValueError:
        try:
            wait = parsedate_to_datetime(retry_after).timestamp() - (time.time() if now is None else now)
        except (ValueError, OverflowError):
            return None
    return max(0.0, wait) if wait < float("inf") else None
