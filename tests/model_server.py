"""A server on loopback that speaks the wire formats of OpenAI and Anthropic, and misbehaves on command.

    def script(ask: Ask) -> Response:
        if "plan" in ask.text:
            return Say(value={"idea": "forget less"})      # an answer, here of a schema; Say("text") without one
        return Fault(429, retry_after="1")                 # or something that goes wrong

    with ModelServer(script) as server:
        model = server.spec()                              # openai:m@http://127.0.0.1:PORT/v1
        ...
        assert server.paid == 1                            # answers that were delivered whole: what one pays for
        assert "secret" not in str(server.asks)            # all that was asked, with headers, in order of arrival

`mixed(script, seed=3)` is the same script with faults of all kinds strewn in: which request meets which fault depends
on the seed, on what is asked and on how often it was asked before, not on the order of arrival. A request meets at most
`in_a_row` faults that pass, so it always gets its answer in the end.
"""

from __future__ import annotations

import hashlib
import json
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

from sandbox.guest import count_tokens

Manner = Literal["cut", "reset", "garbled", "slow", "empty", "overflow"]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    number: int
    """How many were asked before it."""

    @property
    def is_anthropic(self) -> bool:
        """Which of the two languages it speaks."""
        return self.path.endswith("/messages")

    @property
    def text(self) -> str:
        """All that the model is told, the system's messages first; the texts to embed."""
        told = [self.body.get("system", ""), self.body.get("prompt", ""), self.body.get("input", "")]
        return "\n".join(filter(None, map(_flat, [*told, *self.body.get("messages", [])])))

    @property
    def schema(self) -> dict[str, Any] | None:
        """The schema that the answer has to fit, however the provider is told of it."""
        form = self.body.get("response_format") or self.body.get("output_config", {}).get("format") or {}
        forced = (self.body.get("tool_choice") or {}).get("name") if self.is_anthropic else None
        tools = [tool["input_schema"] for tool in self.body.get("tools", []) if forced and tool["name"] == forced]
        found: dict[str, Any] | None = form.get("json_schema", form).get("schema") or next(iter(tools), None)
        return found


@dataclass(frozen=True, slots=True)
class Say:
    """An answer. Tokens that are not given are counted; `usage` may be replaced by anything, none leaves it out."""

    text: str = ""
    value: Any = None
    """The answer as JSON, where a schema is asked for; `text` holds what does not parse."""
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()
    """Tools that the model calls, with their arguments."""
    finish: Literal["stop", "length", "refusal"] = "stop"
    tokens_in: int | None = None
    tokens_out: int | None = None
    cached: int = 0
    written: int = 0
    reasoning: int = 0
    thought: str = ""
    """What comes before the answer as a block of its own; Anthropic's form only."""
    usage: Any = "as counted"
    latency: float = 0.0
    """Seconds before it is sent."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong: a status with its headers, or one of the manners in which a 200 does.

    `cut`: the connection ends in the middle of the body. `reset`: it is reset before. `garbled`: a whole body that is
    no JSON. `slow`: a body of which a byte comes every `latency` seconds, without end. `empty`: an answer without
    choices or content, which is paid. `overflow`: what the provider says of a request that is too long.
    """

    status: int = 200
    manner: Manner | None = None
    retry_after: str | None = None
    body: str | None = None
    latency: float = 0.0


Response = Say | Fault
Script = Callable[[Ask], Response]

PASSING: tuple[Fault, ...] = (
    Fault(429, retry_after="0.05"),
    Fault(429),
    Fault(500),
    Fault(503, retry_after="0"),
    Fault(529),
    Fault(manner="cut"),
    Fault(manner="reset"),
    Fault(manner="garbled"),
)
"""What another attempt mends."""


def mixed(script: Script, *, seed: int = 0, share: float = 0.3, in_a_row: int = 3, bad_answers: bool = True) -> Script:
    """The script with faults strewn in, and, with `bad_answers`, paid answers that are of no use.

    `share` of the attempts fail. Of the rest, a tenth come back cut, empty, refused, without usage, with a wrong one,
    or, where a schema is asked for, as JSON that does not fit it.
    """
    asked: Counter[str] = Counter()
    lock = threading.Lock()

    def faulty(ask: Ask) -> Response:
        what = hashlib.sha256(json.dumps([ask.path, ask.body], sort_keys=True).encode()).hexdigest()
        with lock:
            asked[what] += 1
            before = asked[what]
        draw = random.Random(f"{seed} {what} {before}")
        if draw.random() < share and before <= in_a_row:
            return draw.choice(PASSING)
        said = script(ask)
        if not bad_answers or not isinstance(said, Say) or draw.random() >= 0.1 or _is_embedding(ask.path):
            return said
        return draw.choice(_spoiled(said))

    return faulty


