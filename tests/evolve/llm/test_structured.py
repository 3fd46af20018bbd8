"""Answers of a form: what is asked for, what is taken, and the one time it is asked again."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from evolve.llm import anthropic
from evolve.llm.base import BadAnswerError, Message, ModelRefusedError, Purpose, Reply, Request, Usage
from evolve.llm.models import UnusableError, connect, parse
from evolve.llm.structured import ask_for, is_strict, schema_of, value_of
from tests.model_server import Fault, ModelServer, Response, Say


class Change(BaseModel):
    """One change."""

    part: Literal["store", "retrieve"]
    title: str = Field(default="", max_length=40)


class Idea(BaseModel):
    """What to try."""

    text: str = Field(min_length=2, description="in one sentence")
    sure: float | None = None
    changes: list[Change] = []


GOOD = {"text": "forget less", "sure": None, "changes": [{"part": "store", "title": "keep"}]}
REQUEST = Request((Message("user", "What now?"),))


class Direct:
    """An asker without ledger and limits: straight to the provider, each call in a loop of its own."""

    def ask(self, request: Request, purpose: Purpose) -> Reply:
        async def call() -> Reply:
            spec = parse(purpose.model)
            provider = connect(spec)
            try:
                return await provider.complete(spec.model, request, 30)
            finally:
                await provider.close()

        return asyncio.run(call())

    def embed(self, texts: list[str], purpose: Purpose) -> list[list[float]]:
        raise NotImplementedError


def idea(*responses: Response, provider: str = "openai") -> tuple[Idea, Reply, list[str]]:
    """The idea that these responses in turn give, its reply, and all that the model was told."""
    left = iter(responses)
    with ModelServer(lambda ask: next(left)) as server:
        found, reply = ask_for(Direct(), Idea, REQUEST, Purpose("reflect", server.spec(provider=provider)))
        return found, reply, [ask.text for ask in server.asks]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_an_answer_of_the_form(provider: str) -> None:
    found, reply, told = idea(Say(value=GOOD, tokens_in=5, tokens_out=7), provider=provider)
    assert found == Idea(text="forget less", changes=[Change(part="store", title="keep")])
    assert reply.usage == Usage(5, 7)
    assert told == ["What now?"]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_half_a_character_can_be_said_again(provider: str) -> None:
    found, _, told = idea(Say("forget \ud83d"), Say(value=GOOD), provider=provider)
    assert found.text == "forget less"
    assert "forget ?" in told[1]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("first", "said"),
    [
        (Say(value={**GOOD, "text": "x"}, tokens_in=5, tokens_out=7), "text: String should have at least 2"),
        (
            Say(value={**GOOD, "changes": [{"part": "none"}]}, tokens_in=5, tokens_out=7),
            "changes.0.part: Input should be",
        ),
        (Say("Sure! I would", tokens_in=5, tokens_out=7), "it is no JSON"),
        (Say('{"text": "for', finish="length", tokens_in=5, tokens_out=7), "cut at 4096 tokens"),
    ],
)
def test_what_does_not_fit_is_asked_again_once(provider: str, first: Say, said: str) -> None:
    found, reply, told = idea(first, Say(value=GOOD, tokens_in=20, tokens_out=8), provider=provider)
    assert found.text == "forget less"
    assert reply.usage == Usage(25, 15)
    assert said in told[1]
    if first.text:
        assert first.text in told[1]


@pytest.mark.parametrize(("said", "types"), [("?", ["thinking", "text"]), ("?" * 30_000, ["text"])])
def test_what_the_model_thought_is_shown_with_what_it_said(
    monkeypatch: pytest.MonkeyPatch, said: str, types: list[str]
) -> None:
    """By Anthropic's own way of schemas: elsewhere the answer is the argument of a tool."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    responses = iter([Say(said, thought="hm"), Say(value=GOOD)])
    with ModelServer(lambda ask: next(responses)) as server:
        monkeypatch.setattr(anthropic, "OWN", server.url.removesuffix("/v1"))
        ask_for(Direct(), Idea, REQUEST, Purpose("reflect", "anthropic:m"))
        turns = server.asks[1].body["messages"]
    assert [block["type"] for block in turns[1]["content"]] == types


def test_an_empty_answer_is_asked_again() -> None:
    found, reply, told = idea(Fault(manner="empty"), Say(value=GOOD, tokens_in=20, tokens_out=8))
    assert found.text == "forget less"
    assert reply.usage == Usage(23, 8)
    assert "gave an empty answer" in told[1]


def test_twice_is_enough() -> None:
    with pytest.raises(BadAnswerError, match=r"gave no Idea, also when asked again: text: Field required"):
        idea(Say("?"), Say(value={"sure": 1}))


def test_a_refusal_is_not_asked_again() -> None:
    with pytest.raises(ModelRefusedError, match="refused: I will not"):
        idea(Say("I will not.", finish="refusal"))


def test_the_schema_is_strict() -> None:
    schema = schema_of(Idea)
    assert is_strict(schema)
    assert schema["required"] == ["text", "sure", "changes"]
    assert schema["properties"]["text"]["description"] == "in one sentence"
    assert schema["$defs"]["Change"]["required"] == ["part", "title"]
    assert "default" not in str(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {}}, "required": [], "additionalProperties": False},
        {"type": "array", "items": {"type": "object"}},
    ],
)
def test_a_schema_that_is_not_strict(schema: dict[str, Any]) -> None:
    assert not is_strict(schema)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('```json\n{"a": 1}\n```\n', {"a": 1}),
        ("```\n[1]\n```", [1]),
        ("NaN", None),
        ('{"a": 1e999}', None),
        ("[" * 100_000, None),
        ("", None),
    ],
)
def test_values_of_texts(text: str, value: object) -> None:
    assert value_of(text) == value


def test_errors_keep_what_was_paid() -> None:
    error = UnusableError("empty", Reply("", usage=Usage(3)))
    assert isinstance(error, BadAnswerError)
    assert error.reply.usage.tokens_in == 3
