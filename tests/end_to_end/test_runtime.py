"""`--runtime`: one of the engine's container runtimes, kept with the run; anything else is a sentence."""

from __future__ import annotations

import sqlite3

import pytest

from sandbox.docker import Docker
from tests.end_to_end.conftest import SMALL, Shell


def test_a_runtime_is_a_matter_of_docker(shell: Shell) -> None:
    done = shell.here("run", *SMALL, "--sandbox", "process", "--runtime", "runc")
    assert (done.code, done.err.splitlines()) == (
        2,
        ["evolve: the sandbox process has no runtimes, docker has; leave --runtime runc out"],
    )


def test_a_runtime_is_taken_by_name_and_kept_with_the_run(shell: Shell) -> None:
    reason = Docker().available()
    if reason is not None:
        pytest.skip(f"docker: {reason}")
    refused = shell.here("run", *SMALL, "--runtime", "nope")
    assert refused.code == 2
    assert "the engine has no runtime 'nope', it has " in refused.err
    assert "runc" in refused.err
    done = shell.here("run", *SMALL, "--workers", "0", "--designs", "1", "--runtime", "runc")
    assert done.code == 0, done.err
    assert "sandbox: docker, runtime runc (" in done.err
    connection = sqlite3.connect(shell.folder / "palimpsest.db")
    kept = connection.execute("SELECT sandbox, config FROM run").fetchone()
    connection.close()
    assert kept[0].startswith("docker, runtime runc (")
    assert '"runtime":"runc"' in kept[1]
