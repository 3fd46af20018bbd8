"""`evolve report`: one file that says what a run came to, needs nothing else and takes no orders."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from archive.dashboard.drawing import Point, draw
from tests.dashboard.strange import ODD, SCRIPT
from tests.end_to_end.conftest import QUICK, Shell


class Tags(HTMLParser):
    """The tags of a page, and the addresses that it would load or lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str | None] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]


@pytest.fixture(scope="module")
def tested(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A copy of the archive whose first run had a look at the test tasks."""
    shell = Shell(tmp_path_factory.mktemp("report"))
    shutil.copy(recorded, shell.folder)
    done = shell.here("test", "1", "--tasks", "8", "--repeats", "1", "--sandbox", "process", "--workers", "0")
    assert done.code == 0, done.err
    return shell


def report(shell: Shell, *arguments: str) -> str:
    done = shell.here("report", *arguments, "--json")
    assert done.code == 0, done.err
    text = (shell.folder / str(done.json["file"])).read_text("utf-8")
    assert done.json["bytes"] == len(text.encode()) < 2_000_000
    return text


def test_it_says_what_the_terminal_says(tested: Shell) -> None:
    text = report(tested, "1")
    top = tested.here("top", "--run", "1", "--json").json
    for row in top["top"]:
        assert row["design"][:10] in text
        assert f"{row['score']:.3f}" in text
    for finalist in top["finalists"]:
        assert f"{finalist['confirmed']['mean']:+.3f}".replace("-", "\u2212") in text
    assert "Held-out test tasks" in text
    assert "(look 1)" in text
    assert "evolve run --domain recall --designs 8 --collection 8 --deployment 8" in text
    assert "from sandbox.guest import" in re.sub(r"<[^>]+>", "", text)


def test_it_needs_nothing_else(tested: Shell) -> None:
    for number in ("1", "2"):
        found = Tags(report(tested, number))
        assert not found.tags & {"script", "link", "img", "iframe", "object", "base", "form"}
        assert not found.addresses


def test_it_is_written_where_it_is_wanted(tested: Shell, tmp_path: Path) -> None:
    done = tested.here("report", "2", "--to", str(tmp_path / "mine.html"))
    assert done.code == 0, done.err
    assert (tmp_path / "mine.html").is_file()
    newer = (tmp_path / "mine.html").read_text("utf-8")
    (tmp_path / "mine.html").write_text(newer.replace("recall", "an older one"), "utf-8")
    assert tested.here("report", "2", "--to", str(tmp_path / "mine.html")).code == 0
    assert "an older one" not in (tmp_path / "mine.html").read_text("utf-8")
    assert (tmp_path / "mine.html").write_text("of mine") == 7
    kept = tested.here("report", "2", "--to", str(tmp_path / "mine.html"))
    assert (kept.code, (tmp_path / "mine.html").read_text()) == (2, "of mine")
    assert "give --force" in kept.err
    assert tested.here("report", "2", "--to", str(tmp_path / "mine.html"), "--force").code == 0
    refused = tested.here("report", "2", "--to", str(tmp_path / "nowhere" / "mine.html"))
    assert (refused.code, "cannot be written" in refused.err) == (2, True)
    assert tested.here("report", "77").code == 2


def test_hostile_text_stays_text(tested: Shell, tmp_path: Path) -> None:
    path = Path(shutil.copy(tested.folder / "palimpsest.db", tmp_path))
    with closing(sqlite3.connect(path)) as archive:
        archive.execute("UPDATE design SET summary = ?, source = ?", (ODD, f'"""{ODD}"""\nx = 1\n'))
        archive.execute("UPDATE member SET change = ? WHERE number > 0", (ODD,))
        archive.commit()
    text = report(Shell(tmp_path), "1")
    assert SCRIPT not in text
    assert "&lt;script&gt;" in text
    assert "{{ 7 * 7 }}" in re.sub(r"<[^>]+>", "", text)
    assert not {"\u202e", "\x1b"} & set(text)
    assert not Tags(text).tags & {"script", "img"}


def test_a_run_without_a_score_has_a_report_too(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    assert shell.here("run", *QUICK, "--designs", "1", "--finalists", "0").code == 0
    with closing(sqlite3.connect(shell.folder / "palimpsest.db")) as archive:
        archive.execute("DELETE FROM evaluation")
        archive.commit()
    text = report(shell)
    assert "No design has been evaluated yet" in text
    assert "<svg viewBox" not in text


@pytest.mark.parametrize(
    ("points", "levels"),
    [
        ([Point(10, 0.2, 0.1, 0.3), Point(40, 0.4)], [("nearest", 0.4), ("constant", 0.41)]),
        ([Point(1, -0.5, -0.6, -0.4)], [("constant", -0.5)]),
        ([Point(100, 0.0)], []),
    ],
)
def test_a_curve_stays_in_its_picture(points: list[Point], levels: list[tuple[str, float]]) -> None:
    picture = draw(points, 100, levels)
    corners = [
        tuple(map(float, pair.split(","))) for pair in re.findall(r"[\d.]+,[\d.-]+", picture.line + picture.band)
    ]
    assert all(picture.left <= x <= picture.right and picture.top <= y <= picture.bottom for x, y in corners)
    labels = sorted([*(level.label for level in picture.levels), picture.end[1]])
    assert all(after - before > 10 for before, after in pairwise(labels))
