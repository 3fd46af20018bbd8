"""One forked child of the built memory: it answers one episode's queries and dies with it."""

from __future__ import annotations

import gc
import os
import random
import signal
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from sandbox.guest import confine, frames
from sandbox.guest.channel import Channel
from sandbox.guest.design import MemoryDesign, Query, Step, ToolError
from sandbox.guest.loading import describe_error
from sandbox.guest.toolkit import GuestToolkit


def answer_of(reply: Any) -> Any:
    """The result of a toolkit call, or `ToolError` with the host's reason."""
    if "error" in reply:
        raise ToolError(reply["error"])
    return reply["result"]


def flush_prints() -> None:
    """Push what the design printed into the log; a design may have closed or replaced its stdout."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001  whatever the design put in its place
            continue


@dataclass
class Episode:
    """The supervisor's view of one child."""

    pid: int
    socket: socket.socket
    received: bytearray = field(default_factory=bytearray)
    request: int | None = None
    """The id of the request that it is answering."""
    deadline: float | None = None
    asked_at: float | None = None
    """When it asked the host for something; its deadline stands still until the answer."""

    def messages(self) -> Iterable[Any]:
        """Read what has arrived and yield its whole values; `EOFError` where the child has ended."""
        try:
            piece = self.socket.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionError:
            piece = b""
        if not piece:
            raise EOFError
        self.received += piece
        while len(self.received) >= frames.HEADER.size:
            end = frames.HEADER.size + frames.length(self.received)
            if len(self.received) < end:
                return
            payload = bytes(self.received[frames.HEADER.size : end])
            del self.received[:end]
            yield frames.decode(payload)

    def end(self) -> int:
        """Kill the child and what it started in its group; the status says how it ended."""
        for kill in (os.killpg, os.kill):
            try:
                kill(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        self.socket.close()
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:
            return 0


def fork_episode(design: MemoryDesign, toolkit: GuestToolkit, inherited: Iterable[int]) -> Episode:
    """Fork the built memory; the child closes `inherited`, the descriptors that are not its own."""
    ours, theirs = socket.socketpair()
    flush_prints()
    randomness = random.getstate()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if pid == 0:
        random.setstate(randomness)  # Python seeds it anew in every fork
        _run_child(design, toolkit, theirs, [*inherited, ours.fileno()])
    theirs.close()
    return Episode(pid, ours)


def _run_child(
    design: MemoryDesign, toolkit: GuestToolkit, connection: socket.socket, inherited: list[int]
) -> NoReturn:
    try:
        gc.freeze()  # a collection would touch, and so copy, every page of the built memory
        confine.die_with_parent()
        os.setsid()
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        for fd in inherited:
            os.close(fd)
        channel = Channel(connection.fileno(), connection.fileno())

        def ask(request: dict[str, Any]) -> Any:
            channel.send(request)
            return answer_of(channel.receive())

        toolkit.ask = ask
        own = os.getpid()
        while True:
            answer = _answer(design, channel.receive())
            if os.getpid() != own:  # a child that the design forked came back from its call
                os._exit(0)
            channel.send(answer)
    finally:
        os._exit(0)


def _answer(design: MemoryDesign, request: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any]
    try:
        if request["op"] == "retrieve":
            answer = {"result": frames.pack_memory(design.retrieve(frames.unpack(Query, request["query"])))}
        else:
            design.observe(frames.unpack(Step, request["step"]))
            answer = {"result": None}
        frames.encode(answer)
    except BaseException as error:  # noqa: BLE001  the sandbox boundary: SystemExit is an answer too
        answer = {"error": describe_error(error)}
    flush_prints()
    return answer
