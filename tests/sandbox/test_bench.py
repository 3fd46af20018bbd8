"""The benchmark of the sandbox runs, and ends with a line of JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_ends_with_json_and_finds_nothing_left_behind() -> None:
    options = ["--backends", "process", "--samples", "1", "--episodes", "2", "--designs", "2"]
    command = [sys.executable, "scripts/bench_sandbox.py", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])["process"]
    assert (figures["left"], figures["left_after_kill"]) == (0, 0), done.stdout
    assert 90 < figures["built_mb"] < 130
