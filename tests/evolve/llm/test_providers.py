"""Both official clients against a server that speaks their languages, and against one that misbehaves."""

from __future__ import annotations

import asyncio
import json
import socket
import traceback
from pathlib import Path
from typing import Any

import pytest

from evolve.errors import InputError
from evolve.llm import anthropic, base, keys, openai
from evolve.llm.base import Message, Reply, Request, Settings, Tool, ToolCall, Usage
from evolve.llm.codec import pack_reply, pack_request, unpack_reply, unpack_request
from evolve.llm.models import TransientError, UnusableError, connect, parse
from tests.model_server import Ask, Fault, ModelServer, Response, Say

PROVIDERS = ("openai", "anthropic")
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
HELLO = Request((Message("system", "Be brief."), Message("user", "Say hello.")), Settings(max_tokens=50))
CANARY = "sk-canary-0123456789"


def served(response: Response, spec: str, request: Request = HELLO, timeout: float = 10.0) -> tuple[Reply, Ask]:
    """What a provider makes of a response, and what it had asked."""
    with ModelServer(lambda ask: response) as server:
        return asked(server.spec(provider=spec), request, timeout), server.asks[0]


def asked(spec: str, request: Request = HELLO, timeout: float = 10.0) -> Reply:
    async def ask() -> Reply:
        provider = connect(parse(spec))
        try:
            return await provider.complete(parse(spec).model, request, timeout)
        finally:
            await provider.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_with_its_usage(provider: str) -> None:
    say = Say("Hello.", tokens_in=100, tokens_out=30, cached=64, reasoning=20, written=16)
    reply, ask = served(say, provider)
    assert reply == Reply("Hello.", usage=Usage(100, 30, 64, 20, 16))
    assert ask.text == "Be brief.\nSay hello."
    assert ask.body["max_tokens"] == 50
    assert "temperature" not in ask.body


@pytest.mark.parametrize("provider", PROVIDERS)
def test_settings_reach_the_server(provider: str) -> None:
    request = Request(HELLO.messages, Settings(max_tokens=9, temperature=0.5), stop=("END",))
    _, ask = served(Say("x"), provider, request)
    assert ask.body["temperature"] == 0.5
    assert ask.body.get("stop", ask.body.get("stop_sequences")) == ["END"]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("said", "value"), [(Say(value={"n": 3}), {"n": 3}), (Say('{"n": '), None), (Say("[]"), [])])
def test_an_answer_of_a_schema(provider: str, said: Say, value: object) -> None:
    reply, ask = served(said, provider, Request(HELLO.messages, schema=SCHEMA))
    assert reply.value == value
    assert reply.usage.tokens_out > 0
    assert ask.schema == SCHEMA
    if value:
        assert json.loads(reply.text) == value


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("finish", ["length", "refusal"])
def test_how_an_answer_ended(provider: str, finish: str) -> None:
    reply, _ = served(Say("I will", finish=finish), provider, Request(HELLO.messages, schema=SCHEMA))  # type: ignore[arg-type]
    assert (reply.finish, reply.text, reply.value) == (finish, "I will", None)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("usage", [None, [], {"prompt_tokens": -3, "input_tokens": "many", "completion_tokens": None}])
