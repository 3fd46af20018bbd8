"""Guests in Docker containers: no network, a read-only root, limits that hold for the whole container."""

from __future__ import annotations

import contextlib
import signal
import socket
from typing import Any, ClassVar, NoReturn
from uuid import uuid4

from sandbox import backend
from sandbox.backend import GuestEndedError, Limits, MachineFault
from sandbox.engine import LABEL, Engine, engine_faults, owner_labels
from sandbox.guest.confine import ENVIRONMENT
from sandbox.image import GUEST_PATH
from sandbox.image.containers import PYTHON_NAME, image_id
from sandbox.owner import Owner
from sandbox.process import serve_command
from sandbox.transport import StreamGuest

_USER = 65534
_STDERR = 2
_HEADER = 8
_END_SECONDS = 5
_KILLED = 128 + signal.SIGKILL
_CPU_STATUSES = (128 + signal.SIGXCPU, signal.SIGXCPU)
_RUNTIMES = {"runsc": "(gVisor: guests talk to a kernel of its own, not to the host's)"}
"""What a runtime adds, where that is known."""
_OWN_THREADS = {"runsc": 256}
"""What a runtime runs beside the guest, under the guest's own limit on processes: one that meets it ends the guest."""


class Docker:
    """One container for each guest, through the engine that `DOCKER_HOST` names or the local one."""

    name: ClassVar[str] = "docker"
    isolates: ClassVar[frozenset[str]] = backend.HAZARDS

    def __init__(self, run: str = "", runtime: str | None = None) -> None:
        self.engine = Engine()
        self._run = run
        self._runtime = runtime
        self._image = ""

    @property
    def extra(self) -> str:
        """The runtime that was asked for, and what it is known to add."""
        if self._runtime is None:
            return ""
        return " ".join(["runtime", self._runtime, _RUNTIMES.get(self._runtime, "")]).strip()

    def image(self) -> str:
        """The id of the image that guests start from, built if the engine has it not yet."""
        if not self._image:
            with engine_faults("build the guest's image"):
                self._image = image_id(self.engine.client)
        return self._image

    def start(self, limits: Limits) -> ContainerGuest:
        """Create, attach and start a container."""
        import docker.errors

        self.engine.remove_left()
        try:
            return self._start(limits)
        except MachineFault as fault:
            if not isinstance(fault.__cause__, docker.errors.ImageNotFound):
                raise
        self._image = ""  # somebody removed it
        return self._start(limits)

    def _start(self, limits: Limits) -> ContainerGuest:
        image = self.image()
        name = f"{LABEL}-{self._run or 'guest'}-{uuid4().hex[:12]}"
        try:
            with engine_faults("start a container"):
                return ContainerGuest(self.engine, self._create(name, image, limits), limits)
        except MachineFault:
            self.engine.remove(name)  # it may be there, whatever the engine managed to say
            raise

    def _create(self, name: str, image: str, limits: Limits) -> str:
        api = self.engine.client.api
        return str(
            api.create_container(
                image,
                list(serve_command(PYTHON_NAME, {"cpu": limits.cpu_seconds, "file": limits.tmpfs_bytes})),
                name=name,
                environment={**ENVIRONMENT, "PYTHONPATH": GUEST_PATH},
                labels=owner_labels(Owner.current(), self._run),
                host_config=api.create_host_config(**_host_config(limits, self._runtime)),
                user=f"{_USER}:{_USER}",
                working_dir="/tmp",
                stdin_open=True,
                tty=False,
                hostname="guest",
                stop_signal="SIGKILL",
            )["Id"]
        )

    def reap(self) -> int:
        """Remove the containers of drivers of this machine that are no longer alive, and what this one had to leave."""
        self.engine.remove_left()
        return self.engine.reap()

    def available(self) -> str | None:
        """Ask the engine."""
        try:
            with engine_faults("ask it"):
                client = self.engine.client
                return _shortcoming(client.api.base_url, client.info(), self._runtime)
        except MachineFault as error:
            return f"the Docker engine does not answer ({error}); start it, for example: sudo systemctl start docker"


