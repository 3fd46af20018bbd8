"""Whole runs with a playing model behind a server on loopback: budgets, crashes, interrupts, keys, costs."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from archive.opening import open_archive
from archive.tables import Run
from tests.end_to_end.conftest import Done, Shell
from tests.end_to_end.test_commands import documented, keys
from tests.end_to_end.test_crashes import Sitting, done_well, processes_under, rows
from tests.model_server import Ask, Fault, ModelServer, Response, Say

CANARY = "canary-4f1d0c7be2"
TINY = ("--domain", "recall", "--collection", "2", "--collection-repeats", "1", "--deployment", "2", "--repeats", "1")
FAST = (*TINY, "--finalists", "0", "--designs", "1", "--sandbox", "process", "--workers", "0", "--json")
PAID = "SELECT key FROM call WHERE hit_of IS NULL"
TOKENS = 2_000, 20
"""Of each call, in and out."""
BUDGET = 24_000


def player(ask: Ask, latency: float = 0.0) -> Response:
    """Takes the last of the listed actions, and thinks what no terminal should be told."""
    assert ask.schema is not None
    action = ask.schema["properties"]["action"]["enum"][-1]
    value = {"thought": "\x1b[31mred", "action": action}
    return Say(value=value, tokens_in=TOKENS[0], tokens_out=TOKENS[1], latency=latency)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(player) as made:
        yield made


def command(server: ModelServer, *more: str) -> tuple[str, ...]:
    return ("run", *FAST, "--agent", server.spec(), *more)


def paid(folder: Path) -> list[bytes]:
    found = [key for (key,) in rows(folder / "palimpsest.db", PAID)]
    assert len(found) == len(set(found)), "a call was paid twice"
    return found


@dataclass(frozen=True, slots=True)
class Played:
    """A run that came to the end of its budget, and went on with a larger one."""

    shell: Shell
    server: ModelServer
    first: Done
    listed: Any
    """`evolve runs` between the two."""
    calls: int
    """Paid until then."""
    second: Done


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    shell = Shell(tmp_path_factory.mktemp("played"))
    with ModelServer(player) as server:
        first = shell.here(*command(server, "--budget-tokens", str(BUDGET)))
        listed, calls = shell.here("runs", "--json").json, server.paid
        second = shell.here(*command(server, "--budget-tokens", "2000000"))
        yield Played(shell, server, first, listed, calls, second)


def test_a_run_ends_with_its_budget_and_goes_on_with_a_larger_one(played: Played) -> None:
    first, second = played.first, played.second
    assert first.code == 0, first.err
    assert (first.json["status"], first.json["models"]["calls"]) == ("out of budget", played.calls)
    assert BUDGET - 6_000 < played.calls * sum(TOKENS) <= BUDGET
    assert "a larger --budget-tokens goes on" in first.err
    assert "50% of the budget for models is spent" in first.err
    (listed,) = played.listed
    assert (listed["status"], listed["cost"]["calls"]) == ("out of budget", played.calls)
    assert (second.code, second.json["status"]) == (0, "done")
    assert played.calls < len(paid(played.shell.folder)) == second.json["models"]["calls"] == played.server.paid


def test_a_run_is_replayed_from_its_record_alone(played: Played) -> None:
    before = played.server.paid
    replayed = played.shell.here(*command(played.server, "--llm", "replay", "--fresh"))
    assert (replayed.code, replayed.json["models"]["calls"]) == (0, 0)
    assert [row["score"] for row in replayed.json["top"]] == [row["score"] for row in played.second.json["top"]]
    refused = played.shell.here(*command(played.server, "--llm", "replay", "--seed", "7"))
    assert refused.code == 2
    assert "the archive holds no answer to a call in the role agent" in refused.err
    assert played.server.paid == before


def test_costs_are_summed_and_one_call_is_shown_made_safe(played: Played) -> None:
    here = played.shell.here
    costs = here("costs", "1", "--json").json
    assert costs == played.second.json["models"]
    assert (costs["dollars"], costs["tokens_in"]) == (None, TOKENS[0] * played.server.paid)
    calls = here("costs", "--calls", "-n", "3", "--json").json
    assert [call["run"] for call in calls] == [1, 1, 1]
    assert set(keys(calls)) <= documented("costs")
    shown = here("costs", "--call", "1")
    assert "\x1b" not in shown.out
    assert "[31mred" in shown.out
    assert here("costs", "--by", "design").code == 0
    assert here("costs", "9").code == 2
    assert here("costs", "--call", "99999").code == 2


def test_no_finished_call_is_paid_again_however_a_sitting_ends(shell: Shell, server: ModelServer) -> None:
    """Two interrupts leave at once, one waits for what is being paid, a kill loses what is under way."""
    folder, gone = shell.folder, threading.Event()

    def silent(ask: Ask) -> Response:
        gone.wait(60)
        return Fault(500)

    server.script = silent
    sitting = begun(folder, server)
    sitting.process.send_signal(signal.SIGINT)
    sitting.until(lambda: "Ctrl-C leaves at once" in sitting.said)
    sitting.process.send_signal(signal.SIGINT)
    assert sitting.process.wait(15) == 130
    assert "Traceback" not in sitting.said
    assert (paid(folder), server.paid) == ([], 0)
    server.script = lambda ask: player(ask, 1.0)
    gone.set()

    sitting = begun(folder, server)
    sitting.process.send_signal(signal.SIGINT)
    assert sitting.process.wait(30) == 130
    assert "Interrupted. What is done is kept" in sitting.said
    assert len(paid(folder)) == server.paid >= 2

    server.script = lambda ask: player(ask, 0.2)
    sitting = Sitting(folder, *command(server))
    sitting.until(lambda: server.paid >= 8)
    sitting.process.kill()
    sitting.process.wait()
    before = paid(folder)
    while server.in_flight:
        time.sleep(0.01)
    lost = server.paid - len(before)
    assert 0 <= lost <= 8  # those that were under way

    server.script = player
    assert done_well(shell.here(*command(server)))["status"] == "done"
    final = paid(folder)
    assert set(before) < set(final)
    assert server.paid == len(final) + lost


def begun(folder: Path, server: ModelServer) -> Sitting:
    """A sitting that waits for two answers at least."""
    sitting = Sitting(folder, *command(server))
    sitting.until(lambda: server.in_flight > 1)
    return sitting


def unpacked(path: Path) -> Iterator[bytes]:
    """All values of an archive, those that are compressed too."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f"SELECT * FROM {table}"):
                for value in row:
                    yield value if isinstance(value, bytes) else str(value).encode()
                    with suppress(zlib.error, TypeError):
                        yield zlib.decompress(value)


