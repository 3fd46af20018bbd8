"""Who started a guest: enough to tell, from a label alone, whether that process still lives."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """A process of a machine. Process ids are used again, so the start time and the boot belong to its name."""

    host: str = ""
    boot: str = ""
    namespace: str = ""
    pid: str = ""
    started: str = ""

    @classmethod
    def current(cls) -> Owner:
        """This process."""
        return _here(os.getpid())

    @classmethod
    def from_dict(cls, values: dict[str, str]) -> Owner:
        """Read it back, unknown names ignored."""
        return cls(**{name: values.get(name, "") for name in cls.__dataclass_fields__})

    def as_dict(self) -> dict[str, str]:
        """Its fields as text."""
        return asdict(self)

    def is_dead(self) -> bool:
        """Whether it is known to have ended; of another machine's process nothing is known."""
        here = Owner.current()
        if self.host != here.host:
            return False
        if self.boot != here.boot:
            return True
        return self.namespace == here.namespace and (not self.pid or _start_time(self.pid) != self.started)


@cache
def _here(pid: int) -> Owner:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return Owner(
        host=platform.node(),
        boot=boot.read_text().strip() if boot.exists() else "",
        namespace=os.readlink("/proc/self/ns/pid") if os.path.exists("/proc/self/ns/pid") else "",  # noqa: PTH110, PTH115
        pid=str(pid),
        started=_start_time(str(pid)),
    )


def _start_time(pid: str) -> str:
    """When a process started, in clock ticks since boot, or nothing where it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]
