"""Guests that are child processes of this one, behind three pipes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import NoReturn

from sandbox.backend import GuestEndedError, Limits, MachineFault
from sandbox.footprint import resident_bytes
from sandbox.transport import StreamGuest


class ChildGuest(StreamGuest):
    """A guest started with `subprocess`, in a session of its own so that one signal reaches all of it."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        limits: Limits,
    ) -> None:
        super().__init__(limits)
        try:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise MachineFault(f"cannot start {command[0]}: {error}") from error
        self._connect(self._pipe(0), {self._pipe(1): self._take_protocol, self._pipe(2): self._take_log})

    def _pipe(self, number: int) -> int:
        pipe = (self._process.stdin, self._process.stdout, self._process.stderr)[number]
        assert pipe is not None
        return pipe.fileno()

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    def resident_bytes(self) -> int:
        """Memory of the process that was started and of all below it."""
        return resident_bytes(self._process.pid)

    def kill(self) -> None:
        """Kill the process group and collect the child."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                self._process.kill()
            self._process.wait()
        self._sinks.clear()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _ended(self) -> NoReturn:
        with contextlib.suppress(GuestEndedError):
            self._drain()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        if status in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
            raise GuestEndedError("Timeout", f"used up its {self._limits.cpu_seconds} seconds of CPU")
        detail = f"by signal {-status}" if status < 0 else f"with status {status}"
        raise GuestEndedError("Exit", f"the guest's process ended {detail}")