class ContainerGuest(StreamGuest):
    """A guest behind one hijacked connection; what comes back is cut into pieces with eight-byte headers."""

    def __init__(self, engine: Engine, container: str, limits: Limits) -> None:
        super().__init__(limits)
        self._engine = engine
        self._lifeline = engine.lifeline()
        self._container = container
        self._pieces = bytearray()
        self._socket: Any = None
        self._killed = False
        try:
            api = engine.client.api
            attached = api.attach_socket(container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            self._socket = attached._sock
            self._connect(self._socket.fileno(), {self._socket.fileno(): self._demultiplex})
            api.start(container)
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
        self._engine.remove(self._container)

    def resident_bytes(self) -> int:
        """What the engine says of the container's memory, without the page cache that it could give back."""
        with engine_faults("measure a container"):
            measured = self._engine.client.api.stats(self._container, stream=False, one_shot=True)["memory_stats"]
        if "usage" not in measured:
            raise MachineFault("the engine does not say how much memory a container uses")
        return int(measured["usage"]) - int(measured.get("stats", {}).get("inactive_file", 0))

    def _ended(self) -> NoReturn:
        """Ask the engine why; an engine that does not answer, or has lost the container, is the machine's fault."""
        with engine_faults("inspect a container"):
            is_over = self._has_stopped()
            state = self._engine.client.api.inspect_container(self._container)["State"]
        status = state.get("ExitCode")
        if is_over and state.get("OOMKilled"):
            raise GuestEndedError("Memory", f"used more than {self._limits.memory_bytes} bytes of memory")
        if is_over and status in _CPU_STATUSES:
            raise GuestEndedError("Timeout", f"used up its {self._limits.cpu_seconds} seconds of CPU")
        if (not is_over or status == _KILLED) and not self._lifeline.holds():
            raise MachineFault("the Docker engine ended while a guest ran")
        raise GuestEndedError(
            "Exit", f"the guest's process ended with status {status}" if is_over else "the guest closed its connection"
        )

    def _has_stopped(self) -> bool:
        """Whether the container ends about when its connection does; a guest may close it and go on."""
        import requests

        try:
            self._engine.client.api.wait(self._container, timeout=_END_SECONDS)
        except requests.Timeout:
            return False
        return True


def _shortcoming(address: str, engine: dict[str, Any], runtime: str | None = None) -> str | None:
    """Why an engine that answers cannot hold a guest."""
    if not address.startswith(("http+docker://localhost", "http://")):
        return f"the engine at {address} is reached by TLS or SSH; unset DOCKER_HOST to use the local one"
    if engine.get("OSType") != "linux":
        return f"the engine runs {engine.get('OSType')} containers; switch it to linux ones"
    lacking = [name for name in ("MemoryLimit", "PidsLimit") if not engine.get(name)]
    if lacking:
        return f"the engine cannot enforce {' and '.join(lacking)}; let it use control groups (docker info says more)"
    runtimes = sorted(engine.get("Runtimes") or ())
    if runtime is not None and runtime not in runtimes:
        return f"the engine has no runtime {runtime!r}, it has {', '.join(runtimes)}; name one of these with --runtime"
    return None


def _host_config(limits: Limits, runtime: str | None) -> dict[str, Any]:
    return {
        "network_mode": "none",
        "ipc_mode": "none",
        "read_only": True,
        "tmpfs": {"/tmp": f"size={limits.tmpfs_bytes},uid={_USER},gid={_USER},nosuid,nodev"},
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "pids_limit": limits.processes + _OWN_THREADS.get(runtime or "", 0),
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "log_config": {"Type": "none"},
        **({"runtime": runtime} if runtime is not None else {}),
    }
