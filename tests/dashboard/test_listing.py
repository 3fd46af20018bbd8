"""Tables: sorted, filtered, paged and exported by SQL."""

from __future__ import annotations

import csv
import io
import sqlite3

import pytest
from starlette.testclient import TestClient

from archive.dashboard.listing import Column, Kind, Listing, Table, TableQuery

THINGS = Table(
    name="things",
    columns=(
        Column("name", "Name", "thing.name"),
        Column("kind", "Kind", "thing.kind", Kind.WORD),
        Column("worth", "Worth", "thing.worth", Kind.SCORE, low="thing.worth - 0.1", high="thing.worth + 0.1"),
        Column("since", "Since", "thing.since", Kind.TIME),
        Column("id", "", "thing.id", Kind.NUMBER, hidden=True, filterable=False),
    ),
    source="thing",
    id="thing.id",
    where="thing.owner = :owner",
    sort="-worth",
)


@pytest.fixture
def db() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:")
    made.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, owner, name, kind, worth, since)")
    rows = [(1, f"Thing {i} %_'", "odd" if i % 2 else "even", i / 10 if i else None, i * 86400.0) for i in range(10)]
    made.executemany("INSERT INTO thing (owner, name, kind, worth, since) VALUES (?, ?, ?, ?, ?)", rows)
    made.execute("INSERT INTO thing (owner, name, kind, worth, since) VALUES (2, 'theirs', 'odd', 5, 0)")
    return made


def read(db: sqlite3.Connection, **given: str) -> Listing:
    return THINGS.read(db, TableQuery(given), owner=1)


def numbers(listing: Listing) -> list[int]:
    return [row["id"] - 1 for row in listing.rows]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ({"sort": "worth"}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]),
        ({"sort": "since", "size": "3", "page": "2"}, [3, 4, 5]),
        ({"sort": "since", "size": "3", "page": "99"}, [9]),
        ({"sort": "-since", "size": "0", "page": "-1"}, [9]),
        ({"sort": "owner; DROP TABLE thing"}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ({"worth": ">0.7"}, [9, 8]),
        ({"worth": "0.2..0.4"}, [4, 3, 2]),
        ({"worth": "<= 0.2"}, [2, 1]),
        ({"worth": "none"}, [0]),
        ({"worth": "any", "kind": "odd"}, [9, 7, 5, 3, 1]),
        ({"kind": "od"}, []),
        ({"name": "thing 3"}, [3]),
        ({"name": "%_'"}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ({"name": "' OR 1=1 --"}, []),
        ({"since": ">1970-01-09"}, [9]),
        ({"size": "9999999999999999999"}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
    ],
)
def test_what_is_asked_is_what_is_read(db: sqlite3.Connection, given: dict[str, str], found: list[int]) -> None:
    assert numbers(read(db, **given)) == found


@pytest.mark.parametrize("given", [{"worth": "lots"}, {"since": "yesterday"}, {"worth": "> x"}, {"worth": "1e999..z"}])
def test_a_filter_that_is_none_is_said_and_not_applied(db: sqlite3.Connection, given: dict[str, str]) -> None:
    listing = read(db, **given)
    assert len(listing.rows) == 10
    assert "is no filter" in listing.problems[0]


def test_addresses_keep_the_rest_of_the_state(db: sqlite3.Connection) -> None:
    listing = read(db, by="time", kind="odd", page="1", format="csv")
    assert listing.sorting("worth") == "?by=time&kind=odd&sort=worth"
    assert listing.sorting("name") == "?by=time&kind=odd&sort=name"
    assert listing.cleared() == "?by=time"
    assert listing.kept() == {"by": "time"}


def test_an_export_has_all_rows_and_intervals(db: sqlite3.Connection) -> None:
    listing = read(db, size="2", format="csv")
    rows = list(listing.export(db))
    assert len(rows) == 10
    assert rows[0]["worth_high"] == pytest.approx(1.0)


def test_a_table_is_downloaded(client: TestClient) -> None:
    for where in ("/", "/api/runs"):
        as_csv = client.get(f"{where}?format=csv&sort=run")
        assert "attachment" in as_csv.headers["content-disposition"]
        assert [row["run"] for row in csv.DictReader(io.StringIO(as_csv.text))] == ["1", "2"]
        as_json = client.get(f"{where}?format=json&strategy=alma").json()
        assert [row["run"] for row in as_json] == [1]
    assert client.get("/?format=json&strategy=nothing").json() == []
    assert client.get("/?format=csv&strategy=nothing").text.startswith("run,status,")


def test_no_cell_is_a_formula(db: sqlite3.Connection) -> None:
    from archive.dashboard.pages import _csv

    written = "".join(_csv(iter([{"name": "=HYPERLINK(1)", "worth": -1.5}]), ["name", "worth"]))
    assert written.splitlines()[1] == "'=HYPERLINK(1),-1.5"
