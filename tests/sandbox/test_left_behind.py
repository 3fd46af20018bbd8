"""A driver that is killed leaves nothing: processes die with it, containers are reaped by the next one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from sandbox.backend import Backend
from sandbox.docker import Docker
from sandbox.engine import LABEL
from sandbox.owner import Owner, _start_time
from tests.sandbox.conftest import LIMITS

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")
DRIVER = """
import sys, threading, time
from sandbox.backend import Limits
from sandbox.backends import make
from sandbox.pool import Pool
from tests.sandbox.samples import TRAJECTORY, design

pool = Pool(make(sys.argv[1]), Limits(memory_bytes=int(sys.argv[2]), update_seconds=60), size=2)
busy = design("def update(self, trajectory):\\n    while True:\\n        pass")
with pool.lease() as session, pool.lease() as idle:
    session.load(busy, seed=1)
    threading.Thread(target=session.update, args=(TRAJECTORY,), daemon=True).start()
    time.sleep(0.3)
    sys.stdout.write("ready\\n")
    sys.stdout.flush()
    time.sleep(60)
"""


def guests_with(mark: str) -> int:
    """Processes of this machine whose command line, or whose container's driver, carries the mark."""
    count = 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes()
        except OSError:
            continue
        count += b"sandbox.guest.serve" in words and mark.encode() in words
    return count


def containers_of(pid: int) -> int:
    client = Docker().engine.client
    return len(client.api.containers(all=True, filters={"label": f"{LABEL}.pid={pid}"}))


def eventually_none(count: Callable[[T], int], of: T) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if count(of) == 0:
            return True
        time.sleep(0.05)
    return False


def test_a_killed_driver_leaves_nothing_behind(backend: Backend) -> None:
    mark = str(512 * 1024 * 1024 + 7919 * (1 + list("dbp").index(backend.name[0])))
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, backend.name, mark], cwd=ROOT, stdout=subprocess.PIPE)
    assert driver.stdout is not None
    with driver.stdout:
        assert driver.stdout.readline() == b"ready\n"
        if backend.name == "docker":
            assert containers_of(driver.pid) >= 2
        else:
            assert guests_with(mark) >= 2
        driver.kill()
        driver.wait()
    if backend.name == "docker":
        assert containers_of(driver.pid) >= 1
        assert backend.reap() >= 1
        assert eventually_none(containers_of, driver.pid)
    else:
        assert eventually_none(guests_with, mark)


def test_a_living_drivers_containers_are_left_alone(backend: Backend) -> None:
    if backend.name != "docker":
        pytest.skip(f"{backend.name} has nothing to reap")
    guest = backend.start(LIMITS)
    try:
        backend.reap()
        assert containers_of(os.getpid()) >= 1
    finally:
        guest.kill()


def test_an_owner_is_dead_when_its_process_is() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    here = Owner.current().as_dict()
    owner = Owner.from_dict({**here, "pid": str(child.pid), "started": _start_time(str(child.pid)), "other": "ignored"})
    assert not Owner.current().is_dead()
    assert not owner.is_dead()
    child.kill()
    assert not Owner.from_dict({**here, "host": "elsewhere", "started": "1"}).is_dead()
    child.communicate()
    assert owner.is_dead()
    assert Owner.from_dict({**here, "boot": "an earlier one"}).is_dead()
    assert Owner.from_dict({**here, "started": "1"}).is_dead()
    assert not Owner.from_dict({**here, "namespace": "pid:[1]", "started": "1"}).is_dead()
