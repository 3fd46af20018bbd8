from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.backend import Backend, DesignFault, Limits, MachineFault
from sandbox.backends import BACKENDS, NoBackendError, choose, make
from sandbox.bubblewrap import Bubblewrap
from sandbox.local import ChildGuest
from sandbox.pool import Pool
from sandbox.process import Process
from tests.sandbox.conftest import LIMITS
from tests.sandbox.samples import REMEMBERS, TRAJECTORY, design, query


@pytest.fixture
def small_pool() -> Iterator[Pool]:
    with Pool(Process(), LIMITS, size=2) as made:
        yield made


def test_designs_run_side_by_side(small_pool: Pool) -> None:
    def kept(number: int) -> list[str]:
        with small_pool.lease() as session:
            session.load(REMEMBERS, seed=number)
            for _ in range(number):
                session.update(TRAJECTORY)
            with session.episode() as episode:
                return [item.text for item in episode.retrieve(query())]

    with ThreadPoolExecutor(4) as threads:
        assert [len(each) for each in threads.map(kept, range(8))] == list(range(8))


def test_each_guest_serves_one_design(small_pool: Pool) -> None:
    pids = set()
    for _ in range(4):
        with small_pool.lease() as session:
            session.load(design("def retrieve(self, query):\n    import os\n    return [str(os.getppid())]"), seed=1)
            with session.episode() as episode:
                pids.add(episode.retrieve(query())[0].text)
    assert len(pids) == 4


def test_a_guest_that_died_while_it_waited_is_replaced() -> None:
    with Pool(Process(), LIMITS) as pool:
        waiting = pool._warm[0].result()
        assert isinstance(waiting, ChildGuest)
        os.kill(waiting.pid, signal.SIGKILL)
        with pool.lease() as session:
            assert session.load(REMEMBERS, seed=1).name == "Sample"


def test_the_warm_guest_is_there_at_once(small_pool: Pool) -> None:
    with small_pool.lease():
        pass
    time.sleep(0.5)
    began = time.monotonic()
    with small_pool.lease():
        assert time.monotonic() - began < 0.1


def test_a_closed_pool_leases_nothing() -> None:
    pool = Pool(Process(), LIMITS)
    pool.close()
    with pytest.raises(MachineFault, match="closed"), pool.lease():
        pass


def test_a_pool_needs_a_guest() -> None:
    with pytest.raises(ValueError, match="at least one guest"):
        Pool(Process(), size=0)


class Broken(Process):
    """A backend whose guests end before they are ready, as where the image is damaged."""

    def start(self, limits: Limits) -> ChildGuest:
        return ChildGuest(["/bin/false"], {}, limits)


def test_a_guest_that_does_not_start_is_the_machines_fault() -> None:
    with Pool(Broken(), LIMITS) as pool, pytest.raises(MachineFault, match="did not start"), pool.lease():
        pass


def test_a_missing_interpreter_is_the_machines_fault() -> None:
    with pytest.raises(MachineFault, match="cannot start"):
        ChildGuest(["/nowhere/python"], {}, LIMITS)


def test_the_host_ends_what_outlives_its_deadline() -> None:
    limits = Limits(update_seconds=0.3)
    with Pool(Process(), limits) as pool, pool.lease() as session:
        session.load(design("def update(self, trajectory):\n    while True:\n        pass"), seed=1)
        with pytest.raises(DesignFault, match="host's deadline"):
            session.update(TRAJECTORY)
        assert not session.alive


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_is_found_by_its_name(name: str) -> None:
    assert make(name).name == name


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(NoBackendError, match="no sandbox backend 'chroot'; choose one of docker, bubblewrap, process"):
        choose("chroot")


def test_the_best_available_backend_is_chosen(backend: Backend) -> None:
    order = list(BACKENDS)
    assert order.index(choose().name) <= order.index(backend.name)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "apt-get install bubblewrap" in (Bubblewrap().available() or "")
    with pytest.raises(NoBackendError, match="bubblewrap: bwrap is not installed"):
        choose("bubblewrap")


def test_an_engine_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert "the Docker engine does not answer" in (make("docker").available() or "")
    with pytest.raises(MachineFault, match="cannot build the guest's image"):
        make("docker").start(LIMITS)


def test_a_cache_that_nobody_else_can_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives its rights away first")
    if shutil.which("bwrap") is None:
        pytest.skip("bwrap is not installed")
    tmp_path.chmod(0o700)
    monkeypatch.setattr("sandbox.bubblewrap.interpreter_root", lambda: tmp_path)
    assert "PALIMPSEST_CACHE" in (Bubblewrap().available() or "")
