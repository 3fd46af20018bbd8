"""The one place through which all calls of models go, beside the driver: record, budget, limit, provider, ledger.

It runs in an event loop in a thread of its own. What it has to tell a person it keeps until `news` is asked for.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from archive.ledger import Entry, Ledger, Recorded, Spent
from evolve.llm import base
from evolve.llm.base import ModelAwayError, ModelRefusedError, Purpose, Reply, Request, UnrecordedError, Usage
from evolve.llm.budget import Bound, Budget, most_in
from evolve.llm.codec import (
    Json,
    key_of,
    pack_reply,
    pack_request,
    pack_vectors,
    unpack_reply,
    unpack_vectors,
)
from evolve.llm.forecast import forecast, sentences
from evolve.llm.lines import Line, Lines
from evolve.llm.models import Provider, TransientError, UnusableError
from evolve.llm.retry import with_retries
from evolve.llm.roles import AGENT, EMBED, MEMORY, settings_of
from evolve.llm.wire import Models, Server

if TYPE_CHECKING:
    from pathlib import Path

    from evolve.config import RunConfig

T = TypeVar("T")
Send = Callable[[Provider, str, float], Awaitable[tuple[Json, Usage]]]
"""One attempt at a provider's model within so many seconds: the answer as JSON, and what it took."""

ATTEMPT_SECONDS = 600.0
"""Of one attempt; a model that reasons may take minutes."""
DEADLINE = 1200.0
"""Seconds until a call that keeps failing is given up."""
CLOSING_SECONDS = 30.0
"""How long the end waits for calls under way, so that what is paid is recorded."""
SILENCE = 60.0
"""Seconds between two complaints about one provider."""
ENDING = "the run is ending, and begins no more calls"


class _Answer(NamedTuple):
    """What a call was answered, now or before."""

    known: Recorded
    is_hit: bool


