"""Requests and replies as JSON values: on the wire, in the ledger, and as what tells equal calls from others.

What is at its default is left out, so that a field that comes later changes no older call.
"""

from __future__ import annotations

import hashlib
import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import asdict, astuple
from typing import Any

from evolve.llm.base import Message, Purpose, Reply, Request, Settings, Tool, ToolCall, Usage

Json = dict[str, Any]


def pack_request(request: Request) -> Json:
    """A request as JSON."""
    settings = request.settings
    packed: Json = {
        "messages": [_pack_message(message) for message in request.messages],
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
        "effort": settings.effort,
        "schema": request.schema,
        "tools": [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in request.tools],
        "continues": request.continues,
        "grammar": request.grammar,
        "stop": list(request.stop),
    }
    return _given(packed)


def unpack_request(packed: Json) -> Request:
    """The inverse of `pack_request`."""
    return Request(
        tuple(_unpack_message(message) for message in packed["messages"]),
        Settings(packed["max_tokens"], packed.get("temperature"), packed.get("effort")),
        packed.get("schema"),
        tuple(Tool(**tool) for tool in packed.get("tools", ())),
        packed.get("continues", False),
        packed.get("grammar", ""),
        tuple(packed.get("stop", ())),
    )


def pack_reply(reply: Reply) -> Json:
    """A reply as JSON. Dollars are left out: the ledger has them in a column of their own."""
    usage = reply.usage
    packed = {
        "text": reply.text,
        "calls": [asdict(call) for call in reply.calls],
        "finish": reply.finish if reply.finish != "stop" else None,
        "usage": list(astuple(usage)),
    }
    told = {"value": reply.value, "kept": reply.kept}  # false and empty ones are values too
    return _given(packed) | {name: value for name, value in told.items() if value is not None}


def unpack_reply(packed: Json, *, dollars: float | None, is_hit: bool) -> Reply:
    """The inverse of `pack_reply`."""
    return Reply(
        packed.get("text", ""),
        packed.get("value"),
        tuple(ToolCall(**call) for call in packed.get("calls", ())),
        packed.get("finish", "stop"),
        Usage(*packed["usage"]),
        dollars,
        is_hit,
        packed.get("kept"),
    )


def pack_purpose(purpose: Purpose) -> Json:
    """A purpose as JSON."""
    return {"role": purpose.role, "model": purpose.model, "design": purpose.design, "sample": purpose.sample}


def pack_vectors(vectors: Sequence[Sequence[float]]) -> list[str]:
    """Vectors at single precision, which is what models compute them in."""
    return [b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() for vector in vectors]


def unpack_vectors(packed: Sequence[str]) -> list[list[float]]:
    """The inverse of `pack_vectors`."""
    return [list(struct.unpack(f"<{len(data) // 4}f", data)) for data in map(b64decode, packed)]


def key_of(packed: Json, purpose: Purpose) -> bytes:
    """What equal calls have in common: request, role, model and sample number. Not on whose account."""
    whole = [packed, purpose.role, purpose.model, purpose.sample]
    return hashlib.blake2b(json.dumps(whole, sort_keys=True).encode(), digest_size=16).digest()


def _pack_message(message: Message) -> Json:
    packed = {
        "speaker": message.speaker,
        "text": message.text,
        "calls": [asdict(call) for call in message.calls],
        "answers": message.answers,
    }
    return _given(packed) | ({"kept": message.kept} if message.kept is not None else {})


def _unpack_message(packed: Json) -> Message:
    calls = tuple(ToolCall(**call) for call in packed.get("calls", ()))
    return Message(packed["speaker"], packed.get("text", ""), calls, packed.get("answers", ""), packed.get("kept"))


def _given(packed: Json) -> Json:
    """What is not at its default; a number may be 0 and mean it."""
    return {name: value for name, value in packed.items() if not (value is None or value is False or value in ("", []))}
