"""What holds of every page: its twin is what the OpenAPI description says; its tables sort, filter, page and export."""

from __future__ import annotations

import csv
import inspect
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from starlette.testclient import TestClient

from archive.dashboard.pages import Page
from archive.dashboard.views import ALL
from tests.dashboard.browsing import NAMES, places, with_calls
from tests.dashboard.conftest import serving


@pytest.fixture(scope="module")
def archive(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_calls(recorded, tmp_path_factory.mktemp("everywhere"))


@pytest.fixture(scope="module")
def client(archive: Path) -> Iterator[TestClient]:
    with serving(archive) as made:
        yield made


@pytest.fixture(params=NAMES)
def address(archive: Path, request: pytest.FixtureRequest) -> str:
    """Of the twin of each page in turn."""
    place = places(archive)[request.param]
    return "/api" + (place if place != "/" else "/runs")


def _page(client: TestClient, address: str) -> Page:
    """What declared a twin."""
    path = address.removeprefix("/api").partition("?")[0]
    described = client.get("/openapi.json").json()["paths"]
    for page in itertools.chain.from_iterable(pages.all for pages in ALL):
        parts, given = page.path.rstrip("/").split("/"), path.split("/")
        alike = all(a == b or a.startswith("{") for a, b in zip(parts, given, strict=False))
        if (len(parts) == len(given) and alike) or (page.path == "/" and path == "/runs"):
            assert f"/api{page.path.rstrip('/') or '/runs'}" in described
            return page
    raise AssertionError(f"nothing declares {address}")


def _tables(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [value for value in found.values() if isinstance(value, dict) and {"columns", "rows"} <= value.keys()]


def _table(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in _tables(found) if each["name"] == name)


def _asked(address: str) -> tuple[str, dict[str, str]]:
    """A path and its parameters."""
    path, _, asked = address.partition("?")
    return path, dict(parse_qsl(asked))


def test_a_twin_is_what_it_is_described_to_be(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    page = _page(client, address)
    model = inspect.signature(page.view, eval_str=True).return_annotation
    assert model.model_validate(answer.json()).model_dump(mode="json") == answer.json()
    assert inspect.getdoc(page.view)


def test_tables_sort(client: TestClient, address: str) -> None:
    """By each column, both ways; what has no value comes last."""
    path, asked = _asked(address)
    for table in _tables(client.get(address).json()):
        for column in table["columns"]:
            if not column["sortable"]:
                continue
            for sign in ("", "-"):
                params = {**asked, f"{table['prefix']}sort": f"{sign}{column['key']}"}
                found = _table(client.get(path, params=params).json(), table["name"])
                values = [row[column["key"]] for row in found["rows"]]
                known = [value for value in values if value is not None]
                assert values == known + [None] * (len(values) - len(known)), params
                assert known == sorted(known, reverse=sign == "-"), params


def test_tables_filter(client: TestClient, address: str) -> None:
    """A row is among those that have its value, and they are no more than all."""
    path, asked = _asked(address)
    for table in _tables(client.get(address).json()):
        for column in table["columns"]:
            values = [row[column["key"]] for row in table["rows"] if row[column["key"]] is not None]
            key = f"{table['prefix']}{column['key']}"
            if not column["filterable"] or not values or key in asked:
                continue
            wanted = values[-1]
            text = (
                "any" if column["kind"] == "time" else f">{wanted - 0.001}" if not isinstance(wanted, str) else wanted
            )
            params = {**asked, key: text}
            found = _table(client.get(path, params=params).json(), table["name"])
            assert found["problems"] == [], params
            assert wanted in [row[column["key"]] for row in found["rows"]], params
            assert found["count"] <= table["count"]


def test_tables_page_and_export(client: TestClient, address: str) -> None:
    """The second page goes on where the first ends; the first export asked for is of the whole table."""
    path, asked = _asked(address)
    for table in _tables(client.get(address).json()):
        prefix, rows = table["prefix"], table["rows"]
        parts: list[dict[str, Any]] = []
        for page in (1, 2):
            found = client.get(path, params={**asked, f"{prefix}size": "3", f"{prefix}page": str(page)}).json()
            parts += _table(found, table["name"])["rows"] if page == 1 or table["count"] > 3 else []
        assert parts == rows[:6]
        exported = client.get(path, params={**asked, f"{prefix}format": "json"})
        assert exported.headers["content-disposition"] == f'attachment; filename="{table["name"]}.json"'
        whole = json.loads(exported.content)
        assert len(whole) == table["count"]
        keys = {column["key"] for column in table["columns"]}
        assert all(keys <= row.keys() for row in whole)
        lines = csv.reader(io.StringIO(client.get(path, params={**asked, f"{prefix}format": "csv"}).text, newline=""))
        heading, *cells = lines
        assert len(cells) == table["count"]
        assert keys <= set(heading)
