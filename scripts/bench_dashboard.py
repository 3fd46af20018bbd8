"""How fast the dashboard is over a large archive, how its lineage draws, and what it costs a run that writes.

    .venv/bin/python scripts/make_archive.py large.db --designs 20000 --tasks 58
    .venv/bin/python scripts/bench_dashboard.py pages large.db
    .venv/bin/python scripts/bench_dashboard.py lineage large.db
    .venv/bin/python scripts/bench_dashboard.py run --designs 60 --pairs 5

`pages` asks each address of `evolve dashboard` so many times, and prints milliseconds until the answer was read whole
(wall time, which other work on the machine lengthens) and of CPU of the server, at first and at the median (which it
does not). `lineage` draws and
pans the graph in Chromium. `run` searches on `recall`, by turns alone and beside a dashboard whose page of the run is
open: each commit that it is told of makes it ask for what a browser asks. It prints CPU seconds of the driver and its
children, and their ratio.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

EVOLVE = Path(sys.executable).with_name("evolve")
SEARCH = (
    *("--domain", "recall", "--collection", "8", "--deployment", "16", "--repeats", "1", "--finalists", "0"),
    *("--sandbox", "process", "--workers", "0", "--reproducible"),
)
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
PATIENCE = 120.0


class Server:
    """`evolve dashboard` over an archive."""

    def __init__(self, archive: Path) -> None:
        command = [str(EVOLVE), "dashboard", "--archive", str(archive), "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self._process.stdout is not None
        self.base = self._process.stdout.readline().split(" at ")[1].split()[0].rstrip("/")

    def close(self) -> None:
        """End it as a user would."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(20)

    def busy(self) -> float:
        """Milliseconds of CPU that its threads took so far."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6

    def get(self, address: str) -> int:
        """Ask, read the answer whole, and return its length."""
        with urllib.request.urlopen(self.base + address, timeout=PATIENCE) as answer:
            return len(answer.read())


@contextmanager
def serving(archive: Path) -> Iterator[Server]:
    """A server that ends."""
    with closing(Server(archive)) as server:
        yield server


def addresses(archive: Path) -> Sequence[str]:
    """Of each page and each chart, of the run with the most designs."""
    with closing(sqlite3.connect(f"file:{archive}?mode=ro", uri=True)) as db:
        (run,) = db.execute("SELECT run_id FROM member GROUP BY run_id ORDER BY COUNT(*) DESC LIMIT 1").fetchone()
        scored = (
            "SELECT design_id, id FROM evaluation WHERE run_id = ? AND role = 'deployment' ORDER BY score DESC LIMIT 2"
        )
        (best, evaluation), (second, _) = db.execute(scored, (run,)).fetchall()
        played = "SELECT lower(hex(episode)) FROM outcome WHERE evaluation_id = ? LIMIT 1"
        (episode,) = db.execute(played, (evaluation,)).fetchone()
        (call,) = db.execute("SELECT max(id) FROM call").fetchone()
    return [
        "/",
        f"/runs/{run}",
        *(f"/api/runs/{run}/course?by={by}" for by in ("episodes", "dollars")),
        *(f"/api/runs/{run}/{chart}" for chart in ("funnel", "pareto")),
        f"/runs/{run}/designs",
        f"/runs/{run}/designs?sort=-number&page=200",
        f"/runs/{run}/designs?state=failed&sort=number",
        f"/runs/{run}/designs?change=swapped&sort=-tokens",
        f"/runs/{run}/lineage",
        f"/api/runs/{run}/lineage/graph",
        f"/designs/{best}?run={run}",
        f"/episodes/{episode}?run={run}&design={best}",
        "/compare",
        f"/compare?runs={run}",
        f"/api/compare/curves?runs={run}",
        f"/compare?designs={best},{second}&run={run}",
        "/insights",
        "/calls",
        f"/calls?run={run}",
        "/calls?design=1-&sort=-dollars",
        *([f"/calls/{call}"] if call else []),
    ]


def bench_pages(archive: Path, times: int) -> None:
    """Print how long each address takes."""
    headings = f"{'first':>8}{'p50':>8}{'p95':>8}{'CPU':>8}{'CPU p50':>9}{'KB':>9}"
    print(f"{'address':52}{headings}    load {os.getloadavg()[0]:.1f}")
    with serving(archive) as server:
        for address in addresses(archive):
            wall, busy, length = [], [], 0
            for _ in range(times):
                before, began = server.busy(), time.perf_counter()
                length = server.get(address)
                wall.append((time.perf_counter() - began) * 1000)
                busy.append(server.busy() - before)
            p50, p95 = statistics.median(wall), statistics.quantiles(wall, n=20, method="inclusive")[-1]
            shown = address if len(address) < 50 else f"{address[:34]}...{address[-12:]}"
            took = f"{wall[0]:8.0f}{p50:8.0f}{p95:8.0f}{busy[0]:8.0f}{statistics.median(busy):9.0f}"
            print(f"{shown:52}{took}{length / 1000:9.1f}", flush=True)


FRAME = """async () => {
    const began = performance.now();
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - began;
}"""
"""Milliseconds until what was just asked for is drawn."""


def bench_lineage(archive: Path) -> None:
    """Print how long the graph takes to be there, and each frame while it is panned, after it was zoomed into."""
    from playwright.sync_api import sync_playwright

    run = addresses(archive)[1]
    with serving(archive) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        for _ in range(3):
            began = time.perf_counter()
            page.goto(f"{server.base}{run}/lineage")
            page.wait_for_selector("[data-chart][data-drawn]", timeout=PATIENCE * 1000)
            drawn = time.perf_counter() - began
            redrawn = page.evaluate(
                "() => { const t = performance.now(); palimpsest.redraw(); return performance.now() - t; }"
            )
            box = page.locator("[data-chart]").first.bounding_box()
            assert box is not None
            page.mouse.move(box["x"] + 300, box["y"] + 200)
            page.mouse.wheel(0, -400)
            page.wait_for_timeout(500)
            page.mouse.down()
            frames = []
            for step in range(20):
                page.mouse.move(box["x"] + 300 + 10 * step, box["y"] + 200)
                frames.append(page.evaluate(FRAME))
            page.mouse.up()
            slowest, typical = max(frames), statistics.median(frames)
            print(f"drawn after {drawn:.2f} s; again in {redrawn:.0f} ms; ", end="")
            print(f"panned at {typical:.0f} ms a frame, at most {slowest:.0f}")
        browser.close()


class Watcher(threading.Thread):
    """A page of a run that is left open: told of a commit, it asks for its parts anew, at most once a second."""

    def __init__(self, server: Server, run: int) -> None:
        super().__init__(daemon=True)
        self._server, self._run = server, run
        self.asked = 0

    def run(self) -> None:
        """Listen until the server ends."""
        parts = [f"/runs/{self._run}", *(f"/api/runs/{self._run}/{chart}" for chart in ("course", "funnel", "pareto"))]
        try:
            with urllib.request.urlopen(f"{self._server.base}/live?run={self._run}", timeout=PATIENCE) as stream:
                for line in stream:
                    if line.startswith(b"event: changed"):
                        for part in parts:
                            self._server.get(part)
                        self.asked += 1
                        time.sleep(1)
        except OSError:
            return


def _searched(archive: Path, designs: int) -> tuple[float, float]:
    """Seconds of CPU, and of wall time, of a search."""
    command = [str(EVOLVE), "run", *SEARCH, "--archive", str(archive), "--designs", str(designs)]
    began = time.perf_counter()
    process = os.posix_spawn(
        command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    )
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"the search ended with status {status}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - began


def bench_run(designs: int, pairs: int) -> None:
    """Print what a search takes alone and beside a dashboard, by turns."""
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for pair in range(pairs):
            found = {}
            for mode in ("alone", "watched") if pair % 2 else ("watched", "alone"):
                archive = Path(folder) / f"{mode}-{pair}.db"
                _searched(archive, 1)
                if mode == "alone":
                    found[mode] = _searched(archive, designs)
                    continue
                with serving(archive) as server:
                    watcher = Watcher(server, 1)
                    watcher.start()
                    found[mode] = _searched(archive, designs)
                    asked = watcher.asked
            (alone, wall_alone), (watched, wall_watched) = found["alone"], found["watched"]
            ratios.append(watched / alone)
            print(
                f"CPU {alone:.2f} s alone, {watched:.2f} s watched ({asked} refreshes): {ratios[-1]:.3f};"
                f" wall {wall_alone:.1f} and {wall_watched:.1f} s; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    print(f"median ratio of CPU {statistics.median(ratios):.3f}")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pages", "lineage", "run"))
    parser.add_argument("archive", type=Path, nargs="?")
    parser.add_argument("--times", type=int, default=20, help="requests of each page")
    parser.add_argument("--designs", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    if given.what == "run":
        bench_run(given.designs, given.pairs)
    elif given.archive is None or not given.archive.is_file():
        parser.error("give an archive; `scripts/make_archive.py` makes a large one")
    elif given.what == "pages":
        bench_pages(given.archive, given.times)
    else:
        bench_lineage(given.archive)


if __name__ == "__main__":
    main()
