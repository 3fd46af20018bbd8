"""The graph of a run's designs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from archive.dashboard.family import SHORT, tidy
from archive.opening import open_archive
from evolve.commands.tree import nodes


@pytest.mark.parametrize("run", [1, 2])
def test_the_graph_holds_what_the_tree_holds(client: TestClient, recorded: Path, run: int) -> None:
    graph = client.get(f"/api/runs/{run}/lineage/graph").json()
    archive = open_archive(recorded)
    links: dict[str, list[str]] = {}
    for design, parent in archive.parents(run):
        links.setdefault(design, []).append(parent)
    tree = {node.line.design[:SHORT]: node for node in nodes(archive, archive.run(run))}
    ids = [each.design_id for each in archive.members(run) if each.number]
    archive.close()
    assert graph["kind"] == "lineage"
    assert graph["designs"] == [design[:SHORT] for design in ids]
    for place, design in enumerate(ids):
        parents = [ids.index(parent) for parent in links.get(design, ()) if parent in ids]
        assert graph["parents"][place] == (parents[0] if parents else -1)
        assert sorted(parent for child, parent in graph["others"] if child == place) == sorted(parents[1:])
        assert graph["depth"][place] == (graph["depth"][parents[0]] + 1 if parents else 0)
        if (node := tree.get(design[:SHORT])) is not None:
            assert (graph["scores"][place], graph["states"][place]) == (node.line.score, node.line.state)
            assert run == 2 or graph["requests"][place] == node.visits
    assert graph["no_memory"] is not None


def test_values_are_those_of_the_tree_search(client: TestClient, recorded: Path) -> None:
    found = client.get("/api/runs/2/lineage/values").json()
    archive = open_archive(recorded)
    known = {node.line.design[:SHORT]: (node.value, node.visits) for node in nodes(archive, archive.run(2))}
    archive.close()
    assert dict(zip(found["designs"], zip(found["value"], found["visits"], strict=True), strict=True)) == known
    assert '<option value="value">Q</option>' in client.get("/runs/2/lineage").text
    assert '<option value="value">Q</option>' not in client.get("/runs/1/lineage").text


def test_the_page_has_the_graph_and_the_same_as_a_table(client: TestClient) -> None:
    page = client.get("/runs/1/lineage").text
    assert 'data-chart="/api/runs/1/lineage/graph"' in page
    assert 'data-testid="table-designs"' in page
    assert client.get("/runs/77/lineage").status_code == client.get("/api/runs/77/lineage/graph").status_code == 404


def test_rows_keep_families_together_at_any_size() -> None:
    drawn = random.Random(0)
    parents = [-1, *(drawn.randrange(-1, place) for place in range(1, 500)), *range(499, 20_000)]
    depth, row = tidy(parents)
    assert max(depth) > 19_000
    assert all(depth[place] == depth[parent] + 1 for place, parent in enumerate(parents) if parent >= 0)
    leaves = set(range(len(parents))) - set(parents)
    assert sorted(row[leaf] for leaf in leaves) == list(range(len(leaves)))
    assert len(set(zip(depth, row, strict=True))) == len(parents), "no two designs at one place"
    assert tidy([1, 0])[0] == [0, 1], "a circle, which no run writes, ends"
