"""Backends by name, and the choice of one where none is named."""

from __future__ import annotations

from importlib import import_module

from sandbox.backend import Backend

BACKENDS = {
    "docker": "sandbox.docker:Docker",
    "bubblewrap": "sandbox.bubblewrap:Bubblewrap",
    "process": "sandbox.process:Process",
}
"""Where each backend's class is, best isolation first; importing one is left until it is wanted."""


class NoBackendError(ValueError):
    """The backend that was asked for does not exist or cannot run here."""


def make(name: str) -> Backend:
    """Construct a backend by name."""
    if name not in BACKENDS:
        raise NoBackendError(f"there is no sandbox backend {name!r}; choose one of {', '.join(BACKENDS)}")
    module, _, attribute = BACKENDS[name].partition(":")
    backend: Backend = getattr(import_module(module), attribute)()
    return backend


def choose(name: str | None = None) -> Backend:
    """The named backend, or the first that runs here; `NoBackendError` holds the reasons and what would mend them."""
    reasons = []
    for candidate in [name] if name else BACKENDS:
        backend = make(candidate)
        reason = backend.available()
        if reason is None:
            return backend
        reasons.append(f"{candidate}: {reason}")
    raise NoBackendError("no sandbox can run here: " + "; ".join(reasons))
