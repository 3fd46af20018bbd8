"""Backends by name, and the choice of one where none is named."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sandbox.backend import Backend

BACKENDS = {
    "docker": "sandbox.docker:Docker",
    "bubblewrap": "sandbox.bubblewrap:Bubblewrap",
    "process": "sandbox.process:Process",
}
"""Where each backend's class is, best isolation first; importing one is left until it is wanted."""


class NoBackendError(ValueError):
    """The backend that was asked for does not exist or cannot run here."""


def make(name: str, *, run: str = "", runtime: str | None = None) -> Backend:
    """Construct a backend by name. Where guests outlive a dead driver they carry the number of its `run`.

    `runtime` names one of the container runtimes that a Docker engine has, `runsc` (gVisor) say.
    """
    if name not in BACKENDS:
        raise NoBackendError(f"there is no sandbox backend {name!r}; choose one of {', '.join(BACKENDS)}")
    if runtime is not None and name != "docker":
        raise NoBackendError(f"the sandbox {name} has no runtimes, docker has; leave --runtime {runtime} out")
    module, _, attribute = BACKENDS[name].partition(":")
    settings: dict[str, Any] = {"run": run, "runtime": runtime} if name == "docker" else {}
    backend: Backend = getattr(import_module(module), attribute)(**settings)
    return backend


def choose(name: str | None = None, *, runtime: str | None = None) -> Backend:
    """The named backend, or the first that runs here; `NoBackendError` holds the reasons and what would mend them."""
    reasons = []
    if name is None and runtime is not None:
        name = "docker"
    for candidate in [name] if name else BACKENDS:
        backend = make(candidate, runtime=runtime)
        reason = backend.available()
        if reason is None:
            return backend
        reasons.append(f"{candidate}: {reason}")
    raise NoBackendError("no sandbox can run here: " + "; ".join(reasons))
