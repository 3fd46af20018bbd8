"""Designs that attack, each a file under `hostile/`, and the verdict expected of a backend that claims the hazard."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.backend import CPU, ENVIRONMENT, FILESYSTEM, MEMORY, NETWORK, PROCESSES, TOTAL_MEMORY, DesignFault
from sandbox.pool import Pool
from sandbox.session import DesignSession
from tests.sandbox.conftest import LIMITS
from tests.sandbox.samples import TRAJECTORY, query

HOSTILE = Path(__file__).parent / "hostile"
SECRET = "palimpsest-secret-4711"


@dataclass(frozen=True)
class Verdict:
    """`at` is the call that must fail, with one of `kinds`; where `survives`, only that episode is lost."""

    file: str
    hazard: str
    at: str
    kinds: frozenset[str]
    survives: bool = False


def verdict(file: str, hazard: str, at: str, kinds: str, *, survives: bool = False) -> Verdict:
    return Verdict(file, hazard, at, frozenset(kinds.split()), survives)


FAULTS = [
    verdict("loop_in_import", CPU, "load", "Timeout"),
    verdict("loop_in_update", CPU, "update", "Timeout"),
    verdict("loop_in_retrieve", CPU, "retrieve", "Timeout", survives=True),
    verdict("fork_bomb", PROCESSES, "update", "Timeout Exit"),
    verdict("fork_count", PROCESSES, "update", "RuntimeError"),
    verdict("memory_bomb", MEMORY, "update", "MemoryError Memory Exit"),
    verdict("memory_bomb_by_children", TOTAL_MEMORY, "update", "MemoryError Memory Exit"),
    verdict("output_flood", CPU, "update", "Output Timeout"),
    verdict("protocol_flood", CPU, "update", "Protocol"),
    verdict("forged_reply", CPU, "update", "Protocol"),
    verdict("call_flood", CPU, "update", "Protocol Timeout"),
    verdict("deep_frame", CPU, "update", "Protocol"),
    verdict("exit_in_update", CPU, "update", "Exit"),
    verdict("exit_in_retrieve", CPU, "retrieve", "Exit", survives=True),
]

NEVER_WITHOUT_WALLS = {"fork_bomb", "fork_count", "memory_bomb", "memory_bomb_by_children"}
"""Not even tried on a backend that limits each process only."""

FINDINGS = [
    ("read_environment", ENVIRONMENT),
    ("read_host_files", FILESYSTEM),
    ("open_sockets", NETWORK),
    ("write_outside_tmpfs", FILESYSTEM),
    ("write_parent_memory", PROCESSES),
    ("new_namespaces", PROCESSES),
]


def source_of(name: str) -> str:
    return (HOSTILE / f"{name}.py").read_text()


def skip_unless_claimed(pool: Pool, name: str, hazard: str) -> None:
    if hazard not in pool.backend.isolates:
        pytest.skip(f"{name}: {pool.backend.name} does not claim {hazard}")
    if name in NEVER_WITHOUT_WALLS and PROCESSES not in pool.backend.isolates:
        pytest.skip(f"{name}: never on {pool.backend.name}")


def attack(session: DesignSession, case: Verdict) -> None:
    session.load(source_of(case.file), seed=1)
    session.update(TRAJECTORY)
    with session.episode() as episode:
        episode.retrieve(query("attack"))


@pytest.mark.parametrize("case", FAULTS, ids=lambda case: case.file)
def test_an_attack_is_charged_to_the_design(pool: Pool, session: DesignSession, case: Verdict) -> None:
    skip_unless_claimed(pool, case.file, case.hazard)
    began = time.monotonic()
    with pytest.raises(DesignFault) as caught:
        attack(session, case)
    assert caught.value.at == case.at
    assert caught.value.kind in case.kinds
    assert time.monotonic() - began < LIMITS.load_seconds + LIMITS.update_seconds + 4
    if case.survives:
        with session.episode() as episode:
            assert [item.text for item in episode.retrieve(query("calm"))] == ["calm"]


@pytest.mark.parametrize(("name", "hazard"), FINDINGS, ids=lambda value: value)
def test_an_attack_finds_nothing(
    pool: Pool, session: DesignSession, name: str, hazard: str, monkeypatch: pytest.MonkeyPatch, goals: dict[str, str]
) -> None:
    skip_unless_claimed(pool, name, hazard)
    session.load(source_of(name), seed=1)
    with session.episode() as episode:
        assert [item.text for item in episode.retrieve(query("attack", goal=goals.get(name, "none")))] == []


@pytest.fixture
def goals(tmp_path: Path, listener: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What each attack is told to look for: things that exist on the host."""
    monkeypatch.setenv("PALIMPSEST_TEST_SECRET", SECRET)
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    tmp_path.chmod(0o777)
    return {
        "read_environment": SECRET,
        "read_host_files": str(secret),
        "open_sockets": str(listener),
        "write_outside_tmpfs": str(tmp_path),
    }


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of the host that takes connections."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        server.settimeout(0.1)
        done = threading.Event()
        thread = threading.Thread(target=_accept, args=(server, done))
        thread.start()
        yield server.getsockname()[1]
        done.set()
        thread.join()


def _accept(server: socket.socket, done: threading.Event) -> None:
    while not done.is_set():
        try:
            server.accept()[0].close()
        except TimeoutError:
            continue


def test_a_fork_bomb_ends_with_its_guest(pool: Pool, session: DesignSession) -> None:
    skip_unless_claimed(pool, "fork_count", PROCESSES)
    session.load(source_of("fork_count"), seed=1)
    with pytest.raises(DesignFault, match="refused after") as caught:
        session.update(TRAJECTORY)
    assert int(caught.value.message.split()[-1]) < LIMITS.processes
    before = sleeping_guests()
    assert before > 0
    session.close()
    deadline = time.monotonic() + 5
    while sleeping_guests() > max(1, before - LIMITS.processes // 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sleeping_guests() <= max(1, before - LIMITS.processes // 2)


def sleeping_guests() -> int:
    """Processes of this machine that run the guest's supervisor."""
    count = 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            count += b"sandbox.guest.serve" in file.read_bytes()
        except OSError:
            continue
    return count
