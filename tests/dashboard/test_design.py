"""The page of one design."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from archive.dashboard.code import LONGEST, difference, highlighted, visible
from archive.opening import open_archive
from archive.tables import State
from tests.dashboard.conftest import serving
from tests.dashboard.strange import DESIGN, ODD, SCRIPT, SOURCE, TASK, Entered, enter
from tests.end_to_end.conftest import Shell


@pytest.fixture(scope="module")
def entered(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Entered:
    """A copy of the archive with a strange design in it."""
    return enter(Path(shutil.copy(recorded, tmp_path_factory.mktemp("strange") / "a.db")))


@pytest.fixture(scope="module")
def strange(entered: Entered) -> TestClient:
    return serving(entered.path)


def designs(path: Path, run: int) -> list[str]:
    archive = open_archive(path)
    found = [each.design_id for each in archive.members(run)]
    archive.close()
    return found


@pytest.mark.parametrize("run", [1, 2])
def test_it_tells_what_the_terminal_shows(client: TestClient, recorded: Path, run: int) -> None:
    shell = Shell(recorded.parent)
    for design in designs(recorded, run)[::3]:
        told = client.get(f"/api/designs/{design}?run={run}").json()
        known = shell.here("show", design, "--run", str(run), "--json").json
        for name in ("design", "run", "number", "state", "reason", "origin", "summary", "change", "source"):
            assert told[name] == known[name], name
        assert (told["score"] or {}).get("score") == known["score"]
        gains = {gain["over"]: gain for gain in told["gains"]}
        for over, name in (("no memory", "gain"), ("nearest", "gain_over_nearest"), ("parent", "gain_over_parent")):
            shown = gains.get(over)
            if shown is not None and known[name] is not None:
                assert shown["mean"] == pytest.approx(known[name]["mean"])
                assert [shown["low"], shown["high"]] == pytest.approx(known[name]["interval"])
        tasks = {row["task"]: row["cells"][0]["score"] for row in (told["maps"] or [{"rows": []}])[0]["rows"]}
        assert tasks == {each["task"]: each["score"] for each in known["tasks"]}
        assert [each["design"] for each in told["lineage"]] == [each["design"] for each in known["lineage"]]
        assert {each["design"] for each in told["children"]} == {each["design"] for each in known["children"]}
        assert (told["verdict"] or {}).get("total") == (known["comparison"] or {}).get("total")
        assert (told["example"] or {}).get("task") == (known["example"] or {}).get("task")
        assert [each["state"] for each in told["life"]] == [each["state"] for each in known["life"]]


def test_every_design_has_a_page(client: TestClient, recorded: Path) -> None:
    for design in designs(recorded, 2):
        page = client.get(f"/designs/{design}?run=2")
        assert page.status_code == 200
        assert 'data-testid="source"' in page.text
        assert f"evolve export {design[:10]}" in page.text


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/designs/0-nothing", 404, "no design whose id begins with"),
        ("/designs/1-", 404, "more than one design"),
        ("/designs/1-6ffc1059?run=9", 404, "it is in run 1, 2"),
        ("/designs/1-6ffc1059?run=x", 422, "run:"),
        ("/designs/1-6ffc1059", 200, "Baseline"),
    ],
)
def test_it_is_found_by_the_beginning_of_its_id(client: TestClient, address: str, status: int, said: str) -> None:
    page = client.get(address)
    assert page.status_code == status
    assert said in html.unescape(page.text)


def test_the_source_is_downloaded_as_it_is(strange: TestClient) -> None:
    answer = strange.get(f"/designs/{DESIGN}/source.py")
    assert answer.text == SOURCE
    assert answer.headers["content-type"].startswith("text/x-python")
    assert answer.headers["content-disposition"] == 'attachment; filename="design_2_ffffffffff.py"'
    assert strange.get("/designs/0-none/source.py").status_code == 404


def test_whatever_was_written_stays_text(strange: TestClient, entered: Entered) -> None:
    page = strange.get(f"/designs/{DESIGN}?run=1").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "49" not in page.split("{{")[0][-3:]
    assert "⟨U+202E⟩" in page, "code shows what cannot be seen"
    shown = html.unescape(re.sub(r"<[^>]*>", "", page))
    for part in ("Why it failed", "Traceback: line 3", SCRIPT, "Expected to gain", "Sent back", "500 of 2,000 tokens"):
        assert part in shown
    told = strange.get(f"/api/designs/{DESIGN}").json()
    assert told["change"] == ODD
    assert told["thoughts"]["improves"] == [TASK]
    assert [each["parent"]["design"] for each in told["changes"]] == [entered.parent]


def test_only_what_is_under_way_follows_its_run(strange: TestClient, entered: Entered) -> None:
    archive = open_archive(entered.path, write=True)
    archive.add_event(1, DESIGN, State.SMOKE)
    try:
        assert " data-refreshed" in strange.get(f"/designs/{DESIGN}").text
        archive.add_event(1, DESIGN, State.FAILED, "It fails again.")
    finally:
        archive.close()
    page = strange.get(f"/designs/{DESIGN}").text
    assert "It fails again." in page
    assert " data-refreshed" not in page


def plain(lines: object) -> str:
    assert isinstance(lines, tuple)
    return html.unescape(re.sub(r"<[^>]*>", "", "\n".join(lines)))


@pytest.mark.parametrize(
    "source", [SOURCE, "", "\n\n", "def f(:\n  '''open", "x = 1\r\ny\x0c = 2\u2028", 'f"{a!r:>{w}}" + b"\\x00"\n']
)
def test_highlighting_loses_nothing(source: str) -> None:
    assert plain(highlighted(source)) == visible(source).removesuffix("\n")


def test_a_difference_is_one_of_lines() -> None:
    old = "".join(f"a{number}\n" for number in range(40))
    new = old.replace("a5\n", "b5\nb6\n").replace("a30\n", "")
    groups = difference(old, new)
    assert groups is not None
    assert len(groups) == 2
    marks = [(line.mark, line.old, line.new) for group in groups for line in group if line.mark != "same"]
    assert marks == [("removed", 6, None), ("added", None, 6), ("added", None, 7), ("removed", 31, None)]
    assert difference(old, old) == []
    assert difference("x\n" * (LONGEST + 1), new) is None
