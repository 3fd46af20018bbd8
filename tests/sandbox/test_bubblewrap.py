"""What only bubblewrap has: started by root, it gives root's rights away first."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sandbox.bubblewrap import NOBODY, Bubblewrap
from sandbox.session import await_ready
from tests.sandbox.conftest import LIMITS


def status(pid: int) -> dict[str, str]:
    """The kernel's fields of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def family(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def test_no_process_of_a_guest_is_root() -> None:
    backend = Bubblewrap()
    reason = backend.available()
    if reason is not None:
        pytest.skip(f"bubblewrap: {reason}")
    guest = backend.start(LIMITS)
    try:
        await_ready(guest, deadline=time.monotonic() + 30)
        found = [status(pid) for pid in family(guest.pid)]
    finally:
        guest.kill()
    assert len(found) > 1, "bwrap and the guest itself"
    user = NOBODY if os.geteuid() == 0 else os.geteuid()
    for each in found:
        assert each["Uid"].split() == [str(user)] * 4
        assert each["Groups"] in ("", str(user)) or os.geteuid() != 0
        assert each["NoNewPrivs"] == "1"
        assert int(each["CapBnd"], 16) == 0 or each["Name"] in ("bwrap", "setpriv")
