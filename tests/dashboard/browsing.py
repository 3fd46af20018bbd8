"""A dashboard as a user starts it, and a browser that notes whatever goes wrong while it looks at it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, Response, expect, sync_playwright

from archive.ledger import Entry, Ledger
from tests.end_to_end.conftest import SCRIPT

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE = 20_000
"""Milliseconds; the machine may be busy."""
NOT_DRAWN = "[data-chart]:not([data-drawn]):not([data-empty])"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window. It is closed after a module: while it is there, no other event loop can run."""
    if (path := shutil.which("chromium")) is None:
        pytest.skip("there is no chromium; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def dashboard(archive: Path) -> Iterator[str]:
    """The address of `evolve dashboard` over an archive."""
    command = [str(SCRIPT), "dashboard", "--archive", str(archive), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as served:
        assert served.stdout is not None
        said = served.stdout.readline()
        try:
            yield said.split(" at ")[1].split()[0].rstrip("/")
        finally:
            os.killpg(served.pid, signal.SIGINT)
            assert served.wait(20) == 0


@dataclass
class Visit:
    """One tab. `trouble` has what a console, the network or a script complained of."""

    page: Page
    base: str
    trouble: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.trouble.append(f"script: {error}"))
        self.page.on("dialog", self._interrupted)
        self.page.on("request", self._asked)
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def open(self, address: str) -> Page:
        """Go to an address and wait until its charts are there."""
        self.page.goto(self.base + address)
        expect(self.page.locator(NOT_DRAWN)).to_have_count(0, timeout=PATIENCE)  # to evaluate a condition, CSP forbids
        return self.page

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.trouble.append(f"console: {message.text}")

    def _interrupted(self, dialog: Dialog) -> None:
        self.trouble.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.base}/", "data:", "blob:")):
            self.trouble.append(f"elsewhere: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # as what is still read when the page is left
            self.trouble.append(f"failed: {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.trouble.append(f"status: {response.status} {response.url}")


@contextmanager
def visiting(browser: Browser, base: str) -> Iterator[Visit]:
    """A tab of its own."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, color_scheme="light", accept_downloads=True)
    try:
        yield Visit(context.new_page(), base)
    finally:
        context.close()


NAMES = (
    *("runs", "run", "run by time", "designs", "lineage", "lineage with values", "design", "baseline", "episode"),
    *("episode step by step", "compare", "compare runs", "compare designs", "insights", "insight", "calls"),
    *("calls of a run", "call"),
)
"""Of pages, as `places` has them."""


def with_calls(recorded: Path, folder: Path) -> Path:
    """A copy of the recorded archive, with two calls of a model."""
    path = Path(shutil.copy(recorded, folder / "palimpsest.db"))
    entry = Entry(1, b"k", "implement", "openai:m", "", 0, 1200, 300, dollars=0.02, seconds=2.5, created=time.time())
    said = {"messages": [{"speaker": "user", "text": "Write a design."}]}
    with closing(Ledger(path, write=True)) as ledger:
        ledger.record(entry, said, {"text": "x = 1"})
        ledger.record(entry._replace(role="reflect", run_id=2), said, {"text": "better"})
    return path


def places(archive: Path) -> Mapping[str, str]:
    """An address of each kind of page, of an archive with two runs."""
    with closing(sqlite3.connect(archive)) as db:
        one = "SELECT design_id FROM parent JOIN member USING (run_id, design_id) WHERE run_id = 1 AND number > 3"
        (child,) = db.execute(one).fetchone()
        (baseline,) = db.execute("SELECT design_id FROM member WHERE run_id = 1 AND number = 0").fetchone()
        query = (
            "SELECT hex(episode) FROM outcome JOIN evaluation ON id = evaluation_id"
            " WHERE run_id = 1 AND design_id = ? AND role = 'deployment'"
        )
        (played,) = db.execute(query, (child,)).fetchone()
        (filmed,) = db.execute("SELECT hex(key) FROM recording").fetchone()
        (call,) = db.execute("SELECT max(id) FROM call").fetchone()
    return {
        "runs": "/",
        "run": "/runs/1",
        "run by time": "/runs/2?by=time&cost=delay",
        "designs": "/runs/1/designs",
        "lineage": "/runs/1/lineage",
        "lineage with values": "/runs/2/lineage",
        "design": f"/designs/{child}?run=1",
        "baseline": f"/designs/{baseline}?run=1",
        "episode": f"/episodes/{played.lower()}?run=1&design={child}",
        "episode step by step": f"/episodes/{filmed.lower()}",
        "compare": "/compare",
        "compare runs": "/compare?runs=1,2",
        "compare designs": f"/compare?designs={child},{baseline}&run=1",
        "insights": "/insights",
        "insight": "/insights/1",
        "calls": "/calls",
        "calls of a run": "/calls?run=1",
        **({"call": f"/calls/{call}"} if call else {}),
    }
