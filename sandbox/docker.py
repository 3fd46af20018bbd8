"""Guests in Docker containers: no network, a read-only root, limits that hold for the whole container."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from sandbox import backend
from sandbox.backend import GuestEndedError, Limits, MachineFault
from sandbox.guest.confine import ENVIRONMENT
from sandbox.image import GUEST_PATH
from sandbox.image.containers import PYTHON_NAME, image_tag
from sandbox.owner import Owner
from sandbox.process import serve_command
from sandbox.transport import StreamGuest

if TYPE_CHECKING:
    from docker import DockerClient

LABEL = "palimpsest"
_NOBODY = "65534:65534"
_STDERR = 2
_HEADER = 8


class Docker:
    """One container for each guest, through the engine that `DOCKER_HOST` names or the local one."""

    name: ClassVar[str] = "docker"
    isolates: ClassVar[frozenset[str]] = backend.HAZARDS

    def __init__(self, run: str = "") -> None:
        self._run = run
        self._connected: DockerClient | None = None

    def _client(self) -> DockerClient:
        """The connection, made on first use."""
        import docker

        if self._connected is None:
            self._connected = docker.from_env(timeout=60)
        return self._connected

    def image(self) -> str:
        """The tag of the image that guests start from, built if the engine has it not yet."""
        with _engine_faults("build the guest's image"):
            return image_tag(self._client())

    def start(self, limits: Limits) -> ContainerGuest:
        """Create, attach and start a container."""
        tag = self.image()
        with _engine_faults("start a container"):
            client = self._client()
            created = client.api.create_container(
                tag,
                list(serve_command(PYTHON_NAME, {"cpu": limits.cpu_seconds, "file": limits.tmpfs_bytes})),
                environment={**ENVIRONMENT, "PYTHONPATH": GUEST_PATH},
                labels={LABEL: "guest", f"{LABEL}.run": self._run, **_owner_labels(Owner.current())},
                host_config=client.api.create_host_config(**_host_config(limits)),
                user=_NOBODY,
                working_dir="/tmp",
                stdin_open=True,
                tty=False,
                hostname="guest",
            )
            return ContainerGuest(client, created["Id"], limits)

    def reap(self) -> int:
        """Remove the containers of drivers of this machine that are no longer alive."""
        removed = 0
        with _engine_faults("remove left containers"):
            client = self._client()
            for each in client.api.containers(all=True, filters={"label": f"{LABEL}=guest"}):
                if _owner_of(each["Labels"]).is_dead():
                    _remove(client, each["Id"])
                    removed += 1
        return removed

    def available(self) -> str | None:
        """Ask the engine."""
        try:
            with _engine_faults("ask the engine"):
                client = self._client()
                return _shortcoming(client.api.base_url, client.info())
        except MachineFault as error:
            return f"no Docker engine answers ({error}); start one, for example: sudo systemctl start docker"


class ContainerGuest(StreamGuest):
    """A guest behind one hijacked connection; what comes back is cut into pieces with eight-byte headers."""

    def __init__(self, client: DockerClient, container: str, limits: Limits) -> None:
        super().__init__(limits)
        self._client = client
        self._container = container
        self._pieces = bytearray()
        self._socket: Any = None
        self._killed = False
        try:
            attached = client.api.attach_socket(container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            self._socket = attached._sock
            self._connect(self._socket.fileno(), {self._socket.fileno(): self._demultiplex})
            client.api.start(container)
        except BaseException:
            self.kill()
            raise

    def _demultiplex(self, data: bytes) -> None:
        """Hand each piece to the log or to the protocol; a piece's length is what the engine says, not the guest."""
        self._pieces += data
        while len(self._pieces) >= _HEADER:
            end = _HEADER + int.from_bytes(self._pieces[4:_HEADER], "big")
            if len(self._pieces) < end:
                return
            stream, piece = self._pieces[0], bytes(self._pieces[_HEADER:end])
            del self._pieces[:end]
            (self._take_log if stream == _STDERR else self._take_protocol)(piece)

    def kill(self) -> None:
        """Close the connection and remove the container by force."""
        if self._killed:
            return
        self._killed = True
        self._sinks.clear()
        if self._socket is not None:  # first, for the engine waits with the removal while output has nowhere to go
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
        _remove(self._client, self._container)

    def _ended(self) -> NoReturn:
        """Ask the engine why; an engine that does not answer, or has lost the container, is the machine's fault."""
        with _engine_faults("inspect a container"):
            self._client.api.wait(self._container, timeout=10)
            state = self._client.api.inspect_container(self._container)["State"]
        status = state.get("ExitCode")
        if state.get("OOMKilled"):
            raise GuestEndedError("Memory", f"used more than {self._limits.memory_bytes} bytes of memory")
        if status == 128 + 24:
            raise GuestEndedError("Timeout", f"used up its {self._limits.cpu_seconds} seconds of CPU")
        raise GuestEndedError("Exit", f"the guest's process ended with status {status}")


def _shortcoming(address: str, engine: dict[str, Any]) -> str | None:
    """Why an engine that answers cannot hold a guest."""
    if not address.startswith(("http+docker://localhost", "http://")):
        return f"the engine at {address} is reached by TLS or SSH; unset DOCKER_HOST to use the local one"
    if engine.get("OSType") != "linux":
        return f"the engine runs {engine.get('OSType')} containers; switch it to linux ones"
    lacking = [name for name in ("MemoryLimit", "PidsLimit") if not engine.get(name)]
    if lacking:
        return f"the engine cannot enforce {' and '.join(lacking)}; let it use control groups (docker info says more)"
    return None


def _host_config(limits: Limits) -> dict[str, Any]:
    return {
        "network_mode": "none",
        "ipc_mode": "none",
        "read_only": True,
        "tmpfs": {"/tmp": f"size={limits.tmpfs_bytes},mode=1777,nosuid,nodev"},
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "pids_limit": limits.processes,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "log_config": {"Type": "none"},
    }


def _owner_labels(owner: Owner) -> dict[str, str]:
    return {f"{LABEL}.{name}": value for name, value in owner.as_dict().items()}


def _owner_of(labels: dict[str, str]) -> Owner:
    prefix = f"{LABEL}."
    return Owner.from_dict(
        {name.removeprefix(prefix): value for name, value in labels.items() if name.startswith(prefix)}
    )


def _remove(client: DockerClient, container: str) -> None:
    import docker.errors

    with _engine_faults("remove a container"), contextlib.suppress(docker.errors.NotFound):
        try:
            client.api.remove_container(container, force=True, v=True)
        except docker.errors.APIError as error:
            if "already in progress" not in str(error):
                raise


@contextlib.contextmanager
def _engine_faults(doing: str) -> Any:
    """Turn what the docker package raises into a fault of the machine."""
    import docker.errors
    import requests

    try:
        yield
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise MachineFault(f"cannot {doing}: {error}") from error
