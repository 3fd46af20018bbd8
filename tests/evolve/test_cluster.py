"""Runs on a cluster: nodes that lack something, that differ, that die; the result is that of one process."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from domains.base import Role
from domains.textworld import TextWorld
from evolve.errors import InputError
from evolve.jobs import EpisodeOrder, Job, Played, PlayJob, Result
from evolve.nodes import ATTEMPTS, PACKAGES, Node, Survey, facts, roomiest, share_of
from sandbox.bubblewrap import Bubblewrap
from tests import THOROUGH
from tests.clusters import Nodes, cluster, until

SCRIPT = Path(sys.executable).parent / "evolve"
SMALL = (
    "--domain",
    "recall",
    "--collection",
    "8",
    "--collection-repeats",
    "1",
    "--deployment",
    "8",
    "--finalists",
    "0",
)
RUN = ("run", *SMALL, "--designs", "12", "--reproducible", "--sandbox", "bubblewrap")
PATIENCE = 180
"""Seconds; a tenth of it on a machine that has nothing else to do."""
CANNOT_BUILD = "can start no guest, so it plays episodes and builds no design: bwrap is not installed"
RESULT = """
    SELECT member.number, member.design_id, evaluation.role, evaluation.score, evaluation.tokens
    FROM member LEFT JOIN evaluation ON evaluation.design_id = member.design_id ORDER BY 1, 2, 3
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with cluster() as made:
        yield made


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of the same run in one process."""
    if reason := Bubblewrap().available():
        pytest.skip(reason)
    path = tmp_path_factory.mktemp("alone") / "alone.db"
    subprocess.run([SCRIPT, *RUN, "--workers", "0", "--archive", path], check=True, capture_output=True)
    return path


def result(archive: Path) -> list[Any]:
    connection = sqlite3.connect(f"file:{archive}?mode=ro", uri=True)
    try:
        return connection.execute(RESULT).fetchall()
    finally:
        connection.close()


def evaluated(archive: Path) -> int:
    try:
        return sum(row[3] is not None for row in result(archive))
    except sqlite3.OperationalError:
        return 0  # it has no tables yet


def another_version(folder: Path) -> str:
    """Our packages once more, with a line changed: where to find them."""
    for name in PACKAGES:
        source = Path(str(import_module(name).__file__)).parent
        shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "evolve" / "play.py").open("a") as changed:
        changed.write("# changed\n")
    return str(folder)


# What a node is, without Ray


def test_a_node_that_differs_is_left_out_with_one_sentence() -> None:
    mine = facts("recall", "lexical")
    node = Node("id", "10.0.0.7", 4)
    said = node.judge(mine, Survey({**mine, "numpy": "1.0"}, None))
    assert said == (
        f"node 10.0.0.7 is left out: it has numpy 1.0 where this machine has {mine['numpy']}; install the same there"
    )
    assert not node.usable


def test_a_node_without_the_sandbox_plays_and_says_when_it_is_back() -> None:
    node = Node("id", "10.0.0.7", 4)
    said = [node.judge({}, Survey({}, absence)) for absence in (None, "no engine", "no engine", None)]
    lost = "node 10.0.0.7 can start no guest, so it plays episodes and builds no design: no engine"
    assert said == [None, lost, None, "node 10.0.0.7 can start guests again"]
    assert node.usable


def test_a_node_where_no_worker_starts_rests_and_is_left_out_in_the_end() -> None:
    node = Node("id", "10.0.0.7", 4, known=True)
    for _ in range(ATTEMPTS - 1):
        assert node.fail("out of memory", 100.0) is None
        assert roomiest([node], 1.0, 101.0) is None
        assert roomiest([node], 1.0, 120.0) is node
    assert node.fail("out of memory", 100.0) == "node 10.0.0.7 is left out: no worker starts there: out of memory"
    assert roomiest([node], 1.0, 120.0) is None


@pytest.mark.parametrize(
    ("cpus", "workers", "spread"),
    [((4, 4), 8, [4, 4]), ((4, 4), 3, [2, 1]), ((1, 1), 3, [2, 1]), ((8, 2), 20, [16, 4]), ((3, 1, 1), 5, [3, 1, 1])],
)
def test_workers_are_spread_by_processors(cpus: Sequence[float], workers: int, spread: list[int]) -> None:
    nodes = [Node(str(number), "", count, known=True) for number, count in enumerate(cpus)]
    share = share_of(cpus, workers)
    for _ in range(workers):
        node = roomiest(nodes, share, 0.0)
        assert node is not None
        node.workers += 1
    assert [node.workers for node in nodes] == spread


# On real nodes


def collect(executor: Any, jobs: dict[int, Job]) -> dict[int, Result]:
    """Do each job in its lane."""
    until(lambda: executor.collect() or set(jobs) <= set(executor.free()))
    for lane, job in jobs.items():
        executor.submit(lane, job, lane)
    results: dict[int, Result] = {}
    while len(results) < len(jobs):
        results.update(executor.collect())
    return results


def test_each_node_makes_the_games_that_it_plays(nodes: Nodes) -> None:
    from evolve.workers import RayExecutor

    caches = [nodes.cache(name) for name in ("one", "two")]
    made = [nodes.add({"PALIMPSEST_CACHE": str(cache)}) for cache in caches]
    nodes.wait()
    spec = TextWorld(("cooking",)).tasks(Role.COLLECTION)[0]
    job = PlayJob((EpisodeOrder(b"", spec, 0),))
    executor = RayExecutor("textworld:cooking", "lexical", "process", 2, address=nodes.address)
    try:
        first, second = collect(executor, {0: job, 1: job}).values()
    finally:
        executor.close()
    assert isinstance(first, list)
    assert isinstance(first[0], Played)
    assert first == second
    for cache in caches:
        assert [game.name.split("-")[0] for game in (cache / "textworld").iterdir()] == ["cooking"]
    for node in made:
        nodes.kill(node)


@contextmanager
def driver(folder: Path, address: str) -> Iterator[subprocess.Popen[bytes]]:
    """The run on a cluster, in a process of its own, and of a folder of its own: Ray puts the driver's folder first
    where its workers look for modules."""
    command = [str(SCRIPT), *RUN, "--archive", "cluster.db", "--ray-address", address]
    with (folder / "said").open("w") as file:
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.kill()


def test_nodes_that_lack_something_and_one_that_dies_change_nothing(alone: Path, nodes: Nodes, tmp_path: Path) -> None:
    """Four nodes: two that do all, one without the sandbox, one with other code; one of the two is killed."""
    archive = tmp_path / "cluster.db"
    nodes.add()
    doomed = nodes.add()
    nodes.add({"PATH": str(tmp_path)})
    nodes.add({"PYTHONPATH": another_version(tmp_path / "other")})
    nodes.wait()
    with driver(tmp_path, nodes.address) as process:
        until(lambda: evaluated(archive) > 4 or process.poll() is not None, PATIENCE)
        nodes.kill(doomed)
        assert process.wait(timeout=PATIENCE) == 0, (tmp_path / "said").read_text()
    said = (tmp_path / "said").read_text()
    assert said.count(CANNOT_BUILD) == 1, said
    assert said.count("is left out: it has palimpsest") == 1, said
    assert "a worker died" in said or "is gone; what it had under way is queued again" in said, said
    assert "Traceback" not in said
    assert "(raylet)" not in said, "Ray would print that to standard output"
    assert result(archive) == result(alone)


@pytest.mark.skipif(not THOROUGH, reason="takes a minute; PALIMPSEST_THOROUGH=1 runs it")
def test_a_run_whose_cluster_loses_its_head_says_so_and_goes_on_at_another(
    alone: Path, nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "cluster.db"
    with cluster() as doomed:
        doomed.add()
        doomed.wait()
        with driver(tmp_path, doomed.address) as process:
            until(lambda: evaluated(archive) > 4 or process.poll() is not None, PATIENCE)
            doomed.lose_head()
            assert process.wait(timeout=PATIENCE) == 2, (tmp_path / "said").read_text()
    said = (tmp_path / "said").read_text()
    assert f"evolve: the head of the Ray cluster at {doomed.address} is gone" in said
    assert "Traceback" not in said
    assert "(raylet)" not in said, "Ray would print that to standard output"
    assert 4 < evaluated(archive) < evaluated(alone)
    node = nodes.add()
    nodes.wait()
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    with driver(tmp_path, "auto") as process:
        assert process.wait(timeout=PATIENCE) == 0, (tmp_path / "said").read_text()
    assert result(archive) == result(alone)
    nodes.kill(node)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("127.0.0.1:1", "the Ray cluster at 127.0.0.1:1 cannot be joined from here"),
        ("nowhere:port", "the Ray cluster at nowhere:port cannot be joined from here"),
        ("ray://127.0.0.1:10001", "--ray-address is HOST:PORT of the cluster's head, or auto, and not ray://127"),
    ],
)
def test_an_address_where_no_cluster_answers_is_a_sentence(tmp_path: Path, address: str, sentence: str) -> None:
    done = subprocess.run(
        [SCRIPT, "run", *SMALL, "--ray-address", address, "--archive", tmp_path / "p.db"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_no_workers_and_a_cluster_contradict_each_other(tmp_path: Path) -> None:
    from evolve.config import RunConfig
    from evolve.session import sit_down

    config = RunConfig(domain="recall", workers=0, ray_address="auto")
    with (
        pytest.raises(InputError, match="leave it or --ray-address out"),
        sit_down(config, tmp_path / "p.db", lambda progress: None),
    ):
        pass
