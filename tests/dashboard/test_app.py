"""The application as a whole: addresses, twins, errors, what a browser is told, and the command that serves it."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import urllib.request
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from archive.dashboard.formats import commands
from tests.dashboard.conftest import serving
from tests.end_to_end.conftest import SCRIPT, Shell

PAGES = ("/", "/runs/1", "/runs/2?by=time&cost=delay")


@pytest.mark.parametrize("address", PAGES)
def test_a_page_has_a_twin_as_json(client: TestClient, address: str) -> None:
    html = client.get(address)
    assert html.status_code == 200, html.text
    (twin,) = re.findall(r'<a href="([^"]+)" data-json>', html.text)
    found = client.get(twin)
    assert found.status_code == 200
    assert found.json()
    for answer in (html, found):  # live pages are paced by what an answer cost
        assert re.fullmatch(r"cpu;dur=[\d.]+", answer.headers["server-timing"])


@pytest.mark.parametrize(
    "address", [*PAGES, "/runs/1/designs", "/runs/2/lineage", "/compare?runs=1", "/insights", "/calls", "/runs/99"]
)
def test_a_page_holds_no_inline_script_or_style(client: TestClient, address: str) -> None:
    text = client.get(address).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:|https?://", text)


def test_openapi_describes_every_twin(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert {"/api/runs", "/api/runs/{run_id}", "/api/runs/{run_id}/course"} <= described["paths"].keys()
    assert all(path.startswith("/api/") and set(methods) == {"get"} for path, methods in described["paths"].items())
    told = described["paths"]["/api/runs/{run_id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert "RunPage" in told["$ref"]


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("/runs/99", 404, "no run 99"),
        ("/runs/99?by=time", 404, "no run 99"),
        ("/runs/one", 422, "run_id"),
        ("/runs/1?by=luck", 422, "by"),
        ("/nowhere", 404, "Not Found"),
        ("/static/../app.py", 404, "Not Found"),
        ("/docs", 404, "Not Found"),
    ],
)
def test_what_is_not_there_is_a_sentence(client: TestClient, address: str, status: int, told: str) -> None:
    found = client.get(address)
    assert found.status_code == status
    assert told in found.text
    twin = client.get(f"/api{address}")
    assert twin.status_code == status
    assert "error" in twin.json()


def test_an_archive_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    client = serving(path)
    for made, told in ((None, "there is no archive"), (b"no database" * 99, "damaged"), (b"", "no archive of Palim")):
        if made is not None:
            path.write_bytes(made)
        found = client.get("/")
        assert found.status_code == 503
        assert told in found.text


def test_an_older_schema_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE meta (key, value)")
        made.execute("INSERT INTO meta VALUES ('schema_version', '1')")
    before = path.read_bytes()
    assert "older schema 1" in serving(path).get("/").text
    assert path.read_bytes() == before


def test_assets_are_there_and_checked_for_change(client: TestClient) -> None:
    for name in ("app.js", "style.css", "htmx.min.js", "hx-sse.min.js", "echarts.min.js", "htmx.LICENSE", "icon.svg"):
        found = client.get(f"/static/{name}")
        assert found.status_code == 200
        assert client.get(f"/static/{name}", headers={"If-None-Match": found.headers["etag"]}).status_code == 304


def test_the_command_serves_until_ctrl_c(recorded: Path) -> None:
    served = subprocess.Popen(
        [str(SCRIPT), "dashboard", "--archive", str(recorded), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert served.stdout is not None
        said = served.stdout.readline()
        (address,) = re.findall(r"http://\S+", said)
        with urllib.request.urlopen(f"{address}live", timeout=20) as stream:  # a stream is no reason to stay
            assert stream.readline()
            with urllib.request.urlopen(address, timeout=20) as page:
                assert b"Palimpsest" in page.read()
            served.send_signal(signal.SIGINT)
            assert served.wait(20) == 0, served.stderr.read() if served.stderr else ""
    finally:
        served.kill()
        _, complaints = served.communicate()
    assert not complaints


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--archive", "none.db"), "there is no archive"),
        (("--host", "0.0.0.0"), "--token"),
        (("--host", "0.0.0.0", "--token", "short"), "at least 16 characters"),
        (("--host", "no such host", "--token", "0123456789abcdef"), "no address of this machine"),
        (("--port", "{taken}"), "Address already in use"),
    ],
)
def test_the_command_refuses_in_a_sentence(recorded: Path, flags: tuple[str, ...], told: str) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        filled = [flag.replace("{taken}", str(taken.getsockname()[1])) for flag in flags]
        where = [] if "--archive" in flags else ["--archive", str(recorded)]
        done = Shell(recorded.parent).here("dashboard", *where, *filled)
    assert done.code == 2
    assert told in done.err


def test_commands_in_a_sentence_are_code() -> None:
    assert commands("see `evolve top <b>` & more") == "see <code>evolve top &lt;b&gt;</code> &amp; more"
