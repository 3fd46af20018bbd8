"""How workers reach the gateway: TCP, frames of JSON after their length, and a token of the run that is no key.

A connection begins with the token and then carries one call at a time. Who cannot say the token is told nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from archive.ledger import LedgerError
from evolve.errors import InputError
from evolve.llm import base
from evolve.llm.base import ModelAwayError, ModelError, Purpose, Reply, Request, Settings
from evolve.llm.codec import Json, pack_purpose, pack_reply, pack_request, unpack_reply, unpack_request
from evolve.llm.models import UnusableError

MOST = 64 * 1024 * 1024
"""Bytes of a frame."""
GREETING = 256
"""Bytes of the first one, read before anybody is trusted."""
GREETING_SECONDS = 10.0
REACH_SECONDS = 10.0
LONGEST = 3 * 3600.0
"""Seconds that a call may take: more than all its attempts, waits for the budget included, so that a gateway that
vanished without a word is noticed at all."""
IDLE = 16
"""Connections that a process keeps open between calls."""

_LENGTH = struct.Struct(">I")
ERRORS: tuple[type[ModelError], ...] = (
    base.TooLongError,
    base.ModelRefusedError,
    base.BadAnswerError,
    base.SpentError,
    base.UnrecordedError,
    ModelAwayError,
)
"""Those that keep their class on the wire, the narrower first; any other is as if the model were away."""


@dataclass(frozen=True, slots=True)
class Models:
    """What a worker has to know to ask models: where the gateway is, and whom it asks in which role. No key."""

    host: str
    port: int
    token: str
    agent: str = ""
    """The model that plays; empty where none does."""
    agent_settings: Settings = field(default_factory=Settings)
    memory: str = ""
    """The model behind `toolkit.llm`; empty where there is none."""
    memory_settings: Settings = field(default_factory=Settings)
    memory_tokens: int = 0
    """That a design may spend on it."""
    embedder: str = ""
    """The model behind `toolkit.embed`; empty where it is the static one."""
    concurrency: int = 1
    """Calls of a provider that are under way at once, of all workers together."""

    def connect(self) -> RemoteAsker:
        """An asker in this process."""
        return RemoteAsker(self.host, self.port, self.token)


class RemoteAsker:
    """Asks the gateway over the network; each thread that asks has a connection while it waits."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._place = (host, port)
        self._token = token
        self._idle: list[socket.socket] = []
        self._lock = threading.Lock()

    def ask(self, request: Request, purpose: Purpose) -> Reply:
        """The answer; raises a `ModelError`, as the gateway does."""
        found = self._call({"ask": pack_request(request), "purpose": pack_purpose(purpose)})
        return _reply(found)

    def embed(self, texts: list[str], purpose: Purpose) -> list[list[float]]:
        """Unit vectors of the texts; raises a `ModelError`."""
        vectors: list[list[float]] = self._call({"embed": texts, "purpose": pack_purpose(purpose)})["vectors"]
        return vectors

    def close(self) -> None:
        """Close the connections that nobody waits on."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _call(self, frame: Json) -> Json:
        try:
            connection = self._take()
            with ExitStack() as broken:
                broken.callback(connection.close)  # an answer that comes later is for nobody
                _send(connection, frame)
                found = _receive(connection)
                broken.pop_all()
        except (OSError, ValueError, EOFError) as error:
            raise ModelAwayError(
                f"the run's gateway at {self._place[0]}:{self._place[1]} is not there: {error}"
            ) from None
        self._give_back(connection)
        if "error" in found:
            if "reply" in found:
                raise UnusableError(found["message"], _reply(found))
            raise getattr(base, found["error"])(found["message"])
        return found

    def _take(self) -> socket.socket:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        connection = socket.create_connection(self._place, timeout=REACH_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.settimeout(LONGEST)
        _send(connection, {"token": self._token})
        return connection

    def _give_back(self, connection: socket.socket) -> None:
        with self._lock:
            if len(self._idle) < IDLE:
                self._idle.append(connection)
                return
        connection.close()


Answer = Callable[[Request, Purpose], Awaitable[Reply]]
Embed = Callable[[list[str], Purpose], Awaitable[list[list[float]]]]


class Server:
    """The gateway's side, in its event loop. Whoever says the token may ask."""

    def __init__(self, token: str, answer: Answer, embed: Embed) -> None:
        self._token = token
        self._answer = answer
        self._embed = embed
        self._server: asyncio.Server | None = None

    async def listen(self, host: str) -> int:
        """Begin to serve on one address of this machine; returns the port."""
        self._server = await asyncio.start_server(self._serve, host, 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def close(self) -> None:
        """Take no more connections; calls under way go on, and their answers go where somebody still listens."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, ValueError, TimeoutError, asyncio.CancelledError):
            greeting = await asyncio.wait_for(_read(reader, GREETING), GREETING_SECONDS)
            said = str(greeting.get("token", ""))
            if hmac.compare_digest(said.encode("utf-8", "replace"), self._token.encode()):
                while True:
                    writer.write(framed(await self._answered(await _read(reader, MOST))))
                    await writer.drain()
        writer.close()

    async def _answered(self, frame: Json) -> Json:
        purpose = Purpose(**frame["purpose"])
        try:
            if "embed" in frame:
                return {"vectors": await self._embed(frame["embed"], purpose)}
            reply = await self._answer(unpack_request(frame["ask"]), purpose)
        except (ModelError, LedgerError, InputError) as error:
            kind = next((each for each in ERRORS if isinstance(error, each)), ModelAwayError)
            paid = _paid(error.reply) if isinstance(error, UnusableError) else {}
            return {"error": kind.__name__, "message": str(error), **paid}
        return _paid(reply)


def _paid(reply: Reply) -> Json:
    return {"reply": pack_reply(reply), "dollars": reply.dollars, "is_hit": reply.is_hit}


def _reply(found: Json) -> Reply:
    return unpack_reply(found["reply"], dollars=found["dollars"], is_hit=found["is_hit"])


def address_towards(cluster: str | None) -> str:
    """This machine's address for workers: loopback where all are here, else the one that faces the cluster's head."""
    if cluster is None:
        return "127.0.0.1"
    head = cluster.rpartition(":")[0] if cluster != "auto" else ""
    for towards in (head, "192.0.2.1"):  # the second belongs to nobody (RFC 5737): it asks for the default route
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            if towards:
                probe.connect((towards, 9))  # nothing is sent
                address: str = probe.getsockname()[0]
                return address
    return "127.0.0.1"


def framed(frame: Json) -> bytes:
    """A frame as it is sent."""
    data = json.dumps(frame, separators=(",", ":")).encode()
    return _LENGTH.pack(len(data)) + data


async def _read(reader: asyncio.StreamReader, most: int) -> Json:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > most:
        raise ValueError(f"a frame of {length} bytes")
    return _object(await reader.readexactly(length))


def _send(connection: socket.socket, frame: Json) -> None:
    connection.sendall(framed(frame))


def _receive(connection: socket.socket) -> Json:
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    return _object(_exactly(connection, min(length, MOST)))


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(min(count - len(parts), 1 << 16))
        if not part:
            raise EOFError("it closed the connection")
        parts += part
    return bytes(parts)


def _object(data: bytes) -> Json:
    frame: Any = json.loads(data)
    if not isinstance(frame, dict):
        raise ValueError("a frame that is no object")
    return frame
