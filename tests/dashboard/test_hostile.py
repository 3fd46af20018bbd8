"""What others write stays text: on every page, in every export and in the report, read by a parser and by a browser."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.dashboard.browsing import chromium, dashboard, visiting
from tests.dashboard.conftest import serving
from tests.dashboard.hostile import HUGE_ID, KEYS, SMALL_ID, make
from tests.end_to_end.conftest import Shell

UNSEEN = frozenset("\0\x07\x1b\x9b\u202e\u2066\u200f\ufeff\U000e0041\ud800\udfff")
"""Signs of the attack that steer a terminal or the direction of writing, or are no text at all."""
LARGEST = 2_000_000
"""Bytes of a page, whatever is in the archive."""
FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What spreadsheets take for the beginning of one, in full width too."""
NUMBER = re.compile(r"-?[\d.]+(e[-+]?\d+)?")


def addresses() -> Mapping[str, str]:
    """Each page that shows what is hostile, the small text and the huge one."""
    found = {
        "runs": "/",
        "run": "/runs/1",
        "designs": "/runs/1/designs?sort=-number",
        "lineage": "/runs/1/lineage?sort=-number",
        "compare": f"/compare?designs={SMALL_ID},{HUGE_ID}",
        "insights": "/insights",
        "calls": "/calls",
        "calls of a run": "/calls?run=1",
    }
    for size, design, back in (("small", SMALL_ID, 1), ("huge", HUGE_ID, 0)):
        found[f"{size} design"] = f"/designs/{design}?run=1"
        found[f"child of {size} design"] = f"/designs/{design[:-1]}0?run=1"
        found[f"{size} episode"] = f"/episodes/{KEYS[design].hex()}?run=1&design={design}"
        found[f"{size} episode alone"] = f"/episodes/{KEYS[design].hex()}"
        found[f"{size} insight"] = f"/insights/{{operation}}-{back}"
        found[f"{size} call"] = f"/calls/{{call}}-{back}"
    return found


NAMES = tuple(addresses())


class Inert(HTMLParser):
    """Holds where a page could act: scripts, handlers, styles, and addresses that are not of this site."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.acts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "script" and not given.get("src", "").startswith("/static/"):
            self.acts.append("a script of its own")
        if tag in ("iframe", "object", "embed", "base", "img", "math", "template", "video", "audio"):
            self.acts.append(tag)
        for name, value in given.items():
            leads = name in ("href", "src", "action", "hx-get", "data-chart", "data-address")
            if name.startswith(("on", "hx-on")) or name == "style":
                self.acts.append(f"{tag} {name}")
            if leads and value and not re.match(r"[?#]|/(?!/)", value):
                self.acts.append(f"{tag} {name}={value[:60]}")


@pytest.fixture(scope="module")
def hostile(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(recorded, tmp_path_factory.mktemp("hostile") / "palimpsest.db")


@pytest.fixture(scope="module")
def client(hostile: Path) -> Iterator[TestClient]:
    with serving(hostile) as made:
        yield made


@pytest.fixture(scope="module")
def place(hostile: Path) -> Mapping[str, str]:
    """The addresses, with the numbers of the newest insight and call in them."""
    with closing(sqlite3.connect(hostile)) as db:
        newest = {table: db.execute(f"SELECT max(id) FROM {table}").fetchone()[0] for table in ("operation", "call")}

    def numbered(address: str) -> str:
        return re.sub(r"\{(\w+)\}-(\d)", lambda found: str(newest[found[1]] - int(found[2])), address)

    return {name: numbered(address) for name, address in addresses().items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_holds_it_as_text(client: TestClient, place: Mapping[str, str], name: str) -> None:
    found = client.get(place[name])
    assert found.status_code == 200
    assert len(found.content) < LARGEST
    assert Inert(found.text).acts == []
    assert not UNSEEN & set(found.text)
    assert "sum49sum" not in found.text


@pytest.mark.parametrize("name", NAMES)
def test_its_twin_is_json(client: TestClient, place: Mapping[str, str], name: str) -> None:
    found = client.get("/api" + (place[name] if name != "runs" else "/runs"))
    assert found.status_code == 200
    assert found.headers["content-type"] == "application/json"
    json.loads(found.content.decode("utf-8", "strict"))


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        *((name, "") for name in ("runs", "designs", "lineage", "calls", "insights")),
        *(("calls", "sum_"), ("insights", "hint_"), ("small insight", "history_")),
        *(("compare", "design_"), ("compare", "task_")),
    ],
)
def test_a_spreadsheet_computes_nothing(client: TestClient, place: Mapping[str, str], name: str, prefix: str) -> None:
    address = place[name] + ("&" if "?" in place[name] else "?") + prefix
    found = client.get(f"{address}format=csv")
    assert found.headers["content-disposition"].startswith("attachment")
    csv.field_size_limit(2**31 - 1)
    heading, *rows = csv.reader(io.StringIO(found.content.decode("utf-8", "strict"), newline=""))
    assert rows
    assert all(len(row) == len(heading) for row in rows)
    formulas = [cell[:40] for row in rows for cell in row if cell.startswith(FORMULA) and not NUMBER.fullmatch(cell)]
    assert formulas == []
    assert len(json.loads(client.get(f"{address}format=json").content)) == len(rows)


def test_a_browser_runs_none_of_it(hostile: Path, place: Mapping[str, str], tmp_path: Path) -> None:
    """Nor of the report: no script, no dialog, no request elsewhere, no complaint."""
    shell = Shell(hostile.parent)
    assert shell.evolve("report", "1", "--to", "report.html").code == 0
    report = (shell.folder / "report.html").read_text("utf-8")
    assert len(report) < LARGEST
    assert not UNSEEN & set(report)
    with chromium() as browser, dashboard(hostile) as base, visiting(browser, base) as visit:
        for name, address in place.items():
            page = visit.open(address)
            assert page.evaluate("window.pwned") is None, name
            assert page.evaluate("document.querySelectorAll('main script, main img, iframe').length") == 0, name
            assert visit.trouble == [], name
        with visiting(browser, shell.folder.as_uri()) as alone:
            page = alone.open("/report.html")
            assert page.evaluate("[window.pwned ?? null, document.scripts.length]") == [None, 0]
            assert alone.trouble == []
