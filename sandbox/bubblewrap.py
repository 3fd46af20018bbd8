"""Guests in Linux namespaces through `bwrap`: no daemon, no image, never as root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from sandbox import backend
from sandbox.backend import Limits, MachineFault
from sandbox.guest.confine import ENVIRONMENT
from sandbox.image import GUEST_PATH, PYTHON, guest_layer, interpreter_root, layers_digest
from sandbox.local import ChildGuest
from sandbox.process import serve_command

NOBODY = 65534

_SWITCHES = {"kernel.unprivileged_userns_clone": "1", "kernel.apparmor_restrict_unprivileged_userns": "0"}


class Bubblewrap:
    """One namespace of everything for each guest. Memory is limited for each process, not for all of them together."""

    name: ClassVar[str] = "bubblewrap"
    isolates: ClassVar[frozenset[str]] = backend.HAZARDS - {backend.TOTAL_MEMORY}
    extra: ClassVar[str] = ""

    def image(self) -> str:
        """The digest of the interpreter's root and of the guest package."""
        return layers_digest()

    def start(self, limits: Limits) -> ChildGuest:
        """Start a guest; the starting thread must outlive it, because `--die-with-parent` follows the thread."""
        own = {
            "memory": limits.memory_bytes,
            "processes": limits.processes,
            "cpu": limits.cpu_seconds,
            "file": limits.tmpfs_bytes,
        }
        return ChildGuest([*self._jail(limits.tmpfs_bytes), *serve_command(PYTHON, own)], {}, limits)

    def reap(self) -> int:
        """Nothing to do: the kernel kills a guest with the thread that started it."""
        return 0

    def available(self) -> str | None:
        """Try the whole jail once."""
        if shutil.which("bwrap") is None:
            return "bwrap is not installed; on Debian: apt-get install bubblewrap"
        if os.geteuid() == 0 and shutil.which("setpriv") is None:
            return "setpriv is not installed, and bwrap must not run as root; on Debian: apt-get install util-linux"
        closed = _closed_to_nobody(interpreter_root())
        if os.geteuid() == 0 and closed is not None:
            return f"an unprivileged user cannot enter {closed}; set PALIMPSEST_CACHE to a folder that all can read"
        try:
            command = [*self._jail(1 << 20), PYTHON, "-S", "-c", ""]
            probe = subprocess.run(command, env={}, cwd="/", capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bwrap does not answer: {error}"
        if probe.returncode == 0:
            return None
        reason = probe.stderr.strip() or f"status {probe.returncode}"
        return f"bwrap cannot make a sandbox here: {reason}; {_remedy()}"

    def _jail(self, tmpfs_bytes: int) -> Sequence[str]:
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise MachineFault(self.available() or "bwrap is not installed")
        return [
            *_unprivileged(),
            bwrap,
            *(
                "--unshare-all",
                "--unshare-user",
                "--disable-userns",
                "--die-with-parent",
                "--new-session",
                "--as-pid-1",
            ),
            *("--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "guest"),
            *("--ro-bind", str(interpreter_root()), "/"),
            *("--ro-bind", str(guest_layer() / "sandbox"), f"{GUEST_PATH}/sandbox"),
            *("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"),
            *("--size", str(tmpfs_bytes), "--tmpfs", "/tmp"),
            *("--chdir", "/tmp", "--clearenv"),
            *(
                word
                for name, value in {**ENVIRONMENT, "PYTHONPATH": GUEST_PATH}.items()
                for word in ("--setenv", name, value)
            ),
            "--",
        ]


def _remedy() -> str:
    """What most likely keeps an unprivileged user from making namespaces, and how to allow it."""
    for name, value in _SWITCHES.items():
        switch = Path("/proc/sys", *name.split("."))
        if switch.exists() and switch.read_text().strip() != value:
            return f"allow unprivileged user namespaces: sudo sysctl -w {name}={value}"
    return "a container or chroot may forbid it, and bwrap must be of version 0.8 or later"


def _closed_to_nobody(folder: Path) -> Path | None:
    """The first folder on the way that an unprivileged user cannot enter."""
    return next((each for each in (*reversed(folder.parents), folder) if not each.stat().st_mode & 0o001), None)


def _unprivileged() -> Sequence[str]:
    """As root, become nobody first: root is not bound by limits on processes."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise MachineFault("setpriv is not installed, and bwrap must not run as root")
    return [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--"]
