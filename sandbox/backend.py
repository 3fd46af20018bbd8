"""What a backend is: something that starts guests, and says which hazards it keeps from the host.

A `Guest` moves bytes and nothing else; `session.DesignSession` gives them a meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

NETWORK = "network"
FILESYSTEM = "filesystem"
PROCESSES = "processes"
MEMORY = "memory"
TOTAL_MEMORY = "total memory"
CPU = "cpu"
ENVIRONMENT = "environment"
HAZARDS = frozenset({NETWORK, FILESYSTEM, PROCESSES, MEMORY, TOTAL_MEMORY, CPU, ENVIRONMENT})
"""What a backend may isolate. `memory` is that of each process, `total memory` that of all of them together."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one guest may use, and how many wall seconds each call may take."""

    memory_bytes: int = 512 * 1024 * 1024
    processes: int = 64
    cpu_seconds: int = 60
    tmpfs_bytes: int = 16 * 1024 * 1024
    frame_bytes: int = 2 * 1024 * 1024
    """How long a frame of the guest may be; what it may hold in JSON takes a multiple of that in memory."""
    log_bytes: int = 64 * 1024
    """How much of the guest's log is kept: its tail."""
    output_bytes: int = 32 * 1024 * 1024
    """How much a guest may write to its log before it is killed."""
    start_seconds: float = 30.0
    load_seconds: float = 10.0
    update_seconds: float = 5.0
    manage_seconds: float = 20.0
    retrieve_seconds: float = 5.0
    observe_seconds: float = 5.0
    episode_seconds: float = 5.0
    """For opening or closing an episode."""
    grace_seconds: float = 1.0
    """From the guest's own deadline for an episode's call to the host's, which kills the whole guest."""


class DesignFault(RuntimeError):  # noqa: N818  a fault is what the evaluation calls it
    """The design did something wrong, and is charged with it.

    `at` is the call; `kind` is an exception's name, or one of Timeout, Exit, Memory, Output, Protocol, EpisodeEnded.
    """

    def __init__(self, at: str, kind: str, message: str, traceback: str = "") -> None:
        super().__init__(f"{kind} in {at}: {message}")
        self.at = at
        self.kind = kind
        self.message = message
        self.traceback = traceback

    def __reduce__(self) -> tuple[type[DesignFault], tuple[str, str, str, str]]:
        return type(self), (self.at, self.kind, self.message, self.traceback)


class MachineFault(RuntimeError):  # noqa: N818
    """The machine failed, not the design: an engine went away, a guest did not start. The work is queued again."""


class GuestEndedError(Exception):
    """The guest is gone, and it was its own doing; `kind` becomes that of the `DesignFault`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Guest(Protocol):
    """A started guest's two pipes. Deadlines are absolute, as `time.monotonic` counts."""

    def send(self, payload: bytes, deadline: float) -> None:
        """Write one frame, reading meanwhile what the guest writes; raises as `receive` does."""

    def receive(self, deadline: float) -> bytes:
        """Read one frame's payload.

        Raises `TimeoutError` past the deadline, `GuestEndedError` where the guest is gone by its own doing,
        `FrameError` where the frame is too large, `MachineFault` where the machine is to blame.
        """

    def kill(self) -> None:
        """End the guest and everything in it, at once; may be called twice."""

    def resident_bytes(self) -> int:
        """Memory that the guest's processes hold, as the kernel counts it and not as they say."""

    @property
    def log(self) -> str:
        """The tail of what the guest wrote to its stderr."""


class Backend(Protocol):
    """A way to start guests."""

    name: ClassVar[str]
    isolates: ClassVar[frozenset[str]]

    @property
    def extra(self) -> str:
        """What it has been told to add to its usual isolation, in words; mostly nothing."""

    def image(self) -> str:
        """The digest of what guests start from, made if it is not there yet; raises `MachineFault`."""

    def start(self, limits: Limits) -> Guest:
        """Start a guest; raises `MachineFault`. The calling thread must outlive the guest."""

    def reap(self) -> int:
        """Remove what dead drivers left behind, and say how many guests that were."""

    def available(self) -> str | None:
        """None where guests can be started now, else why not, and after a semicolon what would mend it."""
