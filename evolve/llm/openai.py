"""Models of OpenAI, and of every server that speaks its chat completions."""

from __future__ import annotations

from typing import Any

from evolve.errors import InputError
from evolve.llm import keys
from evolve.llm.base import Finish, Message, ModelRefusedError, Reply, Request, ToolCall, Usage
from evolve.llm.exchange import CONNECT, count, exchange, read_json
from evolve.llm.models import TransientError, UnusableError, is_here, unit
from evolve.llm.structured import is_strict, value_of
from sandbox.guest import count_tokens

OWN = "https://api.openai.com/v1"
NO_KEY = "none"

_FINISHES: dict[str, Finish] = {"length": "length", "tool_calls": "tools", "content_filter": "refusal"}


class OpenAI:
    """OpenAI itself, or the server at `url`; only the latter may know grammars and continuations, as llama.cpp does."""

    def __init__(self, url: str | None = None, *, name: str = "", key: str | None = None) -> None:
        import openai

        self.name = name or (f"openai at {url}" if url else "openai")
        self._key = key or keys.find(keys.SERVER if url else keys.OPENAI)
        if url is None and not self._key:
            raise InputError(f"OpenAI's models need a key: set {keys.OPENAI} in the environment or in .env")
        self._is_own = url is None
        self._module = openai
        http = openai.DefaultAsyncHttpxClient(trust_env=False) if is_here(url) else None
        self._client = openai.AsyncOpenAI(
            api_key=self._key or NO_KEY, base_url=url or OWN, max_retries=0, http_client=http
        )

    async def complete(self, model: str, request: Request, timeout: float) -> Reply:
        """See `Provider`."""
        if request.grammar and self._is_own:
            raise ModelRefusedError(f"{self.name} knows no grammars; give a schema")
        if request.continues:
            answer = await self._send(self._client.completions, self._continuation(model, request), timeout)
        else:
            answer = await self._send(self._client.chat.completions, self._chat(model, request), timeout)
        return self._reply(model, request, answer)

    async def embed(self, model: str, texts: list[str], timeout: float) -> tuple[list[list[float]], Usage]:
        """See `Provider`."""
        asked = {"model": model, "input": texts, "encoding_format": "float"}
        answer = await self._send(self._client.embeddings, asked, timeout)
        try:
            rows = sorted(answer["data"], key=lambda row: int(row["index"]))
            vectors = [unit([float(value) for value in row["embedding"]]) for row in rows]
        except (KeyError, TypeError, ValueError):
            vectors = []
        usage = _mapping(answer.get("usage"))
        tokens = count(usage.get("prompt_tokens")) or sum(map(count_tokens, texts))
        if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) > 1:
            reply = Reply("", usage=Usage(tokens))
            raise UnusableError(f"{model} of {self.name} gave no vector for each of {len(texts)} texts", reply)
        return vectors, Usage(tokens)

    async def close(self) -> None:
        """See `Provider`."""
        await self._client.close()

    async def _send(self, resource: Any, asked: dict[str, Any], timeout: float) -> dict[str, Any]:
        limits = self._module.Timeout(timeout, connect=min(CONNECT, timeout))
        call = resource.with_raw_response.create(**asked, timeout=limits)
        return await exchange(call, self._module, self.name, self._key, timeout)

    def _chat(self, model: str, request: Request) -> dict[str, Any]:
        settings = request.settings
        asked: dict[str, Any] = {"model": model, "messages": [_message(each) for each in request.messages]}
        asked["max_completion_tokens" if self._is_own else "max_tokens"] = settings.max_tokens
        if settings.temperature is not None:
            asked["temperature"] = settings.temperature
        if settings.effort is not None:
            asked["reasoning_effort"] = settings.effort
        if request.schema is not None:
            form = {"name": "answer", "schema": request.schema, "strict": is_strict(request.schema)}
            asked["response_format"] = {"type": "json_schema", "json_schema": form}
        if request.tools:
            asked["tools"] = [
                {
                    "type": "function",
                    "function": {"name": t.name, "description": t.description, "parameters": t.parameters},
                }
                for t in request.tools
            ]
        if request.stop:
            asked["stop"] = list(request.stop)
        if request.grammar:
            asked["extra_body"] = {"grammar": request.grammar}
        return asked

    def _continuation(self, model: str, request: Request) -> dict[str, Any]:
        if len(request.messages) != 1:
            raise ModelRefusedError("a text to be continued is one message")
        asked: dict[str, Any] = {"model": model, "prompt": request.messages[0].text}
        asked["max_tokens"] = request.settings.max_tokens
        if request.settings.temperature is not None:
            asked["temperature"] = request.settings.temperature
        if request.stop:
            asked["stop"] = list(request.stop)
        if request.grammar:
            asked["extra_body"] = {"grammar": request.grammar}
        return asked

    def _reply(self, model: str, request: Request, answer: dict[str, Any]) -> Reply:
        choices = answer.get("choices")
        choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
        message = _mapping(choice.get("message"))
        refusal = message.get("refusal")
        text = str(refusal or message.get("content") or choice.get("text") or "")
        usage = _usage(answer.get("usage"), request, text)
        finish = "refusal" if refusal else _FINISHES.get(str(choice.get("finish_reason")), "stop")
        if not choice:
            if "usage" not in answer:  # an error in the clothes of success, as some proxies send it
                raise TransientError(f"{model} of {self.name} answered without choices and usage")
            raise UnusableError(f"{model} of {self.name} gave an empty answer", Reply("", usage=usage))
        calls = tuple(_call(each) for each in message.get("tool_calls") or ())
        if any(call is None for call in calls):
            reason = f"{model} of {self.name} called a tool with arguments that are no JSON object"
            raise UnusableError(reason, Reply(text, usage=usage))
        known = tuple(call for call in calls if call is not None)
        value = value_of(text) if request.schema is not None and finish != "refusal" else None
        return Reply(text, value, known, "tools" if known else finish, usage)


def _message(message: Message) -> dict[str, Any]:
    if message.speaker == "tool":
        return {"role": "tool", "tool_call_id": message.answers, "content": message.text}
    if not message.calls:
        return {"role": message.speaker, "content": message.text}
    import json

    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}
        for call in message.calls
    ]
    return {"role": message.speaker, "content": message.text or None, "tool_calls": calls}


def _call(given: object) -> ToolCall | None:
    call = _mapping(given)
    function = _mapping(call.get("function"))
    arguments = read_json(str(function.get("arguments") or "{}"))
    return ToolCall(str(call.get("id")), str(function.get("name")), arguments) if isinstance(arguments, dict) else None


def _usage(given: object, request: Request, text: str) -> Usage:
    """As the server counts; what it does not say, or says impossibly, by our own counter."""
    usage = _mapping(given)
    tokens_in = count(usage.get("prompt_tokens")) or sum(count_tokens(each.text) for each in request.messages)
    said = count(usage.get("completion_tokens"))
    tokens_out = count_tokens(text) if said is None or (said == 0 and text) else said
    details = _mapping(usage.get("prompt_tokens_details"))
    cached = min(count(details.get("cached_tokens")) or 0, tokens_in)
    written = min(count(details.get("cache_write_tokens")) or 0, tokens_in - cached)
    reasoning = count(_mapping(usage.get("completion_tokens_details")).get("reasoning_tokens")) or 0
    return Usage(tokens_in, tokens_out, cached, min(reasoning, tokens_out), written)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
