"""Looks through /proc for processes that are not of this guest, and for switches of the kernel that it may turn."""

import os
from pathlib import Path

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory

SWITCHES = ("sys/kernel/core_pattern", "sys/vm/drop_caches", "sys/kernel/hostname", "sysrq-trigger", "kcore", "kmsg")


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            command = (process / "cmdline").read_bytes()
            if b"sandbox.guest.serve" not in command:
                found.append(f"saw {command!r}")
            if int(process.name) == os.getpid():
                continue
            for name in ("environ", "maps", "fd", "root", "cwd", "exe", "syscall"):
                try:
                    os.readlink(process / name) if name in ("root", "cwd", "exe") else os.listdir(process / name)
                    found.append(f"looked into {process / name}")
                except NotADirectoryError:
                    found.append(f"read {name} of {process.name}") if _reads(process / name) else None
                except OSError:
                    continue
        return Memory(found + [f"opened {name}" for name in SWITCHES if _writes(f"/proc/{name}")])


def _reads(path: Path) -> bool:
    try:
        return bool(path.read_bytes())
    except OSError:
        return False


def _writes(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDWR))
    except OSError:
        return False
    return True
