"""`evolve doctor ARCHIVE`: what can be mended is mended after a copy was made, and the run ends as it would have."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from archive.consistency import RULES
from archive.opening import open_archive
from tests.end_to_end.conftest import QUICK, Shell
from tests.end_to_end.test_crashes import Content, content

RUN = ("run", *QUICK, "--reproducible", "--designs", "6", "--finalists", "2", "--confirmation", "8", "--json")

OF = "(SELECT design_id FROM member WHERE number = {})"
MENDED = {
    "requests": "UPDATE request SET result = 'x' WHERE number = 2",
    "code": f"UPDATE design SET source = CAST(x'23FF00FE' AS TEXT) WHERE id = {OF.format(4)}",
    "designs": f"DELETE FROM design WHERE id = {OF.format(3)}; DELETE FROM member WHERE number = 4",
    "recordings": "UPDATE recording SET trajectory = x'00' WHERE key = (SELECT MIN(key) FROM recording)",
    "told memories": "UPDATE told SET items = x'00' WHERE key = (SELECT MIN(key) FROM told)",
    "calls of models": "INSERT INTO exchange VALUES (1, x'00', x'00')",
    "thoughts of models": "INSERT INTO manifest VALUES (1, 0, '', x'00', '', 0, 0, 0, 0, 0, 0)",
    "diagnoses": "INSERT INTO diagnosis VALUES (1, 'x', x'00', '', 0)",
    "tactics": "INSERT INTO tactics VALUES (1, 5, x'00', '', 0)",
    "comparisons": "INSERT INTO comparison VALUES (1, 'x', '', 1, '', 0, 0, 0, 0, 0, 0, x'00', '', 0, 0, 0, 0)",
    "insights": "INSERT INTO operation VALUES (1, 'add', '', NULL, 0, 'measured', '', x'00', 0)",
    "outcomes": "INSERT INTO outcome VALUES (999, 'a', 0, .5, NULL, x'00', 1)",
    "evaluations": "DELETE FROM episode WHERE hex(key) < '55';"
    " DELETE FROM outcome WHERE evaluation_id % 5 = 0 AND task_id = (SELECT MIN(task_id) FROM outcome)",
    "states": f"DELETE FROM evaluation WHERE role = 'deployment' AND design_id = {OF.format(2)}",
    "finals": f"DELETE FROM evaluation WHERE role = 'confirmation' AND design_id = {OF.format(0)}",
    "runs": "UPDATE run SET status = 'running'",
}
"""What breaks a rule that can be mended."""
LEFT = {
    "order of requests": "DELETE FROM request WHERE number = 1",
    "parents": 'UPDATE request SET result = NULL, payload = \'{"parents": ["1-gone"]}\' WHERE number = 5;'
    " DELETE FROM member WHERE number = 6",
    "configurations": "UPDATE run SET config = '{'",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Content]:
    """A finished reproducible run, and what it came to."""
    shell = Shell(tmp_path_factory.mktemp("whole"))
    assert shell.here(*RUN).json["status"] == "done"
    return shell.folder, content(shell.folder / "palimpsest.db")


def broken(whole: Path, folder: Path, statements: str) -> Shell:
    shell = Shell(shutil.copytree(whole, folder / "broken"))
    with closing(sqlite3.connect(shell.folder / "palimpsest.db")) as connection:
        connection.executescript(statements)
    return shell


def finding(found: Any, name: str) -> dict[str, Any]:
    return next(each for each in found.json["findings"] if each["name"] == name)


def test_every_rule_is_broken_by_one_of_these() -> None:
    assert {rule.name for rule in RULES} == {*MENDED, *LEFT}
    assert {rule.name for rule in RULES if rule.mend} == {*MENDED}


def test_a_whole_archive_is_left_as_it_is(whole: tuple[Path, Content], tmp_path: Path) -> None:
    shell = broken(whole[0], tmp_path, "")
    before = (shell.folder / "palimpsest.db").read_bytes()
    found = shell.here("doctor", "palimpsest.db", "--json")
    assert (found.code, found.json["usable"], found.json["copy"]) == (0, True, None)
    assert all(each["ok"] and not each["mended"] for each in found.json["findings"])
    assert (shell.folder / "palimpsest.db").read_bytes() == before
    assert "This archive can be used." in shell.here("doctor", "palimpsest.db").out


@pytest.mark.parametrize("rule", MENDED)
def test_what_is_broken_is_mended_once(whole: tuple[Path, Content], tmp_path: Path, rule: str) -> None:
    shell = broken(whole[0], tmp_path, MENDED[rule])
    before = (shell.folder / "palimpsest.db").read_bytes()
    found = shell.here("doctor", "palimpsest.db", "--json")
    assert (found.code, finding(found, rule)["ok"]) == (0, True), found.out
    assert finding(found, rule)["mended"]
    assert (shell.folder / found.json["copy"]).read_bytes() == before
    again = shell.here("doctor", "palimpsest.db", "--json").json
    assert (again["usable"], again["copy"]) == (True, None), again
    assert shell.here("top", "--json").code == 0


@pytest.mark.parametrize("rules", [(name,) for name in ("designs", "evaluations")] + [tuple(MENDED)], ids=len)
def test_a_mended_run_goes_on_to_what_it_was(
    whole: tuple[Path, Content], tmp_path: Path, rules: tuple[str, ...]
) -> None:
    shell = broken(whole[0], tmp_path, ";".join(MENDED[name] for name in rules))
    assert shell.here("doctor", "palimpsest.db").code == 0
    done = shell.here(*RUN)
    assert (done.code, done.json["status"]) == (0, "done"), done.err
    found, wanted = content(shell.folder / "palimpsest.db"), dict(whole[1])
    assert set(found.pop("episode")) <= set(wanted.pop("episode")), "what only chose the constant is not needed again"
    assert found == wanted


@pytest.mark.parametrize("rule", LEFT)
def test_what_cannot_be_mended_is_named_with_what_to_do(whole: tuple[Path, Content], tmp_path: Path, rule: str) -> None:
    shell = broken(whole[0], tmp_path, LEFT[rule])
    found = shell.here("doctor", "palimpsest.db", "--json")
    assert (found.code, found.json["usable"], finding(found, rule)["ok"]) == (1, False, False)
    assert "--fresh" in finding(found, rule)["remedy"]
    assert "This archive is damaged." in shell.here("doctor", "palimpsest.db").out


def test_an_archive_that_is_being_written_is_only_looked_at(whole: tuple[Path, Content], tmp_path: Path) -> None:
    shell = broken(whole[0], tmp_path, MENDED["runs"])
    with closing(open_archive(shell.folder / "palimpsest.db", write=True)):
        found = shell.here("doctor", "palimpsest.db", "--json")
    assert "another `evolve` is writing" in finding(found, "lock")["detail"]
    assert (found.json["copy"], finding(found, "runs")["mended"]) == (None, "")


@pytest.mark.parametrize(("name", "says"), [("none.db", "there is no archive at none.db"), ("note.txt", "pages")])
def test_what_is_no_archive(shell: Shell, name: str, says: str) -> None:
    shell.write("note.txt", "hello" * 1000)
    done = shell.here("doctor", name)
    assert done.code in (1, 2)
    assert says in done.out + done.err
    assert (shell.folder / "note.txt").read_text() == "hello" * 1000
