"""A real archive of two small runs, and a client of the dashboard over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from archive.dashboard.app import Dashboard
from archive.dashboard.pages import Statistics
from archive.dashboard.security import Access
from evolve.derivations import Derived
from evolve.evaluation import scores_of
from evolve.statistics import mean, paired
from tests.end_to_end.conftest import QUICK, Shell

STATISTICS = Statistics(scores_of, mean, paired, Derived)
HERE = "http://127.0.0.1"


def serving(path: Path, access: Access = Access()) -> TestClient:  # noqa: B008  it is frozen
    """A client of the dashboard over an archive, as this machine's browser would be."""
    return TestClient(Dashboard(path, STATISTICS, access).guarded, base_url=HERE, raise_server_exceptions=False)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with run 1 of alma and run 2 of empirical-mcts, both with insights; tests only read it."""
    shell = Shell(tmp_path_factory.mktemp("recorded"))
    for strategy in ("alma", "empirical-mcts"):
        done = shell.here("run", *QUICK, "--designs", "8", "--strategy", strategy, "--insights")
        assert done.code == 0, done.err
    return shell.folder / "palimpsest.db"


@pytest.fixture(scope="session")
def client(recorded: Path) -> Iterator[TestClient]:
    """A client of the dashboard over that archive."""
    with serving(recorded) as made:
        yield made
