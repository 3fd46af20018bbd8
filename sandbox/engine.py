"""A Docker engine as the backend meets it: it may go away, come back as another process, and lose what it was told."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sandbox.backend import MachineFault
from sandbox.owner import Owner

if TYPE_CHECKING:
    from docker import DockerClient

LABEL = "palimpsest"
_GUESTS = {"label": f"{LABEL}=guest"}
_NO_EVENT = {"label": [f"{LABEL}=no-such-event"]}
_SECONDS = 60
_PROBE_SECONDS = 10


class Engine:
    """A connection to the engine that `DOCKER_HOST` names or the local one, made on first use and kept."""

    def __init__(self) -> None:
        self._connected: DockerClient | None = None
        self._lifeline: Lifeline | None = None
        self._lock = threading.Lock()
        self._left: set[str] = set()

    @property
    def client(self) -> DockerClient:
        """The connection."""
        if self._connected is None:
            self._connected = _connect(_SECONDS)
        return self._connected

    def lifeline(self) -> Lifeline:
        """What tells later whether the engine is still the one that answers now."""
        with self._lock:
            if self._lifeline is None or self._lifeline.is_broken():
                self._lifeline = Lifeline(self.client)
            return self._lifeline

    def remove(self, container: str) -> None:
        """Remove a container by force; one that cannot be removed now is remembered for `remove_left`."""
        try:
            self._remove(container)
        except MachineFault:
            with self._lock:
                self._left.add(container)

    def remove_left(self) -> None:
        """Try again to remove what could not be removed when the engine did not answer."""
        with self._lock:
            left, self._left = self._left, set()
        for container in left:
            self.remove(container)

    def reap(self) -> int:
        """Remove the containers of drivers of this machine that are no longer alive, and say how many there were."""
        with engine_faults("list containers"):
            found = self.client.api.containers(all=True, filters=_GUESTS)
        dead = [each["Id"] for each in found if owner_of(each["Labels"]).is_dead()]
        for container in dead:
            self._remove(container)
        return len(dead)

    def _remove(self, container: str) -> None:
        import docker.errors

        with engine_faults("remove a container"), contextlib.suppress(docker.errors.NotFound):
            try:
                self.client.api.remove_container(container, force=True, v=True)
            except docker.errors.APIError as error:
                if "already in progress" not in str(error):
                    raise


class Lifeline:
    """A connection that ends with the engine's process, so that one that went away in between is noticed.

    It listens for events that never happen.
    """

    def __init__(self, client: DockerClient) -> None:
        api = client.api
        self._response = api._get(api._url("/events"), params={"filters": json.dumps(_NO_EVENT)}, stream=True)
        raw = api._get_raw_response_socket(self._response)
        self._socket: socket.socket = getattr(raw, "_sock", raw)
        self._socket.setblocking(False)

    def is_broken(self) -> bool:
        """Whether it has ended; waits for nothing."""
        try:
            return not self._socket.recv(1 << 16, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def holds(self) -> bool:
        """Whether the engine is still the same, and is not about to end: one that ends takes no new connection."""
        if self.is_broken():
            return False
        try:
            with engine_faults("ask the engine"):
                _connect(_PROBE_SECONDS).close()
        except MachineFault:
            return False
        return True


def owner_labels(owner: Owner, run: str) -> dict[str, str]:
    """The labels of a guest's container."""
    return {LABEL: "guest", f"{LABEL}.run": run} | {f"{LABEL}.{name}": value for name, value in owner.as_dict().items()}


def owner_of(labels: dict[str, str]) -> Owner:
    """Who started a container, by its labels."""
    return Owner.from_dict({name.removeprefix(f"{LABEL}."): value for name, value in labels.items()})


@contextlib.contextmanager
def engine_faults(doing: str) -> Iterator[None]:
    """Turn what the docker package raises into a fault of the machine."""
    import docker.errors
    import requests

    try:
        yield
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise MachineFault(f"cannot {doing}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """What an error comes down to: the engine's own words, or the operating system's."""
    explained: str | None = getattr(error, "explanation", None)
    if explained:
        return explained
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error)


def _connect(seconds: float) -> DockerClient:
    import docker

    return docker.from_env(timeout=seconds)