def test_a_key_is_nowhere_but_with_its_provider(
    tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the archive, in what is said, in logs, or in the environment of any process that the run starts."""
    short = Path(mkdtemp(prefix="r"))  # a socket's path has at most 107 bytes
    for name in ("MODEL_SERVER_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    echoed = Fault(500, body=json.dumps({"error": {"message": f"the key {CANARY} is fine, the server is not"}}))
    server.script = lambda ask: echoed if ask.number % 7 == 3 else player(ask, 0.05)
    sitting = Sitting(tmp_path, *command(server, "--workers", "1"))
    seen: dict[int, bytes] = {}
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            for pid, _ in processes_under(sitting.process.pid):
                with suppress(OSError):
                    seen[pid] = Path(f"/proc/{pid}/environ").read_bytes()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        done_well(sitting.end())
    finally:
        ended.set()
        looking.join()
    assert all(ask.headers["authorization"] == f"Bearer {CANARY}" for ask in server.asks)
    assert any(b"ray" in environ for environ in seen.values())
    key = CANARY.encode()
    assert not [pid for pid, environ in seen.items() if key in environ]
    assert not [value for value in unpacked(sitting.archive) if key in value]
    written = [path for folder in (tmp_path, short) for path in folder.rglob("*") if path.is_file()]
    assert len(written) > 5
    assert not [path for path in written if key in path.read_bytes()]
    assert "a key" in sitting.said or "[key]" in sitting.said
    shutil.rmtree(short)


def test_costs_of_a_run_without_models(shell: Shell) -> None:
    archive = open_archive(shell.folder / "palimpsest.db", write=True)
    archive.save(Run(identity="x", config="{}", domain_version="1", agent_version="1", sandbox="", created=0.0))
    archive.close()
    done = shell.here("costs")
    assert (done.code, done.out) == (0, "run 1 has asked no language model.\n")
    value: Any = shell.here("costs", "--json").json
    assert (value["calls"], value["costs"]) == (0, [])
