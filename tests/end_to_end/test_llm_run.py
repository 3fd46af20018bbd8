"""Whole runs whose designs a model writes, behind a server on loopback: reflect, implement, repair, evaluate, keep."""

from __future__ import annotations

import json
import os
import signal
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest

from archive.opening import open_archive
from archive.store import Archive
from archive.tables import State
from evolve.commands.thoughts import thoughts_json
from evolve.manifests import thoughts_of
from sandbox.backends import make
from tests.author import BREAKS, FIRST, Author, answer
from tests.end_to_end.conftest import Shell
from tests.end_to_end.test_crashes import rows
from tests.end_to_end.test_run import count, wait_for
from tests.model_server import Ask, Fault, ModelServer, Response, Say, mixed

SMALL = ("--domain", "recall", "--collection", "6", "--collection-repeats", "1", "--deployment", "6")
QUICK = (*SMALL, "--finalists", "0", "--sandbox", "bubblewrap", "--workers", "0", "--json")
PAID = "SELECT key FROM call WHERE hit_of IS NULL"

pytestmark = pytest.mark.skipif(bool(make("bubblewrap").available()), reason="what models write needs bubblewrap here")


@dataclass(frozen=True, slots=True)
class Written:
    """A finished run, with what was asked for it."""

    shell: Shell
    server: ModelServer
    archive: Archive
    command: tuple[str, ...]
    result: Any


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    """Eight designs by an author who breaks some of them in every way, on a server that behaves."""
    shell = Shell(tmp_path_factory.mktemp("written"))
    with ModelServer(Author(tuple(BREAKS))) as server:
        command = ("run", *QUICK, "--designs", "8", "--proposer", server.spec())
        done = shell.here(*command)
        assert done.code == 0, done.err
        with closing(open_archive(shell.folder / "palimpsest.db")) as archive:
            yield Written(shell, server, archive, command, done.json)


def test_every_request_leaves_a_design_or_a_reason(written: Written) -> None:
    manifests = written.archive.manifests(1)
    assert [row.number for row in manifests] == [request.number for request in written.archive.requests(1)]
    for row, request in zip(manifests, written.archive.requests(1), strict=True):
        assert json.loads(request.result or "")["design"] == (row.design_id or None)
        assert bool(row.design_id) != bool(row.reason)
        thoughts = thoughts_of(row)
        assert bool(thoughts["plan"]) == bool(json.loads(request.payload)["parents"])
        assert thoughts["manifest"]["hypothesis"]
        assert "sections" not in thoughts
        assert [bool(failure) for _, failure in thoughts["attempts"][:-1]] == [True] * (len(thoughts["attempts"]) - 1)
    best = written.archive.exactly(written.result["top"][0]["design"])
    assert best.origin == "untrusted"
    assert written.result["top"][0]["gain"]["mean"] > 0


def test_what_is_broken_goes_back_with_its_reason_and_is_mended(written: Written) -> None:
    attempts = [each for row in written.archive.manifests(1) for each in thoughts_of(row)["attempts"]]
    failures = "\n".join(failure for _, failure in attempts)
    for problem in ("has no attribute 'stages'", "it imports sandbox.guest.store", "expected ':'", "def recall"):
        assert problem in failures
    assert "KeyError" in failures or "/etc/shadow" in failures
    states = written.archive.states(1)
    repaired = [design for design, (state, _) in states.items() if state is State.REPAIRED]
    assert repaired
    assert {design for design, failure in attempts if design and failure} == set(repaired)
    for design in repaired:
        member = written.archive.member(1, design)
        assert member is not None
        assert member.role == "attempt"
        assert states[design][1]
        assert written.archive.evaluation(1, design, "deployment") is None


def test_the_prompts_hold_what_a_proposer_is_to_know_and_nothing_that_selects(written: Written) -> None:
    texts = [ask.text for ask in written.server.asks]
    assert all("class MemoryDesign(ABC)" in text and "class FullTextStore(Store)" in text for text in texts)
    whole = "\n".join(texts)
    for part in ("Lineage: how it came to be", "What was already tried on it", "retrieved: ", "Tasks that came out"):
        assert part in whole
    assert "task: reflection-0" in whole
    assert "task: deployment-" not in whole
    assert "task: test-" not in whole
    systems = {ask.body["messages"][0]["content"] for ask in written.server.asks}
    assert len(systems) == 1, "what comes first must be the same in all calls, or no provider can keep it"


