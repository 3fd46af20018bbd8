"""What only the Docker backend has: an engine that may lack something, go away, or lose a container."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.backend import MachineFault
from sandbox.docker import ContainerGuest, Docker, _shortcoming
from sandbox.pool import Pool
from tests.sandbox.conftest import LIMITS
from tests.sandbox.samples import REMEMBERS, TRAJECTORY

LOCAL = "http+docker://localhost"
ABLE = {"OSType": "linux", "MemoryLimit": True, "PidsLimit": True}


@pytest.mark.parametrize(
    ("address", "engine", "reason"),
    [
        ("https://far:2376", ABLE, "unset DOCKER_HOST"),
        ("http+docker://ssh", ABLE, "unset DOCKER_HOST"),
        (LOCAL, ABLE | {"OSType": "windows"}, "runs windows containers"),
        (LOCAL, ABLE | {"PidsLimit": False}, "cannot enforce PidsLimit"),
        (LOCAL, ABLE | {"PidsLimit": False, "MemoryLimit": False}, "cannot enforce MemoryLimit and PidsLimit"),
    ],
)
def test_an_engine_that_cannot_hold_a_guest_is_refused(address: str, engine: dict[str, Any], reason: str) -> None:
    assert reason in (_shortcoming(address, engine) or "")


def test_an_able_engine_is_taken() -> None:
    assert _shortcoming(LOCAL, ABLE) is None


@pytest.fixture(scope="module")
def engine() -> Docker:
    made = Docker()
    reason = made.available()
    if reason is not None:
        pytest.skip(f"docker: {reason}")
    return made


def test_a_container_that_somebody_else_removed_is_the_machines_fault(engine: Docker) -> None:
    with Pool(engine, LIMITS) as pool, pool.lease() as session:
        session.load(REMEMBERS, seed=1)
        guest = session._guest
        assert isinstance(guest, ContainerGuest)
        engine._client().api.remove_container(guest._container, force=True)
        with pytest.raises(MachineFault, match="inspect a container"):
            session.update(TRAJECTORY)


def test_a_container_is_limited_as_asked(engine: Docker) -> None:
    guest = engine.start(LIMITS)
    try:
        described = engine._client().api.inspect_container(guest._container)
    finally:
        guest.kill()
    host = described["HostConfig"]
    assert (host["NetworkMode"], host["IpcMode"], host["ReadonlyRootfs"]) == ("none", "none", True)
    assert host["Memory"] == host["MemorySwap"] == LIMITS.memory_bytes
    assert (host["PidsLimit"], host["CapDrop"], host["SecurityOpt"]) == (64, ["ALL"], ["no-new-privileges"])
    assert (host["LogConfig"]["Type"], described["Config"]["User"]) == ("none", "65534:65534")
    guest.kill()
