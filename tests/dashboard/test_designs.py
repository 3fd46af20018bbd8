"""The table of a run's designs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from archive.history import listing
from archive.opening import open_archive
from archive.tables import SCORED


def test_all_designs_of_a_run_are_listed_the_best_first(client: TestClient, recorded: Path) -> None:
    archive = open_archive(recorded)
    known = {line.design: line for line in listing(archive, 1, "deployment")}
    archive.close()
    rows = client.get("/api/runs/1/designs").json()["table"]["rows"]
    assert {row["design"] for row in rows} == known.keys()
    without = next(line.score for line in known.values() if line.change == "no_memory")
    for row in rows:
        line = known[row["design"]]
        assert (row["number"], row["state"], row["score"]) == (line.number, line.state, line.score)
        assert (row["tokens"], row["change"], row["summary"]) == (line.tokens, line.change, line.summary)
        assert row["gain"] == (line.score - without if line.score is not None and without is not None else None)
    scores = [row["score"] for row in rows if row["score"] is not None]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("state=rejected", lambda row: row["state"] == "rejected"),
        ("number=>0&score=any", lambda row: row["number"] and row["score"] is not None),
        ("change=COMPOSED", lambda row: "composed" in row["change"]),
    ],
)
def test_they_are_filtered_and_exported(client: TestClient, query: str, kept: object) -> None:
    assert callable(kept)
    every = client.get("/api/runs/1/designs").json()["table"]["rows"]
    expected = {row["design"] for row in every if kept(row)}
    assert {row["design"] for row in client.get(f"/api/runs/1/designs?{query}").json()["table"]["rows"]} == expected
    exported = csv.DictReader(client.get(f"/runs/1/designs?{query}&format=csv").text.splitlines())
    assert {row["design"] for row in exported} == expected


def test_children_are_the_designs_of_a_parent(client: TestClient, recorded: Path) -> None:
    archive = open_archive(recorded)
    parent = next(parent for _, parent in archive.parents(2))
    children = {design for design, each in archive.parents(2) if each == parent}
    archive.close()
    firsts = {row["design"] for row in client.get(f"/api/runs/2/designs?parent={parent}").json()["table"]["rows"]}
    assert firsts
    assert firsts <= children


def test_the_page_links_each_design(client: TestClient) -> None:
    page = client.get("/runs/1/designs")
    assert page.status_code == 200
    for row in client.get("/api/runs/1/designs").json()["table"]["rows"]:
        assert f'href="/designs/{row["design"]}?run=1"' in page.text
        assert row["state"] in SCORED or row["gain"] is None
    assert client.get("/runs/77/designs").status_code == 404
