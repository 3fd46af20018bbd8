"""Frames over non-blocking file descriptors: reads while it writes, never past a deadline, never more than allowed."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import NoReturn

from sandbox.backend import GuestEndedError, Limits
from sandbox.guest import frames

Sink = Callable[[bytes], None]

_PIECE = 1 << 16


class StreamGuest:
    """A guest behind one descriptor to write and some to read, each with a sink. A subclass starts and kills it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._received = bytearray()
        self._log = bytearray()
        self._logged = 0
        self._write_fd = -1
        self._sinks: dict[int, Sink] = {}
        self._poll = select.poll()

    def _connect(self, write_fd: int, sinks: dict[int, Sink]) -> None:
        """Take the descriptors over; they stay the subclass's to close."""
        self._write_fd = write_fd
        self._sinks = sinks
        for fd in {write_fd, *sinks}:
            os.set_blocking(fd, False)
        for fd in sinks:
            self._poll.register(fd, select.POLLIN)

    def send(self, payload: bytes, deadline: float) -> None:
        """Write one frame, reading meanwhile."""
        data = memoryview(frames.frame(payload))
        while data:
            try:
                data = data[os.write(self._write_fd, data) :]
            except BlockingIOError:
                self._wait(deadline, writing=True)
            except OSError:
                self._ended()

    def receive(self, deadline: float) -> bytes:
        """Read one frame's payload; its size is checked before its bytes are awaited."""
        while True:
            if len(self._received) >= frames.HEADER.size:
                end = frames.HEADER.size + frames.length(self._received, self._limits.frame_bytes)
                if len(self._received) >= end:
                    payload = bytes(self._received[frames.HEADER.size : end])
                    del self._received[:end]
                    return payload
            self._wait(deadline, writing=False)

    def _wait(self, deadline: float, *, writing: bool) -> None:
        """Wait until something can be read (or written), and read it."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if not self._sinks:
            self._ended()
        if writing:
            self._poll.register(self._write_fd, self._readable(self._write_fd) | select.POLLOUT)
        ready = self._poll.poll(left * 1000)
        if writing:
            self._restore(self._write_fd)
        for fd, event in ready:
            if fd in self._sinks and event & ~select.POLLOUT:
                self._read(fd)

    def _readable(self, fd: int) -> int:
        return select.POLLIN if fd in self._sinks else 0

    def _restore(self, fd: int) -> None:
        if fd in self._sinks:
            self._poll.register(fd, select.POLLIN)
        else:
            self._poll.unregister(fd)

    def _read(self, fd: int) -> None:
        try:
            piece = os.read(fd, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if piece:
            self._sinks[fd](piece)
        else:
            self._poll.unregister(fd)
            del self._sinks[fd]

    def _take_protocol(self, piece: bytes) -> None:
        self._received += piece
        if len(self._received) > self._limits.frame_bytes + frames.HEADER.size + _PIECE:
            raise frames.FrameError("more bytes than a frame may have, and nobody asked for them")

    def _take_log(self, piece: bytes) -> None:
        self._log += piece
        del self._log[: -self._limits.log_bytes]
        self._logged += len(piece)
        if self._logged > self._limits.output_bytes:
            raise GuestEndedError("Output", f"wrote more than {self._limits.output_bytes} bytes to its log")

    def _drain(self) -> None:
        """Read what is there already, waiting for nothing."""
        while self._sinks:
            ready = self._poll.poll(0)
            if not ready:
                return
            for fd, _ in ready:
                self._read(fd)

    @property
    def log(self) -> str:
        """The tail of the guest's stderr."""
        return self._log.decode("utf-8", "replace")

    def _ended(self) -> NoReturn:
        """Say why the guest is gone."""
        raise NotImplementedError
