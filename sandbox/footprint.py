"""How much memory a child process and all below it hold: the kernel's count, which the process cannot talk down."""

from __future__ import annotations

import os
from pathlib import Path


def resident_bytes(root: int) -> int:
    """Resident memory of a process and its descendants; pages that several of them share count for each."""
    tree = {root}
    parents = dict(_parents())
    while below := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= below
    return sum(_resident_pages(pid) for pid in tree) * os.sysconf("SC_PAGE_SIZE")


def _parents() -> list[tuple[int, int]]:
    """Every process that can be seen, with its parent."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        found.append((int(folder.name), int(stat.rpartition(")")[2].split()[1])))
    return found


def _resident_pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
