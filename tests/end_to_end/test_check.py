"""`evolve check` through the console script."""

from __future__ import annotations

import pytest

from sandbox.backends import BACKENDS, make
from tests.end_to_end.conftest import Shell
from tests.end_to_end.test_commands import HEAD, NEAREST, design, documented, keys

UNSAFE = ("--sandbox", "process", "--allow-unsafe", "--episodes", "100")


def test_a_design_that_conforms_is_exit_code_0(shell: Shell) -> None:
    done = shell.evolve("check", str(NEAREST), *UNSAFE, "--json")
    assert done.code == 0, done.out + done.err
    result = done.json
    assert set(keys(result)) <= documented("check")
    assert (result["passed"], result["sandbox"]) == (True, "process")
    assert all(check["passed"] for check in result["checks"])
    for_people = shell.here("check", str(NEAREST), *UNSAFE)
    assert (for_people.code, for_people.err) == (0, "")
    assert for_people.out.count("✓") == len(result["checks"])
    assert f"All {len(result['checks'])} checks passed" in for_people.out.splitlines()[-1]


def test_a_design_that_does_not_conform_is_exit_code_1_and_told_what_to_change(shell: Shell) -> None:
    shell.write("mine.py", HEAD + design(update="trajectory.steps[7]"))
    done = shell.here("check", "mine.py", *UNSAFE)
    lines = done.out.splitlines()
    assert (done.code, done.err) == (1, "")
    assert sum(line.startswith("✗") for line in lines) > 2
    assert "IndexError in update: tuple index out of range (line 5: trajectory.steps[7])" in done.out
    assert done.out.count("the same as: tells something relevant") == 8
    assert "does not stand" not in done.out
    assert " checks failed: tells something relevant, " in lines[-1]
    shell.write("mine.py", HEAD + "raise SystemExit(5)\n" + design())
    done = shell.here("check", "mine.py", *UNSAFE)
    assert (done.code, done.out.count("✗")) == (1, 1)
    assert "It does not load, so nothing else was checked." in done.out


def test_foreign_text_reaches_the_terminal_made_safe(shell: Shell) -> None:
    shell.write("mine.py", HEAD + design(told=r"['\x1b[31mred\x07[bold]']"))
    for form in ((), ("--json",)):
        done = shell.here("check", "mine.py", *UNSAFE, *form)
        assert done.code == 1
        assert "[31mred[bold]" in done.out.replace("\\\\", "\\").replace("\\x1b", "").replace("\\x07", "")
        assert "\x1b" not in done.out


@pytest.mark.parametrize(
    ("file", "reason"), [("missing.py", "it cannot be read"), ("two.py", "it must define exactly one")]
)
def test_what_is_no_design_is_exit_code_2(shell: Shell, file: str, reason: str) -> None:
    shell.write("two.py", HEAD + design("One") + design("Two"))
    done = shell.here("check", file)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"evolve: {file} is no design: {reason}")
    as_json = shell.here("check", file, "--json")
    assert (as_json.code, as_json.json["design"], as_json.json["passed"]) == (2, None, False)
    assert set(as_json.json) == {"design", "sandbox", "passed", "checks", "seconds"}


def test_a_file_does_not_run_without_a_wall(shell: Shell) -> None:
    shell.write("mine.py", HEAD + design(update="open('escaped', 'w')"))
    done = shell.here("check", "mine.py", "--sandbox", "process")
    assert (done.code, done.out) == (2, "")
    assert "untrusted code" in done.err
    assert "--allow-unsafe" in done.err


def test_a_runtime_that_the_sandbox_lacks_is_exit_code_2(shell: Shell) -> None:
    done = shell.here("check", str(NEAREST), *UNSAFE, "--runtime", "runsc")
    assert (done.code, done.out) == (2, "")
    assert "the sandbox process has no runtimes" in done.err


def test_a_file_runs_behind_a_wall(shell: Shell) -> None:
    walls = [name for name in BACKENDS if name != "process" and make(name).available() is None]
    if not walls:
        pytest.skip("neither docker nor bubblewrap runs here")
    done = shell.here("check", str(NEAREST), "--sandbox", walls[-1], "--episodes", "100", "--json")
    assert (done.code, done.json["sandbox"]) == (0, walls[-1]), done.out + done.err
