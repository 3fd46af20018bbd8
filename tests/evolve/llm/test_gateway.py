"""The gateway against a real server on loopback: record, budget, limits, ledger, and the workers' way to it."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archive.ledger import Ledger
from archive.opening import open_archive
from archive.tables import Run
from evolve.config import RunConfig
from evolve.errors import InputError
from evolve.llm.base import (
    Message,
    ModelAwayError,
    Purpose,
    Reply,
    Request,
    Settings,
    SpentError,
    Tool,
    ToolCall,
    TooLongError,
    UnrecordedError,
    Usage,
)
from evolve.llm.codec import key_of, pack_purpose, pack_reply, pack_request, unpack_reply, unpack_request
from evolve.llm.gateway import Gateway
from evolve.llm.models import UnusableError
from evolve.llm.wire import RemoteAsker, address_towards, framed
from tests.model_server import Ask, Fault, ModelServer, Response, Say, Script, mixed


def request(text: str, most: int = 100) -> Request:
    return Request((Message("user", text),), Settings(most))


def echo(ask: Ask) -> Response:
    return Say(f"you said {ask.text}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    archive = open_archive(tmp_path / "a.db", write=True)
    archive.save(Run(identity="x", config="{}", domain_version="1", agent_version="1", sandbox="", created=0.0))
    archive.close()
    return tmp_path / "a.db"


@contextmanager
def gateway(path: Path, model: str, **fields: Any) -> Iterator[Gateway]:
    opened = Gateway(path, 1, RunConfig(agent=model, **fields), deadline=5.0)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def served(script: Script) -> Iterator[tuple[ModelServer, Purpose]]:
    with ModelServer(script) as server:
        yield server, Purpose("agent", server.spec(), design="d1")


def counts(path: Path) -> tuple[int, int]:
    """Calls that were paid, and hits."""
    with closing(Ledger(path)) as ledger:
        costs = ledger.costs(1)
    return sum(cost.calls for cost in costs), sum(cost.hits for cost in costs)


def test_requests_and_replies_survive_being_written_as_json() -> None:
    call = ToolCall("c1", "show", {"n": 0})
    said = Message("assistant", calls=(call,), kept=[{"type": "thinking", "thinking": "", "signature": "s"}])
    messages = (Message("system", "be brief"), said, Message("tool", "x", answers="c1"))
    full = Request(
        messages, Settings(9, 0.0, "low"), {"type": "object"}, (Tool("show", "shows", {}),), True, "root", ("\n",)
    )
    reply = Reply("t", [], (call,), "tools", Usage(1, 2, 3, 4, 5), 0.5, kept=[])
    for each in (full, request("a")):
        assert unpack_request(pack_request(each)) == each
    assert unpack_reply(pack_reply(reply), dollars=0.5, is_hit=False) == reply


def test_equal_calls_are_one_also_in_a_later_sitting(path: Path) -> None:
    with served(echo) as (server, purpose):
        with gateway(path, purpose.model) as first:
            paid = first.ask(request("a"), purpose)
            again = first.ask(request("a"), replace(purpose, design="d2"))
            first.ask(request("a"), replace(purpose, sample=1))
            first.ask(request("a"), replace(purpose, role="memory"))
        with gateway(path, purpose.model) as second:
            assert second.ask(request("a"), purpose) == replace(paid, is_hit=True)
        with gateway(path, purpose.model, cache=False) as third:
            assert not third.ask(request("a"), purpose).is_hit
        assert (paid.text, again) == ("you said a", replace(paid, is_hit=True))
        assert server.paid == 4
    assert counts(path) == (4, 2)
    with closing(Ledger(path)) as ledger:
        assert [(cost.group, cost.calls, cost.hits) for cost in ledger.costs(1, ("design",))] == [
            (("d1",), 4, 1),
            (("d2",), 0, 1),
        ]
        told = ledger.exchange(1)
        assert told is not None
        assert unpack_request(told[0]) == request("a")


def test_what_a_model_thought_is_known_in_a_later_sitting(path: Path) -> None:
    with ModelServer(lambda ask: Say("I look.", thought="hm", tokens_in=90, written=70)) as server:
        purpose = Purpose("propose", server.spec(provider="anthropic"))
        with gateway(path, purpose.model) as first:
            paid = first.ask(request("a"), purpose)
        with gateway(path, purpose.model) as second:
            remote = second.serve().connect()
            again = remote.ask(request("a"), purpose)
            said = Message("assistant", again.text, kept=again.kept)
            for turn in (said, replace(said, kept=None)):  # not the same question
                remote.ask(Request((*request("a").messages, turn, Message("user", "and now?"))), purpose)
            remote.close()
        assert again == replace(paid, is_hit=True)
        told = [[block["type"] for block in ask.body["messages"][1]["content"]] for ask in server.asks[1:]]
        assert told == [["thinking", "text"], ["text"]]
    with closing(Ledger(path)) as ledger:
        assert [(cost.calls, cost.tokens_in, cost.written) for cost in ledger.costs(1)] == [(3, 270, 210)]


def test_equal_calls_at_the_same_time_are_one(path: Path) -> None:
    with served(lambda ask: Say("x", latency=0.3)) as (server, purpose), gateway(path, purpose.model) as asker:
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: asker.ask(request("a"), purpose), range(8)))
        assert server.paid == 1
        assert sorted(reply.is_hit for reply in replies) == [False] + 7 * [True]
    assert counts(path) == (1, 7)


def test_an_answer_of_no_use_is_paid_once_and_raised_again(path: Path) -> None:
    with served(lambda ask: Fault(manner="empty")) as (server, purpose), gateway(path, purpose.model) as asker:
        for _ in range(2):
            with pytest.raises(UnusableError, match="empty answer") as caught:
                asker.ask(request("a"), purpose)
            assert caught.value.reply.usage.tokens_in > 0
        assert server.paid == 1
    assert counts(path) == (1, 1)


def test_a_refused_call_costs_nothing_and_is_replayed(path: Path) -> None:
    def script(ask: Ask) -> Response:
        return Fault(manner="overflow") if "long" in ask.text else Say("x")

    with served(script) as (server, purpose):
        with gateway(path, purpose.model) as asker:
            asker.ask(request("a"), purpose)
            for _ in range(2):
                with pytest.raises(TooLongError):
                    asker.ask(request("long"), purpose)
        assert len(server.asks) == 3
        with gateway(path, purpose.model, llm="replay", cache=False) as replaying:
            assert replaying.ask(request("a"), purpose).text == "x"
            with pytest.raises(TooLongError):
                replaying.ask(request("long"), purpose)
            with pytest.raises(UnrecordedError, match=r"role agent .* without --llm replay"):
                replaying.ask(request("new"), purpose)
        assert len(server.asks) == 3
    assert counts(path) == (1, 1)


def test_a_replay_needs_no_key(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match="OPENAI_API_KEY"), gateway(path, "openai:gpt-5"):
        pass
    with gateway(path, "openai:gpt-5", llm="replay") as asker, pytest.raises(UnrecordedError):
        asker.ask(request("a"), Purpose("agent", "openai:gpt-5"))


@pytest.mark.parametrize("at_once", [1, 8])
@pytest.mark.parametrize("unit", ["tokens", "dollars"])
def test_a_budget_is_never_overspent_whatever_is_in_flight(path: Path, tmp_path: Path, unit: str, at_once: int) -> None:
    """Each call takes 110 tokens, and is set aside as more than that; the price is one dollar a token."""
    answer = Say("x", tokens_in=10, tokens_out=100, latency=0.02)
    with served(lambda ask: answer) as (server, purpose):
        prices = tmp_path / "prices.toml"
        prices.write_text(f'"{purpose.model}" = {{ input = 1e6, output = 1e6 }}')
        budget: dict[str, Any] = {"budget_tokens": 1000} if unit == "tokens" else {"budget_usd": 1000.0}
        with gateway(path, purpose.model, prices=prices, concurrency=8, **budget) as asker:

            def ask(number: int) -> bool:
                with suppress(SpentError):
                    return bool(asker.ask(request(f"number {number}"), purpose).text)
                return False

            with ThreadPoolExecutor(at_once) as pool:
                served_ = sum(pool.map(ask, range(20)))
            news = asker.news()
        assert served_ == server.paid
        assert 770 < server.paid * 110 <= 1000
        assert [sentence[:4] for sentence in news] == ["50% ", "80% "][: len(news)]
        assert len(news) >= 1
        with (
            gateway(path, purpose.model, prices=prices, **budget) as again,
            pytest.raises(SpentError, match="is spent: a call in the role agent"),
        ):
            again.ask(request("another"), purpose)
        assert served_ == server.paid


def test_calls_that_do_not_fit_wait_for_those_in_flight(path: Path) -> None:
    """Two would not fit at once by their bounds, and do one after the other."""
    with served(lambda ask: Say("x", tokens_in=1, tokens_out=1, latency=0.1)) as (server, purpose):
        with gateway(path, purpose.model, budget_tokens=400) as asker, ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda n: asker.ask(request(f"n{n}", 250), purpose), range(3)))
        assert (server.paid, server.most_in_flight) == (3, 1)


def test_an_unknown_price_is_unknown_and_no_budget_in_dollars(path: Path) -> None:
    with served(echo) as (_, purpose):
        with pytest.raises(InputError, match=r"no known price.*--prices, or --budget-tokens"):
            Gateway(path, 1, RunConfig(agent=purpose.model, budget_usd=5))
        with gateway(path, purpose.model) as asker:
            assert asker.ask(request("a"), purpose).dollars is None
    with closing(Ledger(path)) as ledger:
        (cost,) = ledger.costs(1)
    assert (cost.dollars, cost.unpriced) == (None, 1)


def test_the_end_waits_for_what_is_being_paid_and_begins_nothing(path: Path) -> None:
    with served(lambda ask: Say("x", latency=0.5)) as (server, purpose), ThreadPoolExecutor(4) as pool:
        asker = Gateway(path, 1, RunConfig(agent=purpose.model, concurrency=2))
        said: list[str] = []
        asked = [pool.submit(asker.ask, request(f"n{n}"), purpose) for n in range(4)]
        while server.in_flight < 2:
            time.sleep(0.01)
        asker.close(said.append)
        outcomes = [future.exception() for future in asked]
        assert sum(outcome is None for outcome in outcomes) == 2
        assert all(isinstance(outcome, ModelAwayError) for outcome in outcomes if outcome is not None)
        assert said[0].startswith("waiting for 2 calls")
        with pytest.raises(ModelAwayError, match="ending"):
            asker.ask(request("late"), purpose)
        assert server.paid == 2
    assert counts(path) == (2, 0)


def test_a_provider_that_stays_away_is_named_and_costs_nothing(path: Path) -> None:
    with served(lambda ask: Fault(500)) as (_, purpose), gateway(path, purpose.model) as asker:
        asker._deadline = 1.0
        with pytest.raises(ModelAwayError, match=r"500.*tried \d+ times"):
            asker.ask(request("a"), purpose)
        assert len(asker.news()) == 1
        assert asker.under_way == 0
    assert counts(path) == (0, 0)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_whatever_goes_wrong_there_is_one_row_for_each_paid_call(path: Path, provider: str) -> None:
    with ModelServer(mixed(lambda ask: Say(f"you said {ask.text}"), seed=1)) as server:
        purpose = Purpose("agent", server.spec(provider=provider))
        with gateway(path, purpose.model, concurrency=8, budget_tokens=40_000) as asker:

            def ask(number: int) -> str:
                try:
                    return asker.ask(request(f"n{number}"), purpose).finish
                except UnusableError:
                    return "unusable"

            with ThreadPoolExecutor(16) as pool:
                finishes = Counter(pool.map(ask, range(60)))
            again = [ask(number) for number in range(60)]
        assert finishes == Counter(again)
        assert sum(finishes.values()) == server.paid == 60 < len(server.asks)
        assert len(finishes) > 1
    assert counts(path) == (60, 60)


def test_a_forecast_goes_by_the_archives_own_calls(path: Path, tmp_path: Path) -> None:
    with served(lambda ask: Say("x", tokens_in=1000, tokens_out=100)) as (_, purpose):
        prices = tmp_path / "prices.toml"
        prices.write_text(f'"{purpose.model}" = {{ input = 1.0, output = 10.0 }}')
        fields = {"deployment": 10, "repeats": 2, "collection": 5, "collection_repeats": 1, "finalists": 0}
        with gateway(path, purpose.model, prices=prices, budget_usd=0.05, **fields) as asker:
            (guess, warning) = asker.forecast(left=7, max_steps=4)
            assert guess.startswith("models: about 410 calls (agent 410), $0.")
            assert "rough guess" in guess
            assert "$0.05 will end the run" in warning
            for number in range(6):
                asker.ask(request(f"n{number}"), purpose)
            with closing(sqlite3.connect(path)) as connection, connection:
                member = (
                    "INSERT INTO member (run_id, design_id, number, role, change) VALUES (1, ?, ?, 'candidate', '')"
                )
                connection.executemany(member, [("a", 1), ("b", 2)])
            assert asker.forecast(left=7, max_steps=4) == ["models: about 21 calls (agent 21), $0.04"]


# Workers


def test_workers_get_the_same_answers_and_the_same_errors(path: Path) -> None:
    def script(ask: Ask) -> Response:
        return {"long": Fault(manner="overflow"), "none": Fault(manner="empty")}.get(ask.text, Say(ask.text, cached=1))

    with served(script) as (_, purpose), gateway(path, purpose.model, embedder=purpose.model) as asker:
        remote = asker.serve().connect()
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda n: remote.ask(request(f"n{n % 20}"), purpose), range(40)))
        assert [reply.text for reply in replies] == [f"n{n % 20}" for n in range(40)]
        assert remote.ask(request("n1"), purpose) == asker.ask(request("n1"), purpose)
        for text, kind in (("long", TooLongError), ("none", UnusableError)):
            with pytest.raises(kind):
                remote.ask(request(text), purpose)
        embedding = replace(purpose, role="embed")
        vectors = remote.embed(["a b", "c"], embedding)
        assert vectors == asker.embed(["a b", "c"], embedding)
        assert sum(value**2 for value in vectors[0]) == pytest.approx(1)
        remote.close()


def test_who_does_not_know_the_token_is_told_nothing(path: Path) -> None:
    with served(echo) as (server, purpose), gateway(path, purpose.model) as asker:
        models = asker.serve()
        stranger = RemoteAsker(models.host, models.port, "0" * 64)
        with pytest.raises(ModelAwayError, match="is not there"):
            stranger.ask(request("a"), purpose)
        assert not server.asks
        assert models.host == "127.0.0.1"
    with pytest.raises(ModelAwayError, match="is not there"):
        models.connect().ask(request("a"), purpose)


def test_a_worker_that_goes_away_leaves_a_call_that_is_recorded(path: Path) -> None:
    with served(lambda ask: Say("x", latency=0.3)) as (server, purpose), gateway(path, purpose.model) as asker:
        models = asker.serve()
        with socket.create_connection((models.host, models.port)) as worker:
            worker.sendall(framed({"token": models.token}))
            worker.sendall(framed({"ask": pack_request(request("a")), "purpose": pack_purpose(purpose)}))
            while not server.in_flight:
                time.sleep(0.01)
    assert counts(path) == (1, 0)


def test_workers_of_a_cluster_come_by_the_address_that_faces_its_head() -> None:
    assert {address_towards(cluster) for cluster in (None, "127.0.0.1:6379")} == {"127.0.0.1"}
    assert address_towards("auto").count(".") == 3


def test_keys_of_calls_do_not_change() -> None:
    """Else everything that archives hold would be paid for again."""
    purpose = Purpose("agent", "openai:m", "d", 2)
    assert key_of(pack_request(request("a")), purpose).hex() == "ab05f8a6ce64df866159514ec62def59"