def test_every_answer_is_paid_once_and_the_same_command_pays_nothing(written: Written) -> None:
    calls = rows(written.shell.folder / "palimpsest.db", PAID)
    assert len(calls) == len(set(calls)) == written.server.paid
    assert sum(row.calls for row in written.archive.manifests(1)) == written.server.paid
    again = written.shell.here(*written.command)
    assert again.code == 0, again.err
    assert len(written.server.asks) == written.server.paid == len(calls)


def test_show_tells_what_the_author_thought(written: Written) -> None:
    design = next(row.design_id for row in written.archive.manifests(1) if thoughts_of(row)["plan"] and row.design_id)
    shown = written.shell.here("show", design)
    assert "hypothesis  " in shown.out
    assert "planned" in shown.out
    found = written.shell.here("show", design, "--json").json["thoughts"]
    assert found == thoughts_json(written.archive, 1, design)
    assert found["tokens_in"] > 0


@pytest.mark.parametrize(
    ("context", "there", "absent"),
    [
        ("scores", ("its code", "By task"), ("reflection-", "hypothesis:")),
        ("summaries", ("Episodes with the first design", "hypothesis:"), ("step 1 action: call the",)),
    ],
)
def test_less_context_is_less(shell: Shell, context: str, there: tuple[str, ...], absent: tuple[str, ...]) -> None:
    one_by_one = ("--reproducible", "--in-flight", "1")  # so that all but the first are asked with a parent
    with ModelServer(Author()) as server:
        command = ("run", *QUICK, "--designs", "3", *one_by_one, "--proposer", server.spec())
        done = shell.here(*command, "--context", context)
    assert done.code == 0, done.err
    told = [ask.text.partition("# The first design: its code") for ask in server.asks]
    whole = "\n".join(part + rest for _, part, rest in told)
    assert all(part in whole for part in there)
    assert not [part for part in absent if part in whole]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (lambda ask: Say(value={"unasked": 1}), "gave no Implementation, also when asked again: manifest: Field req"),
        (lambda ask: Say("I would rather not.", finish="refusal"), "refused: I would rather not."),
        (lambda ask: Say(value=answer("nothing")), "after 3 repairs: the answer holds neither edits nor a module"),
        (lambda ask: Say(value=answer("x", module="x = 1")), "it must define exactly one subclass of MemoryDesign"),
    ],
)
def test_an_answer_that_is_of_no_use_ends_one_request_and_says_why(shell: Shell, script: Any, reason: str) -> None:
    with ModelServer(script) as server:
        done = shell.here("run", *QUICK, "--designs", "1", "--proposer", server.spec())
    assert done.code == 0, done.err
    assert reason in done.err
    with closing(open_archive(shell.folder / "palimpsest.db")) as archive:
        (row,) = archive.manifests(1)
    assert reason in row.reason
    assert len(rows(shell.folder / "palimpsest.db", PAID)) == server.paid > 0


def test_a_prompt_that_is_too_long_is_cut_and_that_is_kept(shell: Shell) -> None:
    author = Author()

    def narrow(ask: Ask) -> Response:
        return author(ask) if len(ask.text) < 20_000 else Fault(manner="overflow")

    with ModelServer(narrow) as server:
        done = shell.here("run", *QUICK, "--designs", "2", "--proposer", server.spec())
    assert done.code == 0, done.err
    with closing(open_archive(shell.folder / "palimpsest.db")) as archive:
        _, second = archive.manifests(1)
    assert second.design_id
    assert "building blocks" in {cut["section"] for cut in thoughts_of(second)["cut"]}


def test_thirty_designs_survive_a_mix_of_all_faults_within_budget(shell: Shell) -> None:
    budget = 8_000_000
    with ModelServer(mixed(Author(("", *BREAKS)), seed=5)) as server:
        command = ("run", *QUICK, "--designs", "30", "--proposer", server.spec(), "--budget-tokens", str(budget))
        done = shell.here(*command)
        assert done.code == 0, done.err
    assert len(rows(shell.folder / "palimpsest.db", PAID)) == server.paid < len(server.asks)
    models = done.json["models"]
    assert models["calls"] == server.paid
    assert models["tokens_in"] + models["tokens_out"] <= budget
    assert done.json["status"] == "done"
    assert done.json["evaluated"] > 3
    with closing(open_archive(shell.folder / "palimpsest.db")) as archive:
        assert all(bool(row.design_id) != bool(row.reason) for row in archive.manifests(1))


