"""The dashboard in a real browser: every page, by mouse and by keyboard, in light and dark, narrow and wide, live."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from archive.opening import open_archive
from archive.tables import State
from tests.dashboard.browsing import NAMES, Visit, chromium, dashboard, places, visiting, with_calls

SOON = 2.0
"""Seconds from a commit until a page is told."""
CONTRAST = """() => {
    const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => parts(colour).slice(0, 3).map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parts(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] > 0.99) return getComputedStyle(at).backgroundColor;
        }
        return getComputedStyle(document.documentElement).backgroundColor;
    };
    const poor = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('[data-chart]')) continue;
        const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) poor.push([element.className, walker.currentNode.data.slice(0, 20), ratio]);
    }
    return poor;
}"""
"""Text that is hard to read: less than 4.5 to 1 against its ground (WCAG 2.2, 1.4.3)."""


FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at);
    const isMarked = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
    return [isMarked, at.getBoundingClientRect().width > 0, [...document.querySelectorAll('*')].indexOf(at)];
}"""
"""Whether what has the focus is marked, can be seen, and where it is in the page."""


@pytest.fixture(scope="module")
def archive(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that tests may write to."""
    return with_calls(recorded, tmp_path_factory.mktemp("browsed"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def base(archive: Path) -> Iterator[str]:
    with dashboard(archive) as address:
        yield address


@pytest.fixture
def visit(browser: Browser, base: str) -> Iterator[Visit]:
    with visiting(browser, base) as made:
        yield made
    assert made.trouble == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_renders(visit: Visit, archive: Path, name: str) -> None:
    """Without a complaint, in light and dark, and never wider than the window."""
    page = visit.open(places(archive)[name])
    expect(page.locator("h1")).to_be_visible()
    expect(page.get_by_test_id("error")).to_have_count(0)
    looks: list[tuple[Literal["light", "dark"], int]] = [("light", 1400), ("dark", 360), ("dark", 2560), ("light", 360)]
    for scheme, width in looks:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.locator("html")).to_have_js_property("scrollWidth", width)
        assert page.evaluate(CONTRAST) == [], (scheme, width)


def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = visit.open("/runs/1/designs")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    heading = page.locator("#designs th").first
    heading.get_by_role("link").focus()
    for order in ("ascending", "descending"):
        page.keyboard.press("Enter")
        expect(heading).to_have_attribute("aria-sort", order)
        expect(heading.get_by_role("link")).to_be_focused()
    expect(page).to_have_url(f"{visit.base}/runs/1/designs?sort=-number")
    page.locator("#main").focus()
    page.keyboard.press("/")
    expect(page.locator(":focus")).to_have_attribute("aria-label", "Filter #")
    page.keyboard.type("3")
    expect(page.locator("#designs tbody tr")).to_have_count(1)
    expect(page.locator(":focus")).to_have_value("3")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/designs/*?run=1")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url(f"{visit.base}/")


def test_each_stop_of_tab_can_be_seen(visit: Visit, archive: Path) -> None:
    """In the order of the page, and with a mark around what has the focus."""
    page = visit.open(places(archive)["run"])
    seen = []
    for _ in range(25):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(FOCUSED))
    assert all(marked and shown for marked, shown, _ in seen)
    assert [place for *_, place in seen] == sorted(place for *_, place in seen)


def test_light_or_dark_is_kept(visit: Visit) -> None:
    page = visit.open("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark


def test_a_table_is_downloaded_and_paged(visit: Visit) -> None:
    page = visit.open("/runs/1/designs?size=3&sort=number")
    expect(page.locator("#designs tbody tr")).to_have_count(3)
    first = page.locator("#designs tbody tr").first.inner_text()
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(f"{visit.base}/runs/1/designs?size=3&sort=number&page=2")
    expect(page.locator("#designs tbody tr").first).not_to_have_text(first)
    page.go_back()
    expect(page.locator("#designs tbody tr").first).to_have_text(first, use_inner_text=True)
    count = int(page.get_by_test_id("count-designs").inner_text().split()[0])
    for kind in ("CSV", "JSON"):
        with page.expect_download() as started:
            page.get_by_role("link", name=kind, exact=True).click()
        text = Path(started.value.path()).read_text("utf-8")
        assert started.value.suggested_filename == f"designs.{kind.lower()}"
        assert (len(json.loads(text)) if kind == "JSON" else text.count("\n") - 1) >= count


def test_choices_of_a_chart_change_it_and_the_address(visit: Visit) -> None:
    page = visit.open("/runs/1")
    with page.expect_response("**/api/runs/1/course?by=designs"):
        page.get_by_role("link", name="designs", exact=True).first.click()
    expect(page).to_have_url(f"{visit.base}/runs/1?by=designs")


def test_a_commit_is_seen_at_once(visit: Visit, archive: Path) -> None:
    """The page is told within two seconds, and shows it by itself."""
    page = visit.open("/runs/1")
    expect(page.get_by_test_id("live")).to_have_text("live")
    page.evaluate("document.addEventListener('changed', () => { document.body.dataset.told ??= Date.now() / 1000; })")
    page.wait_for_timeout(1000)
    page.evaluate("delete document.body.dataset.told")
    with closing(open_archive(archive, write=True)) as opened:
        design = opened.members(1)[-1].design_id
        opened.add_event(1, design, State.FAILED, "a reason that was not there before")
        committed = time.time()
    page.wait_for_selector("[data-told]")
    assert float(page.evaluate("document.body.dataset.told")) - committed < SOON
    expect(page.get_by_test_id("log")).to_contain_text("a reason that was not there before")
