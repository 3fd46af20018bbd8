"""`evolve minimise` through the console script: what goes, what stays, and that nothing is paid twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from archive.opening import open_archive
from tests.end_to_end.conftest import SMALL, Shell
from tests.end_to_end.test_commands import documented, keys
from tests.end_to_end.test_crashes import Sitting, content, rows

HERE = ("--sandbox", "process", "--workers", "0")
PADDED = '''\
import json
from collections import Counter

from sandbox.guest import Memory, MemoryDesign

NEVER = {"read": 1}


class Padded(MemoryDesign):
    """Tells what earned most, and carries much that does nothing."""

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.earned = {}
        self.unused = Counter()

    def update(self, trajectory):
        for step in trajectory.steps:
            self.unused[step.action] += 1
            if step.reward > 0:
                self.earned[step.action] = self.earned.get(step.action, 0) + step.reward
        self._report()

    def _report(self):
        if len(self.unused) > 10**9:
            print(json.dumps(NEVER))

    def retrieve(self, query):
        best = sorted(self.earned, key=lambda action: -self.earned[action])
        return Memory(best[:20])
'''


@pytest.fixture
def padded(shell: Shell) -> tuple[Shell, str]:
    """A folder with an archive that holds a design with dead code."""
    file = shell.write("padded.py", PADDED)
    done = shell.here("eval", file, *SMALL, *HERE, "--allow-unsafe", "--json")
    assert done.code == 0, done.err
    return shell, done.json["design"]


def test_what_does_nothing_goes_and_what_counts_stays(padded: tuple[Shell, str]) -> None:
    shell, design = padded
    minimise = ("minimise", design[:10], *HERE, "--allow-unsafe")
    done = shell.here(*minimise, "--to", "small.py", "--json")
    assert done.code == 0, done.err
    found = done.json
    assert set(keys(found)) <= documented("minimise") | {"mean", "interval", "n"}
    source = (shell.folder / "small.py").read_text()
    assert source == found["source"]
    assert not [word for word in ("NEVER", "json", "Counter", "_report", "unused") if word in source]
    assert "self.earned" in source
    assert (found["is_minimal"], found["is_confirmed"]) == (True, True)
    assert found["difference"]["mean"] >= 0
    assert found["lines"] < found["lines_before"]
    worst = found["parts"][0]
    assert worst["difference"]["mean"] < 0
    assert {part["part"] for part in found["parts"] if part["failure"]} >= {"class Padded", "def update"}
    shown = shell.here("show", found["design"], "--json").json
    assert (shown["origin"], [parent["design"] for parent in shown["parents"]]) == ("untrusted", [design])
    assert shown["change"].startswith("without: ")
    before = content(shell.folder / "palimpsest.db")
    assert shell.here(*minimise, "--json").json == found
    assert content(shell.folder / "palimpsest.db") == before, "nothing is evaluated twice"
    done = shell.here(*minimise, "--to", "small.py")
    assert (done.code, "small.py is there already" in done.err) == (2, True)


def test_a_killed_minimisation_goes_on(finished: Shell, tmp_path: Path) -> None:
    for name in ("killed", "whole"):
        (tmp_path / name).mkdir()
        shutil.copy(finished.folder / "palimpsest.db", tmp_path / name)
    best = finished.here("top", "--json").json["top"][0]["design"]
    minimise = ("minimise", best, *HERE, "--trials", "8", "--json")
    whole = Shell(tmp_path / "whole").here(*minimise)
    assert Sitting(tmp_path / "killed", *minimise).kill_after(40, 0.0)
    killed = Shell(tmp_path / "killed").here(*minimise)
    assert (killed.code, killed.err) == (whole.code, killed.err)
    assert killed.json == whole.json
    twice = "SELECT design_id, role FROM evaluation GROUP BY run_id, design_id, role HAVING COUNT(*) > 1"
    assert rows(tmp_path / "killed" / "palimpsest.db", twice) == []
    archive = open_archive(tmp_path / "killed" / "palimpsest.db")
    try:
        assert archive.design(killed.json["design"]).origin == "composed"
    finally:
        archive.close()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("9-",), "no design whose id begins with"),
        (("1-",), "more than one design"),
        (("BEST", "--margin", "2"), "less than or equal to 1"),
        (("BEST", "--to", "nowhere/a.py"), "there is no folder nowhere"),
        (("BEST", "--run", "7"), "run 7 has no design"),
        (("BEST", "--archive", "none.db"), "there is no archive at none.db"),
    ],
)
def test_bad_input_is_exit_code_2(arguments: tuple[str, ...], reason: str, finished: Shell) -> None:
    best = finished.here("top", "--json").json["top"][0]["design"]
    done = finished.here("minimise", *(best if each == "BEST" else each for each in arguments))
    assert (done.code, done.out) == (2, "")
    assert reason in done.err
