"""When a call is tried again, how long it waits, and how many are under way at once."""

from __future__ import annotations

import asyncio
import random
import time
from email.utils import formatdate
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolve.llm.base import Message, ModelAwayError, ModelRefusedError, Request
from evolve.llm.limits import Limiter
from evolve.llm.models import TransientError, connect, parse
from evolve.llm.retry import Backoff, seconds_of, with_retries
from tests.model_server import Ask, Fault, ModelServer, Response, Say, mixed

SOON = Backoff(first=0.001, most=0.002)


async def tried(outcomes: list[Exception | str], deadline: float = 5.0, backoff: Backoff = SOON) -> tuple[str, int]:
    """What comes of attempts with these outcomes, and how many there were."""
    left = iter(outcomes)
    tries = 0

    async def attempt() -> str:
        nonlocal tries
        tries += 1
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return await with_retries(attempt, Limiter(4), deadline, backoff), tries


def test_what_passes_is_tried_again() -> None:
    assert asyncio.run(tried([TransientError("busy"), TransientError("busy"), "done"])) == ("done", 3)


def test_what_does_not_pass_is_not() -> None:
    with pytest.raises(ModelRefusedError, match="never"):
        asyncio.run(tried([ModelRefusedError("never")]))
    with pytest.raises(ModelAwayError, match=r"^no key$"):
        asyncio.run(tried([ModelAwayError("no key")]))


def test_the_last_error_is_told_at_the_deadline() -> None:
    errors: list[Exception | str] = [TransientError(f"busy {number}") for number in range(1000)]
    start = time.monotonic()
    with pytest.raises(ModelAwayError, match=r"busy \d+; tried \d+ times in 0 s") as caught:
        asyncio.run(tried(errors, 0.1, Backoff(first=0.01, most=0.02)))
    assert time.monotonic() - start < 1
    assert caught.value.__cause__ is None


def test_waiting_beyond_the_deadline_is_not_begun() -> None:
    with pytest.raises(ModelAwayError, match="tried once in 5 s"):
        asyncio.run(tried([TransientError("busy", retry_after=60.0), "done"]))


@pytest.mark.parametrize("date", [False, True])
def test_retry_after_is_honoured(date: bool) -> None:
    """Through a client and over the wire, in both its forms; a date has whole seconds, so it may be up to one early."""
    after = formatdate(time.time() + 2, usegmt=True) if date else "0.4"
    times: list[float] = []

    def script(ask: Ask) -> Response:
        times.append(time.monotonic())
        return Fault(429, retry_after=after) if len(times) == 1 else Say("now")

    async def call(spec: str) -> str:
        provider = connect(parse(spec))
        reply = await with_retries(lambda: provider.complete("m", Request(()), 5), Limiter(2), 10, SOON)
        await provider.close()
        return reply.text

    with ModelServer(script) as server:
        assert asyncio.run(call(server.spec())) == "now"
        assert server.paid == 1
    waited = times[1] - times[0]
    assert (0.8 if date else 0.4) <= waited < 3


@pytest.mark.parametrize("given_", ["", "soon", "nan", "inf", "Thu, 99 Jan 1970 00:00:00 GMT"])
def test_a_retry_after_that_says_nothing(given_: str) -> None:
    assert not seconds_of(given_)


def test_the_past_is_no_wait() -> None:
    assert seconds_of("-3") == seconds_of("Thu, 01 Jan 1970 00:00:00 GMT") == 0


def test_waits_double_and_are_jittered() -> None:
    backoff = Backoff(first=1.0, most=8.0, draw=random.Random(0))
    waits = [[backoff.before(attempt, None) for _ in range(200)] for attempt in range(1, 7)]
    most = [max(each) for each in waits]
    assert all(bound * 0.9 < got <= bound for got, bound in zip(most, (1, 2, 4, 8, 8, 8), strict=True))
    assert all(min(each) < bound / 10 for each, bound in zip(waits, most, strict=True))
    asked = [backoff.before(9, 5.0) for _ in range(50)]
    assert all(5 <= wait <= 6 for wait in asked)


