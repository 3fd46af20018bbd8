"""Models of Anthropic, and of servers that speak its messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evolve.errors import InputError
from evolve.llm import keys
from evolve.llm.base import Finish, Message, ModelRefusedError, Reply, Request, ToolCall, Usage
from evolve.llm.exchange import CONNECT, count, exchange
from evolve.llm.models import TransientError, UnusableError, is_here
from evolve.llm.openai import NO_KEY
from evolve.llm.structured import value_of
from sandbox.guest import count_tokens

OWN = "https://api.anthropic.com"
ANSWER = "answer"
"""Name of the tool that servers other than Anthropic's are made to call for an answer of a schema."""

MOST_THOUGHTS = 1024
"""Conversations with tools that may be under way at once."""

_FINISHES: dict[str, Finish] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tools",
    "refusal": "refusal",
}
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}


class Anthropic:
    """Anthropic itself, or the server at `url`.

    Anthropic takes a schema as the format of its output. Forcing a tool, which is what other servers understand, does
    not go together with thinking there.
    """

    def __init__(self, url: str | None = None) -> None:
        import anthropic

        self.name = f"anthropic at {url}" if url else "anthropic"
        self._key = keys.find(keys.SERVER if url else keys.ANTHROPIC)
        if url is None and not self._key:
            raise InputError(f"Anthropic's models need a key: set {keys.ANTHROPIC} in the environment or in .env")
        self._is_own = url is None
        self._module = anthropic
        base = url.removesuffix("/v1") if url else OWN
        http = anthropic.DefaultAsyncHttpxClient(trust_env=False) if is_here(url) else None
        self._client = anthropic.AsyncAnthropic(
            api_key=self._key or NO_KEY, base_url=base, max_retries=0, http_client=http
        )
        self._thoughts: dict[str, list[dict[str, Any]]] = {}

    async def complete(self, model: str, request: Request, timeout: float) -> Reply:
        """See `Provider`."""
        if request.continues or request.grammar:
            raise ModelRefusedError(f"{self.name} neither continues a text nor knows grammars; use openai:MODEL@URL")
        limits = self._module.Timeout(timeout, connect=min(CONNECT, timeout))
        call = self._client.messages.with_raw_response.create(**self._asked(model, request), timeout=limits)
        answer = await exchange(call, self._module, self.name, self._key, timeout)
        return self._reply(model, request, answer)

    async def embed(self, model: str, texts: list[str], timeout: float) -> tuple[list[list[float]], Usage]:
        """See `Provider`; there are no embeddings here."""
        raise ModelRefusedError(f"{self.name} has no embeddings; take static, or openai:MODEL")

    async def close(self) -> None:
        """See `Provider`."""
        await self._client.close()

    def _asked(self, model: str, request: Request) -> dict[str, Any]:
        settings = request.settings
        asked: dict[str, Any] = {"model": model, "max_tokens": settings.max_tokens}
        asked["messages"] = _turns(request.messages, self._thoughts)
        if system := _system(request.messages):
            asked["system"] = system
        if request.stop:
            asked["stop_sequences"] = list(request.stop)
        if request.tools:
            asked["tools"] = [_tool(each.name, each.description, each.parameters) for each in request.tools]
        if settings.temperature is not None:  # the newest models take none, and their client knows none
            asked["extra_body"] = {"temperature": settings.temperature}
        config: dict[str, Any] = {}
        if settings.effort is not None and self._is_own:
            config["effort"] = _EFFORTS[settings.effort]
        if request.schema is not None and self._is_own:
            config["format"] = {"type": "json_schema", "schema": self._format(request.schema)}
        elif request.schema is not None:
            asked["tools"] = [_tool(ANSWER, "Give the answer.", request.schema)]
            asked["tool_choice"] = {"type": "tool", "name": ANSWER}
        if config:
            asked["output_config"] = config
        return asked

    def _format(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema in the part of the language that Anthropic takes; the rest of it moves into descriptions."""
        try:
            taken: dict[str, Any] = self._module.transform_schema(schema)
        except (ValueError, TypeError, AssertionError) as error:
            raise ModelRefusedError(f"{self.name} can not answer by this schema: {error}") from error
        return taken

    def _reply(self, model: str, request: Request, answer: dict[str, Any]) -> Reply:
        content = answer.get("content")
        blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
        if "usage" not in answer and not blocks:
            raise TransientError(f"{model} of {self.name} answered without content and usage")
        text = "".join(str(block.get("text")) for block in blocks if block.get("type") == "text")
        used = [block for block in blocks if block.get("type") == "tool_use"]
        usage = _usage(answer.get("usage"), request, text + "".join(str(block.get("input")) for block in used))
        finish = _FINISHES.get(str(answer.get("stop_reason")), "stop")
        if request.schema is not None:
            return _formed(text, used, finish, usage)
        if not blocks and finish == "stop":
            raise UnusableError(f"{model} of {self.name} gave an empty answer", Reply("", usage=usage))
        if any(not isinstance(block.get("input"), dict) for block in used):
            reason = f"{model} of {self.name} called a tool with arguments that are no JSON object"
            raise UnusableError(reason, Reply(text, usage=usage))
        calls = tuple(ToolCall(str(block.get("id")), str(block.get("name")), block["input"]) for block in used)
        if calls:
            self._keep_thoughts(calls[0].id, blocks)
        return Reply(text, None, calls, "tools" if calls else finish, usage)

    def _keep_thoughts(self, call: str, blocks: list[dict[str, Any]]) -> None:
        """What the model thought before it called tools has to come back, unchanged, together with their answers."""
        self._thoughts[call] = [block for block in blocks if block.get("type") in ("thinking", "redacted_thinking")]
        if len(self._thoughts) > MOST_THOUGHTS:
            del self._thoughts[next(iter(self._thoughts))]


def _formed(text: str, used: list[dict[str, Any]], finish: Finish, usage: Usage) -> Reply:
    """The answer to a request with a schema: what the one tool was given, or the text."""
    import json

    if not used:
        return Reply(text, None if finish == "refusal" else value_of(text), (), finish, usage)
    value = used[0].get("input")
    return Reply(json.dumps(value), value, (), "length" if finish == "length" else "stop", usage)


def _system(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The system's messages as blocks. The first never changes within a run, so its end is where the cache is cut."""
    blocks: list[dict[str, Any]] = [
        {"type": "text", "text": message.text} for message in messages if message.speaker == "system" and message.text
    ]
    if blocks:
        blocks[0]["cache_control"] = {"type": "ephemeral"}
    return blocks


def _turns(messages: tuple[Message, ...], thoughts: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The other messages; answers of tools belong to one user's turn, as they followed one turn of calls."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.speaker == "system":
            continue
        blocks = _blocks(message, thoughts)
        role = "assistant" if message.speaker == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message, thoughts: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    if message.speaker == "tool":
        return [{"type": "tool_result", "tool_use_id": message.answers, "content": message.text}]
    blocks = list(thoughts.get(message.calls[0].id, ())) if message.calls else []
    if message.text:
        blocks.append({"type": "text", "text": message.text})
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in message.calls
    ]
    return blocks


def _tool(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "description": description, "input_schema": schema}


def _usage(given: object, request: Request, said: str) -> Usage:
    """As the server counts, which has cached tokens apart from the others; what it does not say, by our counter."""
    usage = given if isinstance(given, dict) else {}
    cached = count(usage.get("cache_read_input_tokens")) or 0
    parts = [count(usage.get(name)) or 0 for name in ("input_tokens", "cache_creation_input_tokens")]
    tokens_in = sum(parts) + cached or sum(count_tokens(each.text) for each in request.messages)
    tokens_out = count(usage.get("output_tokens"))
    if tokens_out is None or (tokens_out == 0 and said):
        tokens_out = count_tokens(said)
    details = usage.get("output_tokens_details")
    thought = count(details.get("thinking_tokens")) if isinstance(details, dict) else None
    return Usage(tokens_in, tokens_out, cached, min(thought or 0, tokens_out))