def test_a_killed_run_asks_nothing_again_that_was_answered(shell: Shell) -> None:
    path = shell.folder / "palimpsest.db"
    author = Author(("", *BREAKS))

    def slow(ask: Ask) -> Response:
        said = author(ask)
        assert isinstance(said, Say)
        return replace(said, latency=zlib.crc32(ask.text.encode()) % 5 / 20)

    with ModelServer(slow) as server:
        command = ("run", *QUICK, "--designs", "6", "--proposer", server.spec())
        process = shell.start(*command)
        wait_for(path, "call", 12, process, "hit_of IS NULL")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        found = {each["name"]: each["ok"] for each in shell.here("doctor", path.name, "--json").json["findings"]}
        assert [name for name, ok in found.items() if not ok] in (["runs"], [])
        before = {json.dumps(ask.body) for ask in server.asks}
        recorded, asked = count(path, "call", "hit_of IS NULL"), len(server.asks)
        done = shell.here(*command)
        assert done.code == 0, done.err
        again = [ask for ask in server.asks[asked:] if json.dumps(ask.body) in before]
        assert 12 <= recorded <= asked
        assert len(again) <= asked - recorded
        assert len(rows(path, PAID)) == len(set(rows(path, PAID)))


def test_a_run_out_of_budget_goes_on_in_the_middle_of_a_proposal(shell: Shell) -> None:
    with ModelServer(Author(tuple(BREAKS))) as server:
        command = ("run", *QUICK, "--designs", "3", "--proposer", server.spec())
        first = shell.here(*command, "--budget-tokens", "120000")
        assert first.code == 0, first.err
        assert first.json["status"] == "out of budget"
        asked = {json.dumps(ask.body) for ask in server.asks}
        second = shell.here(*command, "--budget-tokens", "3000000")
        assert second.json["status"] == "done"
        assert not [ask for ask in server.asks[len(asked) :] if json.dumps(ask.body) in asked]
        assert len(rows(shell.folder / "palimpsest.db", PAID)) == server.paid == len(server.asks)


@pytest.mark.parametrize("alike", [False, True], ids=["various", "alike"])
def test_a_reproducible_run_asks_the_same_whoever_is_faster(shell: Shell, alike: bool) -> None:
    author, salt = Author(alike=alike), "a"

    def uneven(ask: Ask) -> Response:
        said = author(ask)
        assert isinstance(said, Say)
        return replace(said, latency=zlib.crc32((salt + ask.text).encode()) % 5 / 25)

    with ModelServer(uneven) as server:
        command = ("run", *QUICK, "--designs", "5", "--reproducible", "--in-flight", "3", "--proposer", server.spec())
        first = shell.here(*command, "--archive", "a.db")
        assert not alike or any("the run has this very program already" in ask.text for ask in server.asks)
        salt = "b"
        second = shell.here(*command, "--archive", "b.db")
        assert first.json["top"] == second.json["top"]
        answers = "SELECT result FROM request ORDER BY number"
        assert rows(shell.folder / "a.db", answers) == rows(shell.folder / "b.db", answers)
        asked = len(server.asks)
        replayed = shell.here(*command, "--archive", "a.db", "--fresh", "--llm", "replay")
        assert replayed.json["top"] == first.json["top"]
        assert len(server.asks) == asked


def test_what_a_model_writes_is_refused_where_nothing_isolates_it(shell: Shell) -> None:
    with ModelServer(lambda ask: Say(value=answer("x", module=FIRST))) as server:
        command = ("run", *SMALL, "--sandbox", "process", "--workers", "0", "--proposer", server.spec())
        done = shell.here(*command)
        assert done.code == 2
        assert "untrusted code" in done.err
        assert not server.asks
        assert shell.here(*command, "--allow-unsafe", "--designs", "1").code == 0
        assert server.asks


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--proposer", "openai:m"), "need a key"),
        (("--agent", "openai:m@http://127.0.0.1:9", "--budget-usd", "1"), "no known price"),
        (("--embedder", "nothing"), "there is no model 'nothing'"),
        (("--embedder", "anthropic:m"), "anthropic:m gives no embeddings; --embedder takes static"),
        (("--proposer", "openai:m@http://127.0.0.1:9", "--sandbox", "process"), "give --allow-unsafe"),
        (("--workers", "0", "--ray-address", "auto"), "--workers 0 does everything in this process"),
    ],
)
def test_what_cannot_be_asked_leaves_no_run(shell: Shell, flags: tuple[str, ...], reason: str) -> None:
    done = shell.here("run", *SMALL, "--workers", "0", *flags, environment={"OPENAI_API_KEY": ""})
    assert (done.code, reason in done.err) == (2, True), done.err
    assert not (shell.folder / "palimpsest.db").exists()