@settings(max_examples=40, deadline=None)
@given(taken=st.integers(1, 24), most=st.integers(1, 32), seed=st.integers(0, 99))
def test_the_limit_settles_at_what_the_provider_takes(taken: int, most: int, seed: int) -> None:
    """A provider that turns away what is beyond `taken` at once; calls take one to three turns of the loop."""
    limiter = Limiter(most)
    draw = random.Random(seed)
    under_way = 0
    seen: list[int] = []

    async def attempt() -> int:
        nonlocal under_way
        if under_way >= taken:
            raise TransientError("too many", overloaded=True)
        under_way += 1
        for _ in range(draw.randint(1, 3)):
            await asyncio.sleep(0)
        seen.append(under_way)
        under_way -= 1
        return 1

    async def all_of_them() -> int:
        nothing = Backoff(first=0.0)
        return sum(await asyncio.gather(*(with_retries(attempt, limiter, 60, nothing) for _ in range(600))))

    assert asyncio.run(all_of_them()) == 600
    assert max(seen) <= min(taken, most)
    bound = min(taken, most)
    busy = seen[200:-100]  # neither the settling nor the end, when there is nothing left to do
    assert sum(busy) / len(busy) >= 0.5 * bound
    assert limiter.under_way == 0


def test_calls_that_were_under_way_together_halve_the_limit_once() -> None:
    limiter = Limiter(16)

    async def turned_away() -> None:
        async with limiter.slot():
            await asyncio.sleep(0)
            raise TransientError("too many", overloaded=True)

    async def together() -> None:
        await asyncio.gather(*(turned_away() for _ in range(16)), return_exceptions=True)

    asyncio.run(together())
    assert limiter.limit == 8


def test_other_failures_leave_the_limit_alone() -> None:
    limiter = Limiter(4)

    async def fails() -> None:
        async with limiter.slot():
            raise TransientError("reset")

    with pytest.raises(TransientError):
        asyncio.run(fails())
    assert limiter.limit == 4


def test_who_is_called_off_leaves_no_slot_behind() -> None:
    async def calls() -> int:
        limiter = Limiter(1)
        order: list[int] = []

        async def hold(number: int) -> None:
            async with limiter.slot():
                order.append(number)
                await asyncio.sleep(0.01)

        tasks = [asyncio.create_task(hold(number)) for number in range(6)]
        await asyncio.sleep(0)
        tasks[0].cancel()  # holds the slot
        tasks[2].cancel()  # waits for it
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == sorted(order)
        assert set(order) == {0, 1, 3, 4, 5}
        return limiter.under_way

    assert asyncio.run(calls()) == 0


def test_every_call_of_a_faulty_server_is_answered_and_paid_once() -> None:
    """120 calls through both clients at once, a third of whose attempts fail in one way or another."""

    async def calls(server: ModelServer) -> list[str]:
        limiter = Limiter(16)
        providers = [connect(parse(server.spec(provider=name))) for name in ("openai", "anthropic")]

        async def call(number: int) -> str:
            request = Request((Message("user", f"call {number}"),))
            model = providers[number % 2]
            return (await with_retries(lambda: model.complete("m", request, 30), limiter, 60, Backoff(0.01, 0.05))).text

        answers = await asyncio.gather(*map(call, range(120)))
        for provider in providers:
            await provider.close()
        return answers

    script = mixed(lambda ask: Say(f"answer to {ask.text}"), seed=5, share=0.33, bad_answers=False)
    with ModelServer(script) as server:
        answers = asyncio.run(calls(server))
        assert answers == [f"answer to call {number}" for number in range(120)]
        assert server.paid == 120
        assert 140 < len(server.asks) < 300
        assert server.most_in_flight <= 16
        assert all(first.number < second.number for first, second in pairwise(server.asks))
