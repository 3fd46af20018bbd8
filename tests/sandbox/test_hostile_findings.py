"""Designs that look around find nothing of the host or of each other; what one episode leaves for the next is found."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sandbox import purity
from sandbox.backend import PROCESSES, DesignFault
from sandbox.guest.design import Item
from sandbox.pool import Pool
from sandbox.session import DesignSession
from tests.sandbox.samples import TRAJECTORY, design, query
from tests.sandbox.verdicts import CHANNELS, FINDINGS, TRACES, skip_unless_claimed, source_of

SECRET = "palimpsest-secret-4711"


@pytest.mark.parametrize(("name", "hazard"), FINDINGS, ids=lambda value: value)
def test_an_attack_finds_nothing(
    pool: Pool, session: DesignSession, name: str, hazard: str, goals: dict[str, str]
) -> None:
    skip_unless_claimed(pool.backend, name, hazard)
    build(session, name)
    assert texts(ask(session, "attack", goals.get(name, "none"))) == []


@pytest.mark.parametrize(("name", "hazard"), TRACES, ids=lambda value: value)
def test_an_episode_leaves_nothing_running_or_changed(
    pool: Pool, session: DesignSession, name: str, hazard: str
) -> None:
    skip_unless_claimed(pool.backend, name, hazard)
    build(session, name)
    ask(session, "attack")
    assert texts(ask(session, "look")) == []


@pytest.mark.parametrize(("name", "hazard"), CHANNELS, ids=lambda value: value)
def test_a_channel_between_episodes_is_found_and_ends_with_its_guest(
    pool: Pool, session: DesignSession, name: str, hazard: str
) -> None:
    skip_unless_claimed(pool.backend, name, hazard)
    build(session, name)
    asked = [(query(word), ask(session, word)) for word in ("attack", "look")]
    assert [bool(items) for _, items in asked] == [False, True]
    with pytest.raises(DesignFault, match="in another order") as caught:
        purity.check(pool.lease, source_of(name), session.journal, asked)
    assert caught.value.kind == "Impure"
    with pool.lease() as other:
        build(other, name)
        assert texts(ask(other, "look")) == []


def test_other_designs_are_out_of_sight(pool: Pool, session: DesignSession) -> None:
    skip_unless_claimed(pool.backend, "read_other_designs", PROCESSES)
    with pool.lease() as other:
        other.load(design(f"def update(self, trajectory):\n    self.kept = '{SECRET}' + 'x'"), seed=1)
        other.update(TRAJECTORY)
        build(session, "read_other_designs")
        assert texts(ask(session, "attack", SECRET)) == []


def build(session: DesignSession, name: str) -> None:
    session.load(source_of(name), seed=1)
    session.update(TRAJECTORY)


def ask(session: DesignSession, observation: str, goal: str = "") -> list[Item]:
    with session.episode() as episode:
        return list(episode.retrieve(query(observation, goal=goal)))


def texts(items: list[Item]) -> list[str]:
    return [item.text for item in items]


@pytest.fixture
def goals(tmp_path: Path, listener: int, local: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What each attack is told to look for: things that exist on the host."""
    monkeypatch.setenv("PALIMPSEST_TEST_SECRET", SECRET)
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    tmp_path.chmod(0o777)
    return {
        "read_environment": SECRET,
        "read_host_files": str(secret),
        "open_sockets": str(listener),
        "local_sockets": local,
        "write_outside_tmpfs": str(tmp_path),
    }


@pytest.fixture
def local(tmp_path: Path) -> Iterator[str]:
    """A name under which the host listens twice: as a path, and as an abstract name."""
    name = str(tmp_path / "socket")
    with closing(socket.socket(socket.AF_UNIX)) as by_path, closing(socket.socket(socket.AF_UNIX)) as abstract:
        for server, address in ((by_path, name), (abstract, f"\0{name}")):
            server.bind(address)
            server.listen()
        yield name


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
