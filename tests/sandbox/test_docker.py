"""What only the Docker backend has: an engine that may lack something, go away, or lose a container."""

from __future__ import annotations

import socket
from dataclasses import asdict
from typing import Any

import pytest
from docker import DockerClient

from sandbox.backend import MachineFault
from sandbox.backends import NoBackendError, choose
from sandbox.docker import ContainerGuest, Docker, _shortcoming
from sandbox.engine import owner_of
from sandbox.owner import Owner
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
        engine.engine.client.api.remove_container(guest._container, force=True)
        with pytest.raises(MachineFault, match="inspect a container"):
            session.update(TRAJECTORY)


def test_a_container_is_limited_as_asked(engine: Docker) -> None:
    engine = Docker(run="17", runtime="runc")
    guest = engine.start(LIMITS)
    try:
        described = engine.engine.client.api.inspect_container(guest._container)
    finally:
        guest.kill()
    host = described["HostConfig"]
    assert (host["NetworkMode"], host["IpcMode"], host["ReadonlyRootfs"]) == ("none", "none", True)
    assert host["Memory"] == host["MemorySwap"] == LIMITS.memory_bytes
    assert (host["PidsLimit"], host["CapDrop"], host["SecurityOpt"]) == (64, ["ALL"], ["no-new-privileges"])
    assert (host["LogConfig"]["Type"], described["Config"]["User"]) == ("none", "65534:65534")
    assert (host["Runtime"], described["Config"]["StopSignal"]) == ("runc", "SIGKILL")
    assert described["Image"] == engine.image()
    labels = described["Config"]["Labels"]
    assert described["Name"].startswith("/palimpsest-17-")
    assert (labels["palimpsest"], labels["palimpsest.run"]) == ("guest", "17")
    assert owner_of(labels) == Owner.current()
    assert all(asdict(owner_of(labels)).values()), "host, boot, namespace, pid and start time"
    guest.kill()


def test_an_image_that_somebody_removed_is_made_again(engine: Docker) -> None:
    forgetful = Docker()
    forgetful._image = "sha256:" + "0" * 64
    guest = forgetful.start(LIMITS)
    guest.kill()
    assert forgetful.image() == engine.image()


def test_a_runtime_that_the_engine_lacks_is_refused_with_those_that_it_has(engine: Docker) -> None:
    with pytest.raises(NoBackendError, match=r"the engine has no runtime 'nope', it has .*runc"):
        choose(runtime="nope")
    assert choose("docker", runtime="runc").extra == "runtime runc"


def test_only_docker_has_runtimes() -> None:
    with pytest.raises(NoBackendError, match="the sandbox process has no runtimes, docker has; leave"):
        choose("process", runtime="runc")


def test_what_cannot_be_removed_now_is_removed_later(engine: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Docker()
    guest = backend.start(LIMITS)
    with monkeypatch.context() as patch:
        patch.setattr(backend.engine, "_connected", DockerClient("unix:///nowhere/docker.sock", version="1.41"))
        guest.kill()
    listed = backend.engine.client.api.containers
    assert len(listed(all=True, filters={"id": guest._container})) == 1
    backend.reap()
    assert listed(all=True, filters={"id": guest._container}) == []


def test_the_lifeline_tells_an_engine_from_one_that_ended(engine: Docker) -> None:
    lifeline = engine.engine.lifeline()
    assert engine.engine.lifeline() is lifeline
    assert lifeline.holds()
    lifeline._socket.shutdown(socket.SHUT_RDWR)
    assert not lifeline.holds()
    assert engine.engine.lifeline() is not lifeline
