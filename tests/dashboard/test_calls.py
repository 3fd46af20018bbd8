"""The ledger's pages: filters, sums, and hostile things that were said."""

from __future__ import annotations

import csv
import io
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from archive.dashboard.views.calls import SHOWN
from archive.ledger import Entry, Ledger
from tests.dashboard.conftest import serving
from tests.dashboard.strange import ODD, SCRIPT
from tests.end_to_end.conftest import Shell

HUGE = "word " * SHOWN
CALL = Entry(1, b"k", "implement", "openai:m", "1-ab", 0, 100, 20, 10, 5, 3, 0.5, 1.25)


@pytest.fixture(scope="module")
def spent(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the archive with six calls of two runs."""
    path = Path(shutil.copy(recorded, tmp_path_factory.mktemp("spent") / "palimpsest.db"))
    said = {"messages": [{"speaker": "system", "text": ODD}, {"speaker": "user", "text": HUGE}], "max_tokens": 9}
    with closing(Ledger(path, write=True)) as ledger:
        first = ledger.record(CALL, said, {"text": "{}", "value": {"change": ODD}, "usage": [1]})
        ledger.record(CALL._replace(role="repair", problem="cut"), said, {"text": ODD, "calls": [{"name": ODD}]})
        ledger.note_hit(CALL._replace(hit_of=first, dollars=0.0, seconds=None))
        ledger.record(CALL._replace(model=ODD, dollars=None), {}, {})
        ledger.record(CALL._replace(run_id=2, design=""), said, {"text": "plain"})
        ledger.record(CALL._replace(run_id=2, design=ODD, role="reflect"), {"messages": ["odd", 3]}, {"text": ""})
    return path


@pytest.fixture(scope="module")
def client(spent: Path) -> TestClient:
    return serving(spent)


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ("", [6, 5, 4, 3, 2, 1]),
        ("run=2", [6, 5]),
        ("role=repair", [2]),
        ("model=openai", [6, 5, 3, 2, 1]),
        ("design=1-a", [4, 3, 2, 1]),
        ("problem=any", [2]),
        ("problem=any&run=2", []),
        ("dollars=none", [4]),
        ("tokens_in=>100", []),
        ("sort=call&size=2&page=2", [3, 4]),
        ("run=luck", [6, 5, 4, 3, 2, 1]),
    ],
)
def test_calls_are_filtered_sorted_and_paged(client: TestClient, asked: str, numbers: list[int]) -> None:
    assert [row["call"] for row in client.get(f"/api/calls?{asked}").json()["table"]["rows"]] == numbers
    assert client.get(f"/calls?{asked}").status_code == 200


def test_sums_are_those_of_the_terminal(client: TestClient, spent: Path) -> None:
    for run in (1, 2):
        known = Shell(spent.parent).here("costs", str(run), "--json").json["costs"]
        rows = client.get(f"/api/calls?run={run}").json()["sums"]["rows"]
        names = rows[0].keys()
        told, listed = ([tuple(row[name] for name in names) for row in some] for some in (rows, known))
        assert sorted(told, key=str) == sorted(listed, key=str)


def test_a_call_shows_what_was_said_as_text(client: TestClient) -> None:
    for number in range(1, 7):
        page = client.get(f"/calls/{number}")
        assert page.status_code == 200, number
        assert SCRIPT not in page.text
        assert "\u202e" not in page.text
        assert "{{ 7 * 7 }}" in page.text or number in (4, 5, 6)
    first, third = client.get("/api/calls/1").json(), client.get("/api/calls/3").json()
    assert first["messages"][1]["text"] == HUGE
    assert (first["hit_of"], third["hit_of"], third["reply"]) == (None, 1, first["reply"])
    assert (first["before"], first["after"], third["after"]) == (None, 2, 4)
    assert "is not recorded" in client.get("/calls/4").text


def test_what_is_huge_is_cut_with_a_link_to_all_of_it(client: TestClient) -> None:
    cut, whole = client.get("/calls/1").text, client.get("/calls/1?whole=true").text
    assert "/calls/1?whole=true" in cut
    assert len(cut) < 2 * SHOWN < 5 * SHOWN < len(whole)


def test_the_ledger_is_downloaded(client: TestClient) -> None:
    rows = list(csv.DictReader(io.StringIO(client.get("/calls?run=1&format=csv").text)))
    assert [row["call"] for row in rows] == ["4", "3", "2", "1"]
    assert rows[-1]["cached"] == "10"


def test_an_archive_without_calls_says_how_one_is_made(recorded: Path) -> None:
    page = serving(recorded).get("/calls")
    assert "No language model was asked" in page.text
    assert serving(recorded).get("/calls/1").status_code == 404
