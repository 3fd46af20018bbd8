"""The archive on real files: who may open it, what is refused in a sentence, and what it gives back."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.opening import is_being_written, open_archive
from archive.store import Archive, ArchiveError, event_row, pack, unpack
from archive.tables import (
    SCHEMA_VERSION,
    Design,
    Evaluation,
    Look,
    Member,
    Request,
    Run,
    State,
)


def new_run(identity: str = "same") -> Run:
    return Run(
        identity=identity, config="{}", domain_version="1", agent_version="1", sandbox="process", created=time.time()
    )


def new_design(name: str) -> Design:
    return Design(id=name, source=f"# {name}", summary=f"Design {name}.", origin="composed", created=time.time())


def new_member(name: str, number: int, run_id: int = 1) -> Member:
    return Member(run_id=run_id, design_id=name, number=number, role="candidate", change="composed")


def new_evaluation(name: str, score: float, role: str = "deployment") -> Evaluation:
    return Evaluation(
        run_id=1,
        design_id=name,
        role=role,
        score=score,
        low=score - 0.1,
        high=score + 0.1,
        n=2,
        tokens=10.0,
        cut=0,
        calls=0,
        seconds=0.1,
        created=time.time(),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "of runs" / "archive?.db"


@pytest.fixture
def archive(path: Path) -> Iterator[Archive]:
    made = open_archive(path, write=True)
    yield made
    made.close()


def test_what_is_packed_comes_back() -> None:
    value = {"text": "café", "numbers": [1, 0.5, None], "deep": [[["x"]]]}
    assert unpack(pack(value)) == value


def test_it_is_made_where_there_is_none_and_found_again(path: Path, archive: Archive) -> None:
    archive.save(new_run())
    archive.close()
    for _ in range(2):
        again = open_archive(path, write=True)
        assert [run.id for run in again.runs()] == [1]
        again.close()


def test_a_reader_needs_an_archive(path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"there is no archive at .*; `evolve run` makes one"):
        open_archive(path)
    path.parent.mkdir()
    path.touch()
    with pytest.raises(ArchiveError, match="is empty"):
        open_archive(path)


def test_a_reader_goes_on_while_a_writer_writes(path: Path, archive: Archive) -> None:
    reader = open_archive(path)
    archive.save(new_run())
    assert len(reader.runs()) == 1
    with pytest.raises(ArchiveError, match="readonly"):
        reader.save(new_run())
    reader.close()


def test_a_second_writer_is_refused(path: Path, archive: Archive) -> None:
    assert is_being_written(path)
    with pytest.raises(ArchiveError, match="another `evolve` is writing"):
        open_archive(path, write=True)
    archive.close()
    assert not is_being_written(path)
    open_archive(path, write=True).close()


def test_the_lock_of_a_killed_writer_is_free(path: Path) -> None:
    script = f"""
