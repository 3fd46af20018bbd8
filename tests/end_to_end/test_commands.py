"""Every command but `run`, and every way to call one wrongly, through the console script."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import evolve.commands
from sandbox.backends import BACKENDS, make
from tests.end_to_end.conftest import QUICK, SMALL, Shell

NEAREST = Path(__file__).parent.parent.parent / "archive" / "seeds" / "nearest_trajectory.py"
HEAD = "from sandbox.guest import MemoryDesign\n\n"
DESIGN = """class {name}(MemoryDesign):
    def update(self, trajectory):
        {update}

    def retrieve(self, query):
        return {told}

"""


def design(name: str = "Mine", update: str = "pass", told: str = "[]") -> str:
    return DESIGN.format(name=name, update=update, told=told)


def keys(value: Any) -> Iterator[str]:
    """All field names of a JSON value, but those of `config` and `roles`, which are other tables."""
    for item in value if isinstance(value, list) else []:
        yield from keys(item)
    for name, item in value.items() if isinstance(value, dict) else []:
        yield name
        if name not in ("config", "roles"):
            yield from keys(item)


def documented(command: str) -> set[str]:
    """Field names in the table of the package's docstring, for a command."""
    text = evolve.commands.__doc__ or ""
    entries = re.findall(r"^(\S.*?)  +(.*(?:\n  +.*)*)", text, re.MULTILINE)
    fields = next(fields for names, fields in entries if command in names.split(", "))
    return {"mean", "interval", "n"} | set(re.findall(r"`(\w+)`", fields))


@pytest.mark.parametrize(
    "arguments",
    [("runs",), ("top",), ("costs",), ("show", "BEST"), ("diff", "BEST", "WORST"), ("domains",), ("doctor",)],
    ids=lambda arguments: str(arguments[0]),
)
def test_reading_commands_speak_to_people_and_to_programs(finished: Shell, arguments: tuple[str, ...]) -> None:
    ranked = finished.here("top", "--json").json["top"]
    ids = {"BEST": ranked[0]["design"][:12], "WORST": ranked[-1]["design"][:12]}
    command = [ids.get(argument, argument) for argument in arguments]
    for_people, for_programs = finished.evolve(*command), finished.here(*command, "--json")
    assert (for_people.code, for_programs.code) == (0, 0), for_people.err + for_programs.err
    assert for_people.out.strip()
    assert for_people.err == for_programs.err == ""
    assert set(keys(for_programs.json)) <= documented(arguments[0])


def test_the_table_is_in_order_and_has_its_baselines(finished: Shell) -> None:
    result = finished.here("top", "--json", "--count", "3").json
    assert [row["rank"] for row in result["top"]] == [1, 2, 3][: len(result["top"])]
    scores = [row["score"] for row in result["top"]]
    assert scores == sorted(scores, reverse=True)
    for row in result["top"]:
        assert row["gain"]["mean"] == pytest.approx(row["score"] - result["no_memory"]["mean"])
        assert row["interval"][0] <= row["score"] <= row["interval"][1]
        assert row["n"] == 8


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_the_terminal(finished: Shell, columns: int) -> None:
    for command in ("top", "runs", "domains"):
        out = finished.here(command, environment={"COLUMNS": str(columns)}).out
        assert max(map(len, out.splitlines())) <= columns, out


def test_a_design_is_shown_with_where_it_came_from(finished: Shell) -> None:
    members = finished.here("top", "--json", "--count", "9").json["top"]
    child = next(row for row in members if row["number"] > 1)
    shown = finished.here("show", child["design"][:12], "--json").json
    assert (shown["design"], shown["state"], shown["run"]) == (child["design"], shown["life"][-1]["state"], 1)
    assert shown["lineage"][-1]["design"] == child["design"]
    assert shown["lineage"][0]["change"] == "composed from building blocks"
    assert shown["parents"][0]["design"] == shown["lineage"][-2]["design"]
    parent = finished.here("show", shown["parents"][0]["design"], "--json").json
    assert child["design"] in [row["design"] for row in parent["children"]]
    assert [event["state"] for event in shown["life"]][:4] == ["proposed", "smoke", "full", "evaluated"]
    assert len(shown["tasks"]) == 8
    assert None not in shown["tasks"][0].values()
    mean = sum(task["score"] for task in shown["tasks"]) / 8
    assert mean == pytest.approx(shown["score"])
    assert shown["example"]["task"] in [task["task"] for task in shown["tasks"]]
    assert "class Design(LayeredDesign)" in shown["source"]