def test_what_the_server_does_not_count_is_counted_here(provider: str, usage: object) -> None:
    reply, _ = served(Say("Hello you.", usage=usage), provider)
    assert reply.usage == Usage(6, 3)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_conversation_with_tools(provider: str) -> None:
    look = Tool("look", "Looks.", SCHEMA)
    start = Request(HELLO.messages, tools=(look,))
    with ModelServer(
        lambda ask: Say("I look.", calls=[("look", {"n": 1}), ("look", {"n": 2})], thought="hm")
    ) as server:
        spec = parse(server.spec(provider=provider))

        async def talk() -> Reply:
            reply = await once(start)
            said = Message("assistant", reply.text, reply.calls, kept=reply.kept)
            answers = [Message("tool", f"seen {call.arguments['n']}", answers=call.id) for call in reply.calls]
            await once(Request((*start.messages, said, *answers), tools=(look,)))
            return reply

        async def once(request: Request) -> Reply:
            model = connect(spec)  # each time anew: what the model thought is in the messages, not in the provider
            reply = await model.complete("m", unpack_request(pack_request(request)), 5)
            await model.close()
            return unpack_reply(pack_reply(reply), dollars=None, is_hit=True)

        reply = asyncio.run(talk())
        sent: list[dict[str, Any]] = server.asks[1].body["messages"]
    first, second = reply.calls
    assert reply.finish == "tools"
    assert [first.name, first.arguments, second.arguments] == ["look", {"n": 1}, {"n": 2}]
    if provider == "openai":
        assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool", "tool"]
        assert sent[2]["tool_calls"][1]["id"] == sent[4]["tool_call_id"] == second.id
    else:
        assert [message["role"] for message in sent] == ["user", "assistant", "user"]
        assert [block["type"] for block in sent[1]["content"]] == ["thinking", "text", "tool_use", "tool_use"]
        assert sent[1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "signed"}
        assert [block["tool_use_id"] for block in sent[2]["content"]] == [first.id, second.id]


@pytest.mark.parametrize(
    ("said", "types"),
    [
        (Say("yes", thought="hm"), ["thinking", "text"]),
        (Say("ye", thought="hm", finish="length"), None),
        (Say("\n", thought="hm"), None),
        (Say("yes"), None),
    ],
)
def test_a_turn_is_kept_where_the_model_thought_in_it(said: Say, types: list[str] | None) -> None:
    reply, _ = served(said, "anthropic")
    assert (reply.kept and [block["type"] for block in reply.kept]) == types


def test_tool_calls_that_can_not_be_read_were_paid() -> None:
    message = {"content": "so", "tool_calls": [{"id": "1", "function": {"name": "look", "arguments": "{"}}]}
    body = {"choices": [{"message": message}], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}
    with pytest.raises(UnusableError, match="no JSON object") as caught:
        served(Fault(manner="garbled", body=json.dumps(body)), "openai")
    assert caught.value.reply == Reply("so", usage=Usage(7, 5))


def test_a_text_is_continued_within_a_grammar() -> None:
    request = Request((Message("user", "The sky is"),), Settings(8, 0.0), continues=True, grammar='root ::= " blue"')
    reply, ask = served(Say(" blue"), "openai", request)
    assert reply.text == " blue"
    assert ask.path == "/v1/completions"
    assert (ask.body["prompt"], ask.body["grammar"], ask.body["max_tokens"]) == ("The sky is", 'root ::= " blue"', 8)


