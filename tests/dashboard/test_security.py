"""Who is answered, and that hostile text stays text."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from archive.dashboard.security import COOKIE, HEADERS, Access, is_loopback
from tests.dashboard.conftest import serving

TOKEN = "0123456789abcdef"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> \u202eevil\u0000\u001b[31m {{ 7*7 }} " + "x" * 5000


@pytest.mark.parametrize("address", ["/", "/api/runs", "/nowhere", "/static/app.js", "/openapi.json"])
def test_every_answer_has_the_headers(client: TestClient, address: str) -> None:
    found = client.get(address)
    assert {name: found.headers.get(name) for name in HEADERS} == dict(HEADERS)
    assert "unsafe" not in found.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8600", 200),
        ("localhost", 200),
        ("[::1]:8600", 200),
        ("LOCALHOST:1", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8600", 421),
        ("", 421),
    ],
)
def test_other_hosts_are_refused(client: TestClient, host: str, status: int) -> None:
    """A name that was made to point here (DNS rebinding) is not this server's."""
    assert client.get("/api/runs", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("address", ["/", "/api/runs", "/static/app.js", "/live"])
def test_only_reading_methods(client: TestClient, method: str, address: str) -> None:
    found = client.request(method, address)
    assert found.status_code == 405
    assert found.headers["allow"] == "GET, HEAD"


def test_head_is_get_without_a_body(client: TestClient) -> None:
    got, head = client.get("/api/runs"), client.head("/api/runs")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert client.head("/live").headers["content-type"].startswith("text/event-stream")  # and it ends


def test_a_token_opens_the_door_once_and_is_not_kept_in_the_address(recorded: Path) -> None:
    client = serving(recorded, Access("0.0.0.0", TOKEN))
    assert client.get("/").status_code == 401
    assert client.get("/static/app.js").status_code == 401
    assert client.get("/?token=0123456789abcdeX").status_code == 401
    assert client.get("/?token=%C3%BC").status_code == 401
    welcome = client.get(f"/runs/1?by=time&token={TOKEN}", follow_redirects=False)
    assert (welcome.status_code, welcome.headers["location"]) == (303, "/runs/1?by=time")
    kept = welcome.headers["set-cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=lax" in kept
    assert TOKEN not in kept
    assert client.get("/").status_code == 200
    assert client.get("/", headers={"Host": "machine.example:8600"}).status_code == 200


def test_the_redirect_stays_here(recorded: Path) -> None:
    client = serving(recorded, Access("0.0.0.0", TOKEN))
    for path in ("//evil.example/", "/\\evil.example/"):
        location = client.get(f"http://127.0.0.1{path}?token={TOKEN}", follow_redirects=False).headers["location"]
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Cookie": f"{COOKIE}={TOKEN}"}, 401),
        ({"Cookie": f"{COOKIE}={Access(token=TOKEN).cookie}"}, 200),
        ({"Cookie": f"{COOKIE}={Access(token='another').cookie}"}, 401),
    ],
)
def test_programs_come_with_the_token(recorded: Path, headers: dict[str, str], status: int) -> None:
    assert serving(recorded, Access("0.0.0.0", TOKEN)).get("/api/runs", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("host", "found"), [("127.0.0.1", True), ("127.8.8.8", True), ("[::1]", True), ("0.0.0.0", False), ("a.b", False)]
)
def test_loopback(host: str, found: bool) -> None:
    assert is_loopback(host) is found


def test_hostile_text_stays_text(recorded: Path, tmp_path: Path) -> None:
    """What designs, models and people wrote, wherever the pages of runs show it."""
    path = tmp_path / "hostile.db"
    shutil.copy(recorded, path)
    with sqlite3.connect(path) as db:
        (design,) = db.execute("SELECT design_id FROM member WHERE run_id = 1 AND number = 1").fetchone()
        db.execute("UPDATE design SET summary = ?", (HOSTILE,))
        db.execute("UPDATE member SET change = ? WHERE number > 0", (HOSTILE,))
        failed = "INSERT INTO event (run_id, design_id, state, reason, created) VALUES (1, ?, 'failed', ?, 9e9)"
        db.execute(failed, (design, HOSTILE))
        db.execute("INSERT INTO hint (run_id, text, asked, created) VALUES (1, ?, 0, 9e9)", (HOSTILE,))
        db.execute("UPDATE run SET config = json_set(config, '$.proposer', ?, '$.domain', ?)", (HOSTILE, HOSTILE))
        db.execute(
            "INSERT INTO call (run_id, key, role, model, design, sample, tokens_in, tokens_out, cached, reasoning,"
            " written, finish, problem, created) VALUES (1, x'00', ?, ?, '', 0, 1, 1, 0, 0, 0, 'stop', '', 9e9)",
            (HOSTILE, HOSTILE),
        )
    client = serving(path)
    for address in ("/", "/runs/1", "/?domain=" + "%3Cscript%3E", "/?score=%3Cscript%3E"):
        text = client.get(address).text
        assert "<script>" not in text
        assert "<img" not in text
        assert not {"\u202e", "\u0000", "\u001b"} & set(text)
        assert "49" not in text.partition("evil")[2][:20]
        assert "x" * 3000 not in text