import pathlib, time
from archive.opening import open_archive
archive = open_archive(pathlib.Path({str(path)!r}), write=True)
print("open", flush=True)
time.sleep(60)
"""
    root = Path(__file__).parent.parent.parent
    with subprocess.Popen([sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(ArchiveError, match="another"):
            open_archive(path, write=True)
        writer.kill()
    open_archive(path, write=True).close()


@pytest.mark.parametrize("write", [False, True])
def test_other_files_are_refused_and_left_alone(tmp_path: Path, write: bool) -> None:
    text = tmp_path / "text.db"
    text.write_text("this is no database, but long enough to be taken for one\n" * 100)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE accounts (name TEXT)")
    connection.close()
    for file in (text, other, tmp_path):
        before = file.read_bytes() if file.is_file() else b""
        with pytest.raises(ArchiveError, match="is no archive of Palimpsest or cannot be opened"):
            open_archive(file, write=write)
        assert not file.is_file() or file.read_bytes() == before


def test_a_newer_schema_is_refused_by_number(path: Path, archive: Archive) -> None:
    archive.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = ?", (str(SCHEMA_VERSION + 1),))
    connection.close()
    for write in (False, True):
        with pytest.raises(ArchiveError, match=rf"newer Palimpsest \(schema {SCHEMA_VERSION + 1}; known here"):
            open_archive(path, write=write)


def test_a_full_disk_is_a_sentence_and_what_was_committed_stays(path: Path, archive: Archive) -> None:
    archive.save(new_run())
    with archive.transaction() as session:
        session.connection().exec_driver_sql("PRAGMA max_page_count = 30")
    recordings = [{"key": bytes([i] * 16), "trajectory": bytes(50_000)} for i in range(9)]
    with pytest.raises(ArchiveError, match=r"disk is full\. What was committed is intact"):
        archive.add_episodes([], recordings)
    assert [run.id for run in archive.runs()] == [1]
    assert archive.recordings([bytes(16)]) == {}


def test_runs_are_found_by_number_and_by_identity(archive: Archive) -> None:
    for identity in ("a", "b", "a"):
        archive.save(new_run(identity))
    assert archive.run(2).identity == "b"
    newest, of_a, of_b = archive.latest(), archive.latest("a"), archive.latest("b")
    assert (newest and newest.id, of_a and of_a.id, of_b and of_b.id) == (3, 3, 2)
    assert archive.latest("c") is None
    with pytest.raises(ArchiveError, match="has no run 9"):
        archive.run(9)


def test_a_design_enters_a_run_once(archive: Archive) -> None:
    archive.save(new_run())
    archive.save(new_run("other"))
    assert archive.add_design(new_design("d"), new_member("d", 1), [])
    assert not archive.add_design(new_design("d"), new_member("d", 2), ["d"])
    assert archive.add_design(new_design("d"), new_member("d", 7, run_id=2), [])
    assert [member.number for member in archive.members(1)] == [1]
    assert archive.runs_of("d") == [1, 2]
    assert archive.parents(1) == []
    assert len(archive.life(1, "d")) == 1


def test_a_design_and_the_request_that_it_answers_are_one_transaction(archive: Archive) -> None:
    archive.save(Request(run_id=1, number=0, kind="propose", payload="{}"))
    answered = Request(run_id=1, number=0, kind="propose", payload="{}", result='{"design": "d"}')
    assert archive.add_design(new_design("d"), new_member("d", 1), [], answered)
    other = Request(run_id=1, number=0, kind="propose", payload="{}", result='{"design": "again"}')
    assert not archive.add_design(new_design("d"), new_member("d", 1), [], other)
    assert [request.result for request in archive.requests(1)] == ['{"design": "d"}']


def test_designs_are_found_by_what_their_ids_begin_with(archive: Archive) -> None:
    for name in ("1-abc", "1-abd", "1_xyz"):
        archive.add_design(new_design(name), new_member(name, 1), [])
    assert archive.design("1-abc").id == "1-abc"
    assert archive.design("1_").id == "1_xyz"
    for prefix, problem in (("1-ab", "more than one design"), ("2", "no design"), ("%", "no design")):
        with pytest.raises(ArchiveError, match=f"has {problem} whose id begins with"):
            archive.design(prefix)


def test_a_state_is_the_newest_event(archive: Archive) -> None:
    for name in ("a", "b"):
        archive.add_design(new_design(name), new_member(name, 1), [])
    archive.add_event(1, "a", State.SMOKE)
    archive.add_event(1, "b", State.SMOKE)
    archive.add_event(1, "b", State.FAILED, "it raised")
    assert archive.states(1) == {"a": (State.SMOKE, ""), "b": (State.FAILED, "it raised")}
    assert [event.state for event in archive.life(1, "b")] == ["proposed", "smoke", "failed"]


def test_parents_keep_their_order(archive: Archive) -> None:
    for name in ("z", "a"):
        archive.add_design(new_design(name), new_member(name, 1), [])
    archive.add_design(new_design("child"), new_member("child", 3), ["z", "a"])
    assert archive.parents(1) == [("child", "z"), ("child", "a")]
    assert archive.parents_of(1, "child") == ["z", "a"]
    assert [archive.children_of(1, name) for name in ("z", "child")] == [["child"], []]
    assert archive.children_of(2, "z") == []


def test_the_best_are_candidates_with_a_score_by_their_latest_evaluation(archive: Archive) -> None:
    ends = {"low": State.EVALUATED, "high": State.BEST, "again": State.EVALUATED, "failed": State.FAILED}
    archive.add_design(new_design("baseline"), new_member("baseline", 0), [])
    archive.add_evaluation(new_evaluation("baseline", 0.9), [], {})
    for number, (name, state) in enumerate(ends.items(), 1):
        archive.add_design(new_design(name), new_member(name, number), [])
        score = {"low": 0.1, "high": 0.5}.get(name, 0.8)
        archive.add_evaluation(new_evaluation(name, score), [], {}, event_row(1, name, state))
    archive.add_evaluation(new_evaluation("again", 0.3), [], {})
    found = [(row.design_id, row.score) for row in archive.best(1, "deployment")]
    assert found == [("high", 0.5), ("again", 0.3), ("low", 0.1)]
    assert [row.design_id for row in archive.best(1, "deployment", 1)] == ["high"]
    assert archive.results(1, "deployment")["again"].score == 0.3
    assert archive.count_states(1) == {State.EVALUATED: 2, State.BEST: 1, State.FAILED: 1}
    assert [member.design_id for member in archive.baselines(1)] == ["baseline"]


def test_requests_come_back_in_their_order(archive: Archive) -> None:
    for number in (0, 1, 2):
        archive.add_request(Request(run_id=1, number=number, kind="propose", payload=f"[{number}]", told=number))
    assert archive.count_requests(1) == 3
    assert [(asked.number, asked.payload, asked.told) for asked in archive.asked(1)][-1] == (2, "[2]", 2)
    assert [asked.result for asked in archive.asked(1)] == [None] * 3


def test_known_episodes_are_left_as_they_are(archive: Archive) -> None:
    def episode(key: bytes, score: float) -> dict[str, object]:
        return {"key": key, "task_id": "t", "seed": 0, "score": score, "success": False, "steps": 1}

    archive.add_episodes([episode(b"a", 0.5)], [{"key": b"a", "trajectory": pack([1])}])
    archive.add_episodes([episode(b"a", 0.9), episode(b"b", 0.1)], [{"key": b"a", "trajectory": pack([2])}])
    assert archive.scores([b"a", b"b", b"c"]) == {b"a": 0.5, b"b": 0.1}
    assert archive.scores(str(number).encode() for number in range(2000)) == {}
    assert archive.recordings([b"a", b"b"]) == {b"a": [1]}


def test_an_evaluation_is_committed_whole(archive: Archive) -> None:
    archive.add_design(new_design("d"), new_member("d", 1), [])
    outcomes = [
        {"task_id": task, "repeat": 0, "score": 0.5, "episode": None, "told": b"t", "tokens": 3} for task in ("x", "y")
    ]
    event = event_row(1, "d", State.EVALUATED, "0.500 on 2 tasks")
    archive.add_evaluation(new_evaluation("d", 0.5), outcomes, {b"t": pack([["i", "take it"]])}, event)
    archive.add_evaluation(new_evaluation("d", 0.7, "test"), [], {b"t": pack([["i", "other"]])})
    row = archive.evaluation(1, "d", "deployment")
    assert row is not None
    assert row.id is not None
    assert [(outcome.task_id, outcome.score) for outcome in archive.outcomes(row.id)] == [("x", 0.5), ("y", 0.5)]
    assert archive.told(b"t") == [["i", "take it"]]
    assert archive.states(1)["d"] == (State.EVALUATED, "0.500 on 2 tasks")
    assert [each.score for each in archive.evaluations(1, "test")] == [0.7]
    assert archive.evaluation(1, "d", "confirmation") is None


def test_looks_are_counted_by_run(archive: Archive) -> None:
    for run in (1, 1, 2):
        archive.save(Look(run_id=run, design_id="d", result="{}", created=0.0))
    assert (archive.looks(1), archive.looks(2), archive.looks(3)) == (2, 1, 0)
