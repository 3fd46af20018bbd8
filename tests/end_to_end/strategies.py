"""Reproducible runs of strategies, and all that such a run decided by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.end_to_end.conftest import QUICK, Shell
from tests.end_to_end.test_crashes import rows
from tests.end_to_end.test_reproducible import result

FLAGS: Mapping[str, Sequence[str]] = {
    "alma": ("--strategy", "alma"),
    "empirical-mcts": ("--strategy", "empirical-mcts"),
    "memevolve": ("--strategy", "memevolve", "--survivors", "2"),
    "sequential": ("--strategy", "sequential"),
}
"""How each strategy is called here."""
COMMON = ("--finalists", "0", "--reproducible")

TABLES = (
    "SELECT number, payload, result FROM request ORDER BY number",
    "SELECT * FROM front ORDER BY entered",
    "SELECT design_id, profile FROM diagnosis ORDER BY design_id",
    "SELECT design_id, rival_id, told, decided_by, total, rival_total, difference, low, high, n, details"
    " FROM comparison ORDER BY told",
)


def kept(shell: Shell) -> list[Any]:
    """All that a run decided by, and came to."""
    path = shell.folder / "palimpsest.db"
    return [result(path), *(rows(path, table) for table in TABLES)]


def command(strategy: str) -> tuple[str, ...]:
    """A run of a strategy in this process; the number of designs is still to be said."""
    return ("run", *QUICK, *FLAGS[strategy], *COMMON)


def run_ten(strategy: str, folder: Path) -> Shell:
    """A run of ten designs in a folder."""
    shell = Shell(folder)
    ended = shell.here(*command(strategy), "--designs", "10")
    assert ended.code == 0, ended.err
    return shell
