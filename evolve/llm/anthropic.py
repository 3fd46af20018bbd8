"""Models of Anthropic, and of servers that speak its messages."""

from __future__ import annotations

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
        asked["messages"] = _turns(request.messages)
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
        if request.schema is not None and used:
            return _formed(used[0].get("input"), finish, usage)
        kept = _kept(blocks, finish)
        if request.schema is not None:
            return Reply(text, None if finish == "refusal" else value_of(text), (), finish, usage, kept=kept)
        if not blocks and finish == "stop":
            raise UnusableError(f"{model} of {self.name} gave an empty answer", Reply("", usage=usage))
        if any(not isinstance(block.get("input"), dict) for block in used):
            reason = f"{model} of {self.name} called a tool with arguments that are no JSON object"
            raise UnusableError(reason, Reply(text, usage=usage))
        calls = tuple(ToolCall(str(block.get("id")), str(block.get("name")), block["input"]) for block in used)
        return Reply(text, None, calls, "tools" if calls else finish, usage, kept=kept)


def _formed(value: Any, finish: Finish, usage: Usage) -> Reply:
    """The answer to a request with a schema, where it is what the one tool was given."""
    import json

    return Reply(json.dumps(value), value, (), "length" if finish == "length" else "stop", usage)


def _system(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The system's messages as blocks. The first never changes within a run, so its end is where the cache is cut."""
    blocks: list[dict[str, Any]] = [
        {"type": "text", "text": message.text} for message in messages if message.speaker == "system" and message.text
    ]
    if blocks:
        blocks[0]["cache_control"] = {"type": "ephemeral"}
    return blocks


def _kept(blocks: list[dict[str, Any]], finish: Finish) -> list[dict[str, Any]] | None:
    """The whole turn where the model thought in it: that has to come back unchanged, and in the same order.

    What is not accepted is left out: a cut turn, whose last thought may lack its signature, one that ends in a thought,
    and texts without a word.
    """
    said = [block for block in blocks if block.get("type") != "text" or str(block.get("text", "")).strip()]
    thoughts = [block.get("type") in ("thinking", "redacted_thinking") for block in said]
    return said if any(thoughts) and not thoughts[-1] and finish in ("stop", "tools") else None


def _turns(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The other messages; answers of tools belong to one user's turn, as they followed one turn of calls."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.speaker == "system":
            continue
        blocks = _blocks(message)
        role = "assistant" if message.speaker == "assistant" else "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.speaker == "tool":
        return [{"type": "tool_result", "tool_use_id": message.answers, "content": message.text}]
    if message.kept is not None:
        return list(message.kept)
    blocks: list[dict[str, Any]] = [{"type": "text", "text": message.text}] if message.text else []
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in message.calls
    ]
    return blocks


def _tool(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "description": description, "input_schema": schema}


def _usage(given: object, request: Request, said: str) -> Usage:
    """As the server counts, which has those of its cache apart from the others; what it does not say, by ours."""
    usage = given if isinstance(given, dict) else {}
    cached = count(usage.get("cache_read_input_tokens")) or 0
    written = count(usage.get("cache_creation_input_tokens")) or 0
    fresh = count(usage.get("input_tokens")) or 0
    tokens_in = fresh + cached + written or sum(count_tokens(each.text) for each in request.messages)
    tokens_out = count(usage.get("output_tokens"))
    if tokens_out is None or (tokens_out == 0 and said):
        tokens_out = count_tokens(said)
    details = usage.get("output_tokens_details")
    thought = count(details.get("thinking_tokens")) if isinstance(details, dict) else None
    return Usage(tokens_in, tokens_out, cached, min(thought or 0, tokens_out), written)
