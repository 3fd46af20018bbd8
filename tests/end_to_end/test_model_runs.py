"""Whole runs with a playing model behind a server on loopback: budgets, crashes, interrupts, keys, costs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from tests.end_to_end.conftest import Shell
from tests.end_to_end.test_crashes import Sitting, done_well, processes_under, rows
from tests.model_server import Ask, Fault, ModelServer, Response, Say

CANARY = "canary-4f1d0c7be2"
TINY = ("--domain", "recall", "--collection", "4", "--collection-repeats", "1", "--deployment", "4", "--repeats", "1")
FAST = (*TINY, "--finalists", "0", "--designs", "2", "--sandbox", "process", "--workers", "0", "--json")
PAID = "SELECT key FROM call WHERE hit_of IS NULL"


def player(ask: Ask, latency: float = 0.0) -> Response:
    """Takes the last of the listed actions."""
    assert ask.schema is not None
    action = ask.schema["properties"]["action"]["enum"][-1]
    return Say(value={"thought": "", "action": action}, tokens_in=200, tokens_out=20, latency=latency)


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


def test_a_run_ends_with_its_budget_and_goes_on_with_a_larger_one(shell: Shell, server: ModelServer) -> None:
    first = shell.here(*command(server, "--budget-tokens", "12000"))
    assert first.code == 0, first.err
    assert (first.json["status"], first.json["models"]["calls"]) == ("out of budget", server.paid)
    assert 8_000 < server.paid * 220 <= 12_000
    assert "a larger --budget-tokens goes on" in first.err
    assert "50% of the budget for models is spent" in first.err
    (listed,) = shell.here("runs", "--json").json
    assert (listed["status"], listed["cost"]["calls"]) == ("out of budget", server.paid)
    second = shell.here(*command(server, "--budget-tokens", "2000000"))
    assert (second.code, second.json["status"]) == (0, "done")
    assert len(paid(shell.folder)) == server.paid == second.json["models"]["calls"]
    costs = shell.here("costs", "1", "--json").json
    assert costs == second.json["models"]
    assert (costs["dollars"], costs["tokens_in"]) == (None, 200 * server.paid)
    replayed = shell.here(*command(server, "--llm", "replay", "--fresh"))
    assert (replayed.code, replayed.json["models"]["calls"]) == (0, 0)
    assert [row["score"] for row in replayed.json["top"]] == [row["score"] for row in second.json["top"]]
    refused = shell.here(*command(server, "--llm", "replay", "--seed", "7"))
    assert refused.code == 2
    assert "the archive holds no answer to a call in the role agent" in refused.err


def test_one_call_is_shown_made_safe(shell: Shell, server: ModelServer) -> None:
    def hostile(ask: Ask) -> Response:
        said = player(ask)
        assert isinstance(said, Say)
        return Say(value={**said.value, "thought": "\x1b[31mred"})

    server.script = hostile
    assert shell.here(*command(server, "--designs", "1")).code == 0
    listed = shell.here("costs", "--calls", "-n", "3", "--json").json
    assert len(listed) == 3
    shown = shell.here("costs", "--call", "1")
    assert "\x1b" not in shown.out
    assert "[31mred" in shown.out
    by_design = shell.here("costs", "--by", "design")
    assert by_design.code == 0
    assert shell.here("costs", "9").code == 2
    assert shell.here("costs", "--call", "99999").code == 2


def test_after_a_kill_no_finished_call_is_paid_again(tmp_path: Path, server: ModelServer) -> None:
    server.script = lambda ask: player(ask, 0.05)
    for finished in (20, 50):
        sitting = Sitting(tmp_path, *command(server))
        sitting.until(lambda finished=finished: server.paid >= finished)  # type: ignore[misc]
        sitting.process.kill()
        sitting.process.wait()
        before = paid(tmp_path)
    lost = server.paid - len(before)
    assert 0 <= lost <= 16  # those that were under way, eight at a time
    assert done_well(Sitting(tmp_path, *command(server)).end())["status"] == "done"
    final = paid(tmp_path)
    assert set(before) < set(final)
    assert server.paid == len(final) + lost


def test_an_interrupt_waits_for_what_is_being_paid(tmp_path: Path, server: ModelServer) -> None:
    server.script = lambda ask: player(ask, 1.0)
    sitting = Sitting(tmp_path, *command(server))
    sitting.until(lambda: server.in_flight > 2)
    sitting.process.send_signal(signal.SIGINT)
    assert sitting.process.wait(30) == 130
    assert "Interrupted. What is done is kept" in sitting.said
    assert len(paid(tmp_path)) == server.paid > 2


def test_a_second_interrupt_does_not_wait(tmp_path: Path, server: ModelServer) -> None:
    server.script = lambda ask: player(ask, 25.0)
    sitting = Sitting(tmp_path, *command(server))
    sitting.until(lambda: server.in_flight > 2)
    sitting.process.send_signal(signal.SIGINT)
    sitting.until(lambda: "Ctrl-C leaves at once" in sitting.said)
    sitting.process.send_signal(signal.SIGINT)
    assert sitting.process.wait(15) == 130
    assert "Traceback" not in sitting.said
    assert (paid(tmp_path), server.paid) == ([], 0)


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
    sitting = Sitting(tmp_path, *command(server, "--workers", "1", "--designs", "1"))
    seen: dict[int, bytes] = {}
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
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


def test_costs_of_a_run_without_models(finished: Shell) -> None:
    done = finished.here("costs")
    assert (done.code, done.out) == (0, "run 1 has asked no language model.\n")
    value: Any = finished.here("costs", "--json").json
    assert (value["calls"], value["costs"]) == (0, [])
    assert os.environ.get("OPENAI_API_KEY") is None or CANARY not in os.environ["OPENAI_API_KEY"]