@pytest.mark.parametrize(
    "request_", [Request(HELLO.messages, grammar="root ::= x"), Request(HELLO.messages, continues=True)]
)
def test_what_a_provider_can_not_do_is_refused_before_it_is_sent(request_: Request) -> None:
    with pytest.raises(base.ModelRefusedError):
        served(Say("x"), "anthropic", request_)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault(429, retry_after="3"), TransientError, "429"),
        (Fault(500), TransientError, "500"),
        (Fault(529), TransientError, "529"),
        (Fault(manner="cut"), TransientError, "broke off"),
        (Fault(manner="reset"), TransientError, "broke off"),
        (Fault(manner="garbled"), TransientError, "no JSON object"),
        (Fault(manner="garbled", body='{"error": {"message": "overloaded"}}'), TransientError, "without"),
        (Fault(manner="slow", latency=0.05), TransientError, "within"),
        (Fault(manner="empty"), UnusableError, "empty answer"),
        (Fault(manner="overflow"), base.TooLongError, "shorten"),
        (Fault(400), base.ModelRefusedError, "a fault of 400"),
        (Fault(401), base.ModelAwayError, "does not accept the key"),
        (Fault(402), base.ModelAwayError, "no credit"),
        (Fault(404), base.ModelAwayError, "name right"),
        (Fault(429, body='{"error": {"code": "insufficient_quota"}}'), base.ModelAwayError, "no credit"),
    ],
)
def test_what_goes_wrong_is_told_apart(provider: str, fault: Fault, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        served(fault, provider, timeout=0.4)
    assert type(caught.value) is kind
    if isinstance(caught.value, TransientError):
        assert caught.value.overloaded == (fault.status in (429, 529))
        assert caught.value.retry_after == (3 if fault.retry_after else None)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_nobody_there(provider: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(TransientError, match="can not be reached"):
        asked(f"{provider}:m@http://127.0.0.1:{port}/v1")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "fault", [Fault(status, body=f'{{"error": "{CANARY} is no key"}}') for status in (400, 401, 500)]
)
def test_no_error_tells_the_key(monkeypatch: pytest.MonkeyPatch, provider: str, fault: Fault) -> None:
    monkeypatch.setenv(keys.SERVER, CANARY)
    with ModelServer(lambda ask: fault) as server:
        with pytest.raises(base.ModelError) as caught:
            asked(server.spec(provider=provider))
        assert CANARY in str(server.asks[0].headers)
    told = "".join(traceback.format_exception(caught.value))
    assert CANARY not in told
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(("provider", "module"), [("openai", openai), ("anthropic", anthropic)])
def test_a_providers_own_mechanisms(monkeypatch: pytest.MonkeyPatch, provider: str, module: Any) -> None:
    """Here the address of the provider itself is replaced, since other servers are spoken to a little differently."""
    monkeypatch.setenv(f"{provider.upper()}_API_KEY", CANARY)
    monkeypatch.setenv(keys.SERVER, "not this one")
    request = Request(HELLO.messages, Settings(70, effort="minimal"), schema=SCHEMA)
    with ModelServer(lambda ask: Say(value={"n": 1})) as server:
        monkeypatch.setattr(module, "OWN", server.url if provider == "openai" else server.url.removesuffix("/v1"))
        assert asked(f"{provider}:m", request).value == {"n": 1}
        ask = server.asks[0]
    assert ask.schema == SCHEMA
    assert CANARY in (ask.headers.get("x-api-key"), ask.headers.get("authorization", "").removeprefix("Bearer "))
    if provider == "openai":
        assert ask.body["max_completion_tokens"] == 70
        assert ask.body["reasoning_effort"] == "minimal"
        assert ask.body["response_format"]["json_schema"]["strict"] is True
    else:
        assert ask.body["output_config"]["effort"] == "low"
        assert "tools" not in ask.body
        assert ask.body["system"] == [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_without_its_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, provider: str) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"{provider.upper()}_API_KEY"
    monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=rf"set {name} in the environment or in \.env"):
        connect(parse(f"{provider}:m"))


def embedded(spec: str, texts: list[str]) -> tuple[list[list[float]], Usage]:
    async def embed() -> tuple[list[list[float]], Usage]:
        provider = connect(parse(spec))
        try:
            return await provider.embed("m", texts, 5)
        finally:
            await provider.close()

    return asyncio.run(embed())


def test_embeddings_are_of_length_one() -> None:
    with ModelServer(lambda ask: Say()) as server:
        vectors, usage = embedded(server.spec(), ["the red key", "the red key", ""])
    assert vectors[0] == vectors[1] != vectors[2]
    assert sum(value * value for value in vectors[0]) == pytest.approx(1)
    assert usage == Usage(6)


def test_embeddings_that_are_missing() -> None:
    body = {"data": [{"index": 0, "embedding": [1]}], "usage": {"prompt_tokens": 4}}
    with ModelServer(lambda ask: Fault(manner="garbled", body=json.dumps(body))) as server:
        with pytest.raises(UnusableError, match="no vector") as caught:
            embedded(server.spec(), ["a", "b"])
        with pytest.raises(base.ModelRefusedError, match="no embeddings"):
            embedded(server.spec(provider="anthropic"), ["a"])
    assert caught.value.reply.usage == Usage(4)


def test_a_call_without_arguments_is_a_call() -> None:
    message = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "look", "arguments": ""}}]}
    reply, _ = served(Fault(manner="garbled", body=json.dumps({"choices": [{"message": message}]})), "openai")
    assert reply.calls == (ToolCall("1", "look", {}),)