BAD = {
    "domain": ("run --domain nowhere", "unknown domain 'nowhere'; known are recall, "),
    "strategy": ("run --strategy luck", "no strategy 'luck'; choose one of alma, "),
    "agent": ("run --agent nobody", "no agent 'nobody'; choose lexical"),
    "proposer": ("run --proposer nobody", "no proposer 'nobody'; choose one of genetic"),
    "sandbox": ("run --sandbox beach", "no sandbox backend 'beach'; choose one of docker, "),
    "budget": ("run --designs 0", "designs: input should be greater than or equal to 1"),
    "number": ("run --designs many", "Invalid value for '--designs'"),
    "tasks": ("run --domain recall --deployment 99 --workers 0 --sandbox process", "has 60 deployment tasks; 99 were"),
    "option": ("run --speed 9", "No such option: --speed"),
    "command": ("fly", "No such command 'fly'"),
    "argument": ("test", "Missing argument 'RUN'"),
    "TOML": ("run --config bad.toml", "bad.toml cannot be read as TOML"),
    "field": ("run --config field.toml", "colour: there is no such field"),
    "no file": ("eval missing.py --domain recall", "missing.py is no design: it cannot be read"),
    "no design": ("eval none.py --domain recall", "none.py is no design: it must define exactly one"),
    "two designs": ("eval two.py --domain recall", "two.py is no design: it must define exactly one"),
    "syntax": ("eval syntax.py --domain recall", "syntax.py is no design: "),
    "no archive": ("top --archive missing.db", "there is no archive at missing.db; `evolve run` makes one"),
    "text": ("top --archive none.py", "none.py is no archive of Palimpsest"),
    "text to write": ("run --domain recall --archive none.py", "none.py is no archive of Palimpsest"),
    "newer": ("top --archive newer.db", "newer.db was written by a newer Palimpsest (schema 99; known here: "),
    "newer to write": ("run --domain recall --archive newer.db", "newer.db was written by a newer Palimpsest"),
    "folder": ("run --domain recall --archive /proc/x/y.db --workers 0", "/proc/x/y.db cannot be written"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_exit_code_2(shell: Shell, name: str) -> None:
    shell.write("bad.toml", "designs = [")
    shell.write("field.toml", "colour = 1")
    shell.write("none.py", "x = 1\n" * 200)
    shell.write("two.py", HEAD + design("One") + design("Two"))
    shell.write("syntax.py", HEAD + "class Mine(MemoryDesign:\n")
    with sqlite3.connect(shell.folder / "newer.db") as connection:
        connection.execute("CREATE TABLE meta (key TEXT, value TEXT)")
        connection.execute("INSERT INTO meta VALUES ('schema_version', '99')")
    connection.close()
    command, sentence = BAD[name]
    done = shell.here(*command.split())
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith("evolve: ")
    assert sentence in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


@pytest.mark.parametrize("arguments", [("top", "--run", "7"), ("show", "zz"), ("diff", "zz", "zz"), ("test", "7")])
def test_what_is_not_in_the_archive_is_named(finished: Shell, arguments: tuple[str, ...]) -> None:
    done = finished.here(*arguments)
    assert (done.code, done.out) == (2, "")
    assert re.search(r"has no (run 7|design whose id begins with 'zz'); `evolve (runs|top)` lists", done.err)


def test_an_engine_that_does_not_answer_is_named(shell: Shell) -> None:
    nowhere = {"DOCKER_HOST": f"unix://{shell.folder}/none.sock"}
    done = shell.here("run", *SMALL, "--sandbox", "docker", environment=nowhere)
    assert (done.code, done.out) == (2, "")
    assert "no sandbox can run here: docker: " in done.err


def test_a_design_file_is_evaluated_beside_the_baselines(shell: Shell) -> None:
    shell.write("mine.py", NEAREST.read_text("utf-8").replace("nearest successful", "my own"))
    done = shell.evolve("eval", "mine.py", *QUICK, "--allow-unsafe", "--json")
    assert done.code == 0, done.err
    result = done.json
    assert set(keys(result)) <= documented("eval")
    assert (result["status"], result["reason"], result["sandbox"], result["domain"]) == ("ok", "", "process", "recall")
    assert result["score"] == result["nearest_trajectory"]["mean"]
    assert result["gain"]["mean"] == pytest.approx(result["score"] - result["no_memory"]["mean"])
    assert "filesystem" in result["not_isolated"]
    again = shell.here("eval", "mine.py", *QUICK, "--allow-unsafe", "--json").json
    assert again == result


def test_a_design_that_fails_is_exit_code_1_with_its_reason(shell: Shell) -> None:
    shell.write("mine.py", HEAD + design(update="self.total += trajectory.score"))
    done = shell.evolve("eval", "mine.py", *QUICK, "--allow-unsafe", "--json")
    assert (done.code, done.json["status"], done.json["score"]) == (1, "failed", None)
    assert "AttributeError in update" in done.json["reason"]
    assert "self.total += trajectory.score" in done.json["reason"]
    for_people = shell.here("eval", "mine.py", *QUICK, "--allow-unsafe")
    assert for_people.code == 1
    assert "AttributeError in update" in for_people.out
    shown = shell.here("show", done.json["design"])
    assert "Why it failed" in shown.out
    assert "self.total += trajectory.score" in shown.out


def test_rejected_files_are_json_too(shell: Shell) -> None:
    shell.write("two.py", HEAD + design("One") + design("Two"))
    for file in ("two.py", "missing.py"):
        done = shell.here("eval", file, "--domain", "recall", "--json")
        assert (done.code, done.json["status"], done.json["design"]) == (2, "rejected", None)
        assert done.json["reason"]
        assert set(done.json) == {*done.json} & documented("eval")


def test_untrusted_code_does_not_run_without_a_wall(shell: Shell) -> None:
    shell.write("mine.py", HEAD + design(update="open('/tmp/escaped', 'w')"))
    done = shell.here("eval", "mine.py", *QUICK)
    assert (done.code, done.out) == (2, "")
    assert "this design is untrusted code" in done.err
    assert "--allow-unsafe" in done.err


def test_untrusted_code_runs_behind_a_wall(shell: Shell) -> None:
    walls = [name for name in BACKENDS if name != "process" and make(name).available() is None]
    if not walls:
        pytest.skip("neither docker nor bubblewrap runs here")
    shell.write("mine.py", HEAD + design(told="['call the drum amber']"))
    done = shell.evolve("eval", "mine.py", *SMALL, "--workers", "0", "--sandbox", walls[-1], "--json")
    assert (done.code, done.json["status"], done.json["sandbox"]) == (0, "ok", walls[-1]), done.err
    assert done.json["tokens"] > 0
    refused = shell.here("test", "1", "--tasks", "4", "--workers", "0", "--sandbox", "process")
    assert refused.code == 2
    assert "this design is untrusted code" in refused.err


def test_looks_at_the_test_tasks_are_counted(shell: Shell) -> None:
    assert shell.evolve("run", *QUICK, "--designs", "2").code == 0
    looked = ("test", "1", "--tasks", "6", "--repeats", "1", "--sandbox", "process", "--workers", "0")
    first = shell.evolve(*looked, "--json")
    assert first.code == 0, first.err
    result = first.json
    assert set(keys(result)) <= documented("test")
    assert (result["look"], result["n"], result["run"]) == (1, 6, 1)
    assert result["gain"]["mean"] == pytest.approx(result["score"] - result["no_memory"]["mean"])
    assert result["gain"]["interval"][0] <= result["gain"]["mean"] <= result["gain"]["interval"][1]
    again = shell.here(*looked, "--json").json
    assert again == {**result, "look": 2}
    more = shell.here(*looked, "--tasks", "9")
    assert "on 9 tasks" in more.out
    assert "look               3 " in more.out
    run = shell.here("runs", "--json").json[0]
    assert (run["looks"], run["status"], run["evaluated"]) == (3, "done", 2)


def test_help_names_every_command(shell: Shell) -> None:
    done = shell.evolve("--help")
    assert done.code == 0
    for name in ("run", "runs", "top", "show", "diff", "eval", "check", "test", "domains", "doctor"):
        assert f"\n  {name} " in done.out
    assert shell.evolve().out == done.out


def test_a_reader_that_leaves_is_no_error(finished: Shell) -> None:
    done = finished.evolve(prefix=["sh", "-c", '"$1" domains --json | head -1; "$1" top | head -1', "sh"])
    assert done.code == 0
    assert "Traceback" not in done.err
    assert "Broken" not in done.err
