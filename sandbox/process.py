"""Guests that are plain child processes with resource limits, for code that is composed of our own building blocks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import ClassVar

from sandbox import backend
from sandbox.backend import Limits
from sandbox.guest.confine import ENVIRONMENT
from sandbox.image import GUEST_PATH, guest_layer, interpreter_root, layers_digest
from sandbox.local import ChildGuest

_SERVE = "import gc; gc.disable(); from sandbox.guest.serve import main; gc.freeze(); gc.enable(); main()"
"""What is imported here stays: looking for garbage among it would take a tenth of a guest's start, and later more."""


def serve_command(python: str, own_limits: dict[str, int]) -> Sequence[str]:
    """The command that runs the supervisor; `own_limits` are those that it puts on itself."""
    return [python, "-s", "-S", "-P", "-u", "-c", _SERVE, json.dumps(own_limits)]


class Process:
    """Limits memory and CPU seconds of each process, and nothing else: not for code that a model or a person wrote."""

    name: ClassVar[str] = "process"
    isolates: ClassVar[frozenset[str]] = frozenset({backend.MEMORY, backend.CPU})
    extra: ClassVar[str] = ""

    def image(self) -> str:
        """The digest of the interpreter's root, of which it takes the wheels, and of the guest package."""
        return layers_digest()

    def start(self, limits: Limits) -> ChildGuest:
        """Start a guest; the starting thread must outlive it, because the kernel kills the guest with that thread."""
        own = {
            "memory": limits.memory_bytes,
            "cpu": limits.cpu_seconds,
            "file": limits.tmpfs_bytes,
            "parent": os.getpid(),
        }
        wheels = interpreter_root() / GUEST_PATH.lstrip("/")
        environment = {**ENVIRONMENT, "PYTHONPATH": f"{guest_layer()}{os.pathsep}{wheels}"}
        return ChildGuest(serve_command(sys.executable, own), environment, limits)

    def reap(self) -> int:
        """Nothing to do: the kernel kills a guest with the thread that started it."""
        return 0

    def available(self) -> str | None:
        """It runs wherever prctl does."""
        return None if sys.platform == "linux" else "the process backend needs Linux; use docker"
