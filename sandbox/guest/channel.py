"""Blocking frames over a pair of file descriptors: how the guest's own processes speak."""

from __future__ import annotations

import os
from typing import Any

from sandbox.guest import frames


class Channel:
    """Sends and receives whole JSON values; the other end going away is `EOFError`."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.read_fd = read_fd
        self.write_fd = write_fd

    def send(self, value: Any) -> None:
        """Write one value; what is not valid JSON raises `FrameError` before a byte is written."""
        data = memoryview(frames.frame(frames.encode(value)))
        while data:
            data = data[os.write(self.write_fd, data) :]

    def receive(self) -> Any:
        """Read one value."""
        return frames.decode(self._exactly(frames.length(self._exactly(frames.HEADER.size))))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = os.read(self.read_fd, size - len(data))
            if not piece:
                raise EOFError("the other end of the pipe is closed")
            data = data + piece if data else piece
        return data

    def close(self) -> None:
        """Close both descriptors."""
        for fd in {self.read_fd, self.write_fd}:
            os.close(fd)