class ModelServer:
    """Answers by a script, each request in a thread of its own. A context manager; `spec` names its model."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asks: list[Ask] = []
        self.paid = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Its address, which both clients take."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def spec(self, model: str = "m", provider: str = "openai") -> str:
        """The name of a model that this server answers for."""
        return f"{provider}:{model}@{self.url}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[Ask, Response]:
        """Note a request and find its response."""
        with self._lock:
            ask = Ask(path, headers, body, len(self.asks))
            self.asks.append(ask)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return ask, self.script(ask)

    def finish(self, paid: bool) -> None:
        """Note that a request was answered, or not."""
        with self._lock:
            self.in_flight -= 1
            self.paid += paid

    def wait(self, seconds: float) -> bool:
        """Wait; whether the server is about to stop."""
        return self._stopping.wait(seconds) if seconds else self._stopping.is_set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], owner: ModelServer) -> None:
        super().__init__(address, _Handler)
        self.owner = owner

    def shutdown_request(self, request: Any) -> None:
        """Close without the polite end before it, so that a connection can be reset."""
        self.close_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is nothing to speak of."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        owner = self.server.owner
        ask, response = owner.handle(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        paid = False
        try:
            if isinstance(response, Say):
                owner.wait(response.latency)
                self._send(200, _answer(ask, response))
                paid = True
            else:
                paid = self._misbehave(ask, response)
        finally:
            owner.finish(paid)

    def _misbehave(self, ask: Ask, fault: Fault) -> bool:
        """Whether it was an answer all the same, which is to be paid."""
        if fault.manner != "slow":
            self.server.owner.wait(fault.latency)
        if fault.manner == "cut":
            self._send_headers(200, 4096)
            self.wfile.write(b'{"choices": [')
            self.close_connection = True
        elif fault.manner == "reset":  # what SO_LINGER 0 makes of closing
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif fault.manner == "slow":
            self._send_headers(200, 1 << 20)
            while not self.server.owner.wait(fault.latency):
                self.wfile.write(b" ")
        elif fault.manner == "garbled":
            self._send(200, fault.body or '{"choices": [{"mess')
        elif fault.manner == "empty":
            self._send(200, _empty(ask))
        elif fault.manner == "overflow":
            self._send(400, json.dumps(_OVERFLOW[ask.is_anthropic]))
        else:
            error = {"type": "error", "error": {"type": "some_error", "message": f"a fault of {fault.status}"}}
            self._send(fault.status, fault.body or json.dumps(error), fault.retry_after)
        return fault.manner == "empty"

    def _send(self, status: int, body: str, retry_after: str | None = None) -> None:
        data = body.encode()
        self._send_headers(status, len(data), retry_after)
        self.wfile.write(data)

    def _send_headers(self, status: int, length: int, retry_after: str | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(length))
        if retry_after is not None:
            self.send_header("retry-after", retry_after)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is logged."""