class Gateway:
    """Answers requests; see `Asker`. Equal ones are one call, under way or recorded, unless the cache is off.

    Raises `InputError` where a model of the run cannot be asked, unless the `lines` to them are given: see `Lines`.
    """

    def __init__(
        self, path: Path, run_id: int, config: RunConfig, lines: Lines | None = None, *, deadline: float = DEADLINE
    ) -> None:
        self.run_id = run_id
        self.config = config
        self._deadline = deadline
        self._lines = lines or Lines(config)
        self._prices = self._lines.prices
        self._models = self._lines.models
        self._replays = config.llm == "replay"
        self._reuses = config.cache or self._replays
        self._news: deque[str] = deque()
        self._complained: dict[str, float] = {}
        self._path = path
        self._ledger = Ledger(path, write=True)
        self.budget = Budget(config.budget_usd, config.budget_tokens, self._spent(), self._news.append)
        self._pending: dict[bytes, asyncio.Task[Recorded]] = {}
        self._calls: set[asyncio.Task[Recorded]] = set()
        self._sent: set[asyncio.Task[Any]] = set()
        """Calls that a provider is answering now, until they are recorded."""
        self._closing = False
        self._gate = threading.Lock()
        self._is_open = True
        self._server: Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gateway", daemon=True)
        self._thread.start()

    # What askers call

    def ask(self, request: Request, purpose: Purpose) -> Reply:
        """The answer; raises a `ModelError`."""
        return self._wait(self._ask(request, purpose))

    def embed(self, texts: list[str], purpose: Purpose) -> list[list[float]]:
        """Unit vectors of the texts by a provider's embedding model; raises a `ModelError`."""
        return self._wait(self._embed(texts, purpose))

    def serve(self, host: str = "127.0.0.1") -> Models:
        """Serve workers on one address of this machine; returns what they have to know."""
        token = secrets.token_hex(32)
        self._server = Server(token, self._ask, self._embed)
        port = self._wait(self._server.listen(host))
        config, models = self.config, self._models
        return Models(
            host,
            port,
            token,
            models.get(AGENT, ""),
            settings_of(config, AGENT),
            models.get(MEMORY, ""),
            settings_of(config, MEMORY),
            config.memory_tokens,
            models.get(EMBED, ""),
            config.concurrency,
        )

    @property
    def under_way(self) -> int:
        """Calls that providers are answering now."""
        return len(self._sent)

    def news(self) -> Sequence[str]:
        """What there is to tell since the last time, in sentences."""
        found = []
        while self._news:
            found.append(self._news.popleft())
        return found

    def forecast(self, left: int, max_steps: int) -> list[str]:
        """What `left` designs more will cost, in sentences; asked for before the first call."""
        with closing(Ledger(self._path)) as ledger:
            expected = forecast(self.config, left, max_steps, ledger, self._prices)
        return sentences(expected, self.config)

    def close(self, say: Callable[[str], None] = lambda sentence: None) -> None:
        """Begin no more calls, wait a while for those under way, and end. An interrupt ends the waiting."""
        with self._gate:
            if not self._is_open:
                return
            self._is_open = False
        try:
            if count := self.under_way:
                say(f"waiting for {count} calls of models, so that what is paid is recorded; Ctrl-C leaves at once")
            asyncio.run_coroutine_threadsafe(self._settle(CLOSING_SECONDS), self._loop).result()
        finally:
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._ledger.close()

    # In the loop

    async def _ask(self, request: Request, purpose: Purpose) -> Reply:
        async def send(provider: Provider, model: str, timeout: float) -> tuple[Json, Usage]:
            reply = await provider.complete(model, request, timeout)
            return pack_reply(reply), reply.usage

        answer = await self._answer(pack_request(request), request.settings.max_tokens, purpose, send)
        return unpack_reply(answer.known.reply, dollars=answer.known.dollars, is_hit=answer.is_hit)

    async def _embed(self, texts: list[str], purpose: Purpose) -> list[list[float]]:
        async def send(provider: Provider, model: str, timeout: float) -> tuple[Json, Usage]:
            vectors, usage = await provider.embed(model, texts, timeout)
            return {"vectors": pack_vectors(vectors)}, usage

        answer = await self._answer({"texts": texts}, 0, purpose, send)
        return unpack_vectors(answer.known.reply["vectors"])

    async def _answer(self, packed: Json, most_out: int, purpose: Purpose, send: Send) -> _Answer:
        """From the record or from a call under way, else by a call of its own."""
        key = key_of(packed, purpose)
        if self._reuses:
            call = self._pending.get(key)
            known = await self._outcome(call) if call is not None else self._ledger.find(key)
            if known is not None:
                self._ledger.note_hit(self._entry(key, purpose)._replace(hit_of=known.number))
                return _Answer(_usable(known, is_hit=True), True)
        if self._replays:
            raise self._unrecorded(key, purpose)
        if self._closing:
            raise ModelAwayError(ENDING)
        call = asyncio.create_task(self._pay(key, packed, most_out, purpose, send))
        self._calls.add(call)
        if self._reuses:
            self._pending[key] = call
        call.add_done_callback(lambda _: self._forget(key, call))
        return _Answer(_usable(await self._outcome(call), is_hit=False), False)

    def _forget(self, key: bytes, call: asyncio.Task[Recorded]) -> None:
        """Let go of a call that is done; whoever waited for it may be gone."""
        if self._pending.get(key) is call:
            del self._pending[key]
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()

    async def _outcome(self, call: asyncio.Task[Recorded]) -> Recorded:
        """What a call comes to; it goes on where whoever waits for it goes away."""
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            if call.cancelled():
                raise ModelAwayError(ENDING) from None
            raise

    async def _pay(self, key: bytes, packed: Json, most_out: int, purpose: Purpose, send: Send) -> Recorded:
        task = asyncio.current_task()
        assert task is not None
        line = self._lines.to(purpose.model)
        bound = self._bound(packed, most_out, purpose)
        await self.budget.reserve(bound, f"a call in the role {purpose.role} of {purpose.model}")
        usage, dollars = None, None
        try:
            began = time.monotonic()
            reply, usage, problem = await self._sent_off(key, line, send, task)
            seconds = time.monotonic() - began
            dollars = self._prices.price(purpose.model, usage)
            finish = str(reply.get("finish", "stop"))
            entry = self._entry(key, purpose)._replace(
                **asdict(usage), dollars=dollars, seconds=seconds, finish=finish, problem=problem
            )
            return Recorded(self._ledger.record(entry, packed, reply), reply, dollars, problem)
        finally:
            self.budget.settle(bound, usage, dollars)
            self._sent.discard(task)

    async def _sent_off(self, key: bytes, line: Line, send: Send, task: asyncio.Task[Any]) -> tuple[Json, Usage, str]:
        """The answer, what it took, and why it is of no use if it is of none."""

        async def attempt() -> tuple[Json, Usage]:
            if self._closing:
                raise ModelAwayError(ENDING)
            self._sent.add(task)
            try:
                return await send(line.provider, line.spec.model, ATTEMPT_SECONDS)
            except TransientError as error:
                self._sent.discard(task)
                self._complain(line.provider.name, error)
                raise

        try:
            return *await with_retries(attempt, line.limiter, self._deadline), ""
        except UnusableError as error:
            return pack_reply(error.reply), error.reply.usage, str(error)
        except ModelRefusedError as error:
            self._ledger.note_refusal(key, type(error).__name__, str(error))
            raise

    def _unrecorded(self, key: bytes, purpose: Purpose) -> base.ModelError:
        """What a replay says of a call that has no answer in the archive."""
        if (refusal := self._ledger.refusal(key)) is not None:
            kind, message = refusal
            error: base.ModelError = getattr(base, kind, ModelRefusedError)(message)
            return error
        return UnrecordedError(
            f"the archive holds no answer to a call in the role {purpose.role} of {purpose.model}; without --llm replay"
            " it is made and paid for"
        )

    def _entry(self, key: bytes, purpose: Purpose) -> Entry:
        return Entry(self.run_id, key, purpose.role, purpose.model, purpose.design, purpose.sample)

    def _complain(self, name: str, error: TransientError) -> None:
        now = time.monotonic()
        if now - self._complained.get(name, -SILENCE) >= SILENCE:
            self._complained[name] = now
            self._news.append(f"{error}; trying again")

    async def _settle(self, seconds: float) -> None:
        """Call off what no provider is answering, and wait for the rest."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        for call in self._calls - self._sent:
            call.cancel()
        if self._sent:
            await asyncio.wait(self._sent, timeout=seconds)

    async def _end(self) -> None:
        self._closing = True
        for call in self._calls:
            call.cancel()
        await asyncio.sleep(0.01)  # for those who wait for them to be told
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._lines.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the loop do something, and wait for it."""
        with self._gate:
            if not self._is_open:
                work.close()
                raise ModelAwayError(ENDING)
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise ModelAwayError(ENDING) from None

    # Prices

    def _bound(self, packed: Json, most_out: int, purpose: Purpose) -> Bound:
        tokens_in = most_in(packed)
        return Bound(tokens_in + most_out, self._prices.most(purpose.model, tokens_in, most_out))

    def _spent(self) -> Spent:
        """What the run has paid, also for calls whose price was unknown then and is known now."""
        spent = self._ledger.spent(self.run_id)
        prices = [self._prices.price(model, Usage(*tokens)) for model, *tokens in self._ledger.unpriced(self.run_id)]
        unknown = prices.count(None)
        if unknown and self.config.budget_usd is not None:
            self._news.append(f"{unknown} earlier calls have no known price and are not counted in --budget-usd")
        return spent._replace(dollars=spent.dollars + sum(price or 0.0 for price in prices))


def _usable(known: Recorded, *, is_hit: bool) -> Recorded:
    """An answer that is of use; raises what it raised when it was paid."""
    if known.problem:
        raise UnusableError(known.problem, unpack_reply(known.reply, dollars=known.dollars, is_hit=is_hit))
    return known
