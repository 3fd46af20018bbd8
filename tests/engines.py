"""A Docker engine of a test's own, which may be killed: its socket, data and containerd are not the machine's."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 20.0


def why_not() -> str | None:
    """Why no engine can be started here, if that is so."""
    if os.geteuid() != 0:
        return "only root may start a Docker engine"
    return None if shutil.which("dockerd") else "dockerd is not installed; on Debian: apt-get install docker.io"


class OwnEngine:
    """A `dockerd` whose state lies under one folder, with further runtimes by name: path and arguments."""

    def __init__(self, folder: Path, runtimes: dict[str, list[str]] | None = None) -> None:
        self.folder = folder
        named = {name: {"path": path, "runtimeArgs": rest} for name, (path, *rest) in (runtimes or {}).items()}
        (folder / "daemon.json").write_text(json.dumps({"runtimes": named}))
        self.address = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = ["dockerd", "--config-file", f"{self.folder}/daemon.json", "--host", self.address]
        command += ["--data-root", f"{self.folder}/data"]
        command += ["--exec-root", f"{self.folder}/exec", "--pidfile", f"{self.folder}/docker.pid"]
        command += ["--bridge", "none", "--iptables=false", "--ip-masq=false"]
        command += ["--containerd-namespace", "palimpsest-test", "--containerd-plugins-namespace", "palimpsest-plugins"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while self._containers() is None:
            assert self._process.poll() is None, self._log()
            assert time.monotonic() < deadline, self._log()
            time.sleep(0.1)

    def end(self, how: signal.Signals) -> None:
        """End it; with SIGKILL its containers live on until it starts again."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(timeout=30)
        # Its containerd ends with it, and may stay a zombie that a new engine would take for alive.
        (self.folder / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def containers(self) -> list[str]:
        """Names of all containers that it has."""
        names = self._containers()
        assert names is not None, self._log()
        return names

    def close(self) -> None:
        """End it and its containerd, and remove what they mounted."""
        if self._process is not None and self._process.poll() is None:
            self.end(signal.SIGTERM)
        for pid in self._helpers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in reversed([each for each in mounts if each.startswith(f"{self.folder}/")]):
            subprocess.run(["umount", "--lazy", mount], check=True)

    def _helpers(self) -> list[int]:
        """What a killed engine left running; its folder is in their command lines."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if f"{self.folder}/exec".encode() in file.read_bytes():
                    found.append(int(file.parent.name))
        return found

    def _containers(self) -> list[str] | None:
        asked = ["docker", "--host", self.address, "ps", "--all", "--format", "{{.Names}}"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout.split() if done.returncode == 0 else None

    def _log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]


@contextmanager
def own_engine(runtimes: dict[str, list[str]] | None = None) -> Iterator[OwnEngine]:
    """A started engine in a folder of its own, which goes with it."""
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:  # a socket's path must be short
        made = OwnEngine(Path(folder), runtimes)
        made.start()
        try:
            yield made
        finally:
            made.close()