_OVERFLOW = {
    False: {
        "error": {
            "message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        }
    },
    True: {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"},
    },
}


def _flat(told: Any) -> str:
    """The text of a message, however it is nested."""
    if isinstance(told, str):
        return told
    if isinstance(told, dict):
        return _flat(told.get("content", told.get("text", "")))
    return "\n".join(map(_flat, told)) if isinstance(told, list) else ""


def _is_embedding(path: str) -> bool:
    return path.endswith("/embeddings")


def _spoiled(said: Say) -> list[Response]:
    """Answers that are paid and of little use."""
    text = said.text if said.value is None else json.dumps(said.value)
    spoiled: list[Response] = [
        replace(said, text=text[: len(text) // 2], value=None, finish="length"),
        replace(said, text="I will not.", value=None, calls=(), finish="refusal"),
        replace(said, usage=None),
        replace(
            said, usage={"prompt_tokens": -3, "completion_tokens": "many", "input_tokens": -3, "output_tokens": None}
        ),
        Fault(manner="empty"),
    ]
    return spoiled if said.value is None else [*spoiled, replace(said, value={"unasked": True})]


def _answer(ask: Ask, say: Say) -> str:
    if _is_embedding(ask.path):
        return json.dumps(_embeddings(ask))
    return json.dumps(_message(ask, say) if ask.is_anthropic else _completion(ask, say))


def _completion(ask: Ask, say: Say) -> dict[str, Any]:
    text = say.text if say.value is None else json.dumps(say.value)
    reason: str = "content_filter" if say.finish == "refusal" else say.finish
    if ask.path.endswith("/chat/completions"):
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if say.finish == "refusal":
            message |= {"content": None, "refusal": text}
        if say.calls:
            reason = "tool_calls"
            message["tool_calls"] = [
                {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
                for i, (name, given) in enumerate(say.calls)
            ]
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": reason}
    else:
        choice = {"index": 0, "text": text, "finish_reason": reason}
    answer = {"id": f"r{ask.number}", "object": "chat.completion", "model": ask.body["model"], "choices": [choice]}
    tokens_in, tokens_out = _tokens(ask, say, text)
    usage = {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "prompt_tokens_details": {"cached_tokens": say.cached, "cache_write_tokens": say.written},
        "completion_tokens_details": {"reasoning_tokens": say.reasoning},
    }
    return _with_usage(answer, say, usage)


def _message(ask: Ask, say: Say) -> dict[str, Any]:
    text = say.text if say.value is None else json.dumps(say.value)
    forced = (ask.body.get("tool_choice") or {}).get("name")
    reason = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}[say.finish]
    content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    if say.thought:
        content.insert(0, {"type": "thinking", "thinking": say.thought, "signature": "signed"})
    calls = list(say.calls)
    if forced and say.value is not None:
        content, calls = [], [(forced, say.value)]
    if calls:
        reason = "tool_use"
        content += [
            {"type": "tool_use", "id": f"u{i}", "name": n, "input": given} for i, (n, given) in enumerate(calls)
        ]
    answer = {"id": f"r{ask.number}", "type": "message", "role": "assistant", "model": ask.body["model"]}
    answer |= {"content": content, "stop_reason": reason, "stop_sequence": None}
    tokens_in, tokens_out = _tokens(ask, say, text)
    usage = {
        "input_tokens": tokens_in - say.cached - say.written,
        "cache_read_input_tokens": say.cached,
        "cache_creation_input_tokens": say.written,
        "output_tokens": tokens_out,
        "output_tokens_details": {"thinking_tokens": say.reasoning},
    }
    return _with_usage(answer, say, usage)


def _tokens(ask: Ask, say: Say, text: str) -> tuple[int, int]:
    tokens_in = count_tokens(ask.text) if say.tokens_in is None else say.tokens_in
    said = [text, *(json.dumps(dict(given)) for _, given in say.calls)]
    return tokens_in, sum(map(count_tokens, said)) + say.reasoning if say.tokens_out is None else say.tokens_out


def _with_usage(answer: dict[str, Any], say: Say, counted: dict[str, Any]) -> dict[str, Any]:
    if say.usage is None:
        return answer
    return {**answer, "usage": counted if say.usage == "as counted" else say.usage}


def _embeddings(ask: Ask) -> dict[str, Any]:
    """Vectors of eight numbers that depend on the words of a text, so that texts with common words are near."""
    rows = []
    for index, text in enumerate(ask.body["input"]):
        vector = [0.0] * 8
        for word in text.lower().split():
            vector[hashlib.sha256(word.encode()).digest()[0] % 8] += 1.0
        rows.append({"object": "embedding", "index": index, "embedding": vector})
    tokens = sum(map(count_tokens, ask.body["input"]))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": rows, "model": ask.body["model"], "usage": usage}


def _empty(ask: Ask) -> str:
    """An answer with a bill and without content."""
    tokens = count_tokens(ask.text)
    if ask.is_anthropic:
        usage = {"input_tokens": tokens, "output_tokens": 0}
        return json.dumps({"type": "message", "content": [], "stop_reason": "end_turn", "usage": usage})
    usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    return json.dumps({"object": "chat.completion", "choices": [], "usage": usage})
