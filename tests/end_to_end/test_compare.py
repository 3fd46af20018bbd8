"""`evolve compare` and `evolve elites` on runs of two strategies with two search seeds."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

import pytest

from tests.end_to_end.conftest import QUICK, Shell

OPTIONS = ("--designs", "4", "--finalists", "1", "--confirmation", "60")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Runs 1 to 4: `alma` and `random`, seeds 0 and 1; and run 5, which played other tasks. Tests only read it."""
    made = Shell(tmp_path_factory.mktemp("compare"))
    for strategy in ("alma", "random"):
        for seed in ("0", "1"):
            done = made.here("run", *QUICK, *OPTIONS, "--strategy", strategy, "--seed", seed)
            assert done.code == 0, done.err
    assert made.here("run", *QUICK, "--designs", "1", "--finalists", "0", "--deployment", "6").code == 0
    return made


def test_sides_are_compared_over_seeds(searched: Shell) -> None:
    found = searched.here("compare", "1", "2", "3", "4", "--json").json
    assert (found["by"], found["budget"], found["seeds"], found["left_out"]) == ("episodes", 32, [0, 1], [])
    assert {side["side"] for side in found["sides"]} == {"alma", "random"}
    for side in found["sides"]:
        assert side["search"]["n"] == side["confirmed"]["n"] == 2
        assert side["test"] is None
        assert 0 <= side["area"]["mean"] <= side["search"]["mean"]
        for run in side["runs"]:
            top = searched.here("top", "--run", str(run["run"]), "--json").json
            gain = max(0.0, top["top"][0]["score"] - top["no_memory"]["mean"])
            assert max([0.0, *(step["gain"] for step in run["steps"])]) == pytest.approx(gain)
    assert [len(found["pairs"][name]) for name in ("search", "area", "confirmed", "test")] == [1, 1, 1, 0]
    for curve in found["curves"]:
        gains = [point["gain"]["mean"] for point in curve["points"]]
        assert gains == sorted(gains)


def test_it_is_told_in_a_table_and_a_plot(searched: Shell) -> None:
    shown = searched.here("compare", "1", "3", "--by", "designs")
    assert shown.code == 0, shown.err
    assert "2 runs at 4 designs each; search seeds 0." in shown.out
    assert "One search seed" in shown.out
    assert "Confirmed gain" in shown.out
    alone = searched.here("compare", "1")
    assert "No control is among them" in alone.out
    assert "paired" not in alone.out


@pytest.mark.parametrize(("name", "begins"), [("curves.png", b"\x89PNG"), ("curves.svg", b"<?xml")])
def test_curves_are_drawn(searched: Shell, tmp_path: Path, name: str, begins: bytes) -> None:
    pytest.importorskip("matplotlib")
    for copy in ("one", "two"):
        (tmp_path / copy).mkdir()
        done = searched.here("compare", "1", "2", "3", "4", "--plot", str(tmp_path / copy / name))
        assert done.code == 0, done.err
    drawn = (tmp_path / "one" / name).read_bytes()
    assert drawn.startswith(begins)
    assert drawn == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "cannot be compared: they differ in deployment (8 and 6)"),
        (("1", "4"), "no search seed is common to all sides"),
        (("1", "77"), "has no run 77"),
        (("1", "--by", "luck"), "not by 'luck'"),
        (("1", "--by", "dollars"), "run 1 has spent no dollars"),
        (("1", "--plot", "curves.txt"), "ends in one of .png"),
        (("1", "--plot", "nowhere/curves.png"), "cannot be written"),
    ],
)
def test_what_cannot_be_is_a_sentence(searched: Shell, arguments: tuple[str, ...], sentence: str) -> None:
    done = searched.here("compare", *arguments)
    assert done.code == 2
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_a_picture_needs_the_extra(searched: Shell) -> None:
    with mock.patch.dict(sys.modules, {"matplotlib": None}):
        done = searched.here("compare", "1", "--plot", "curves.png")
    assert done.code == 2
    assert "pip install matplotlib" in done.err


def test_an_archive_without_searches_is_a_sentence(shell: Shell) -> None:
    assert shell.here("compare").code == 2


def test_every_niche_shows_its_best(searched: Shell) -> None:
    found = searched.here("elites", "1", "--json").json
    top = searched.here("top", "--run", "1", "--count", "99", "--json").json
    assert sum(niche["designs"] for niche in found["niches"]) == len(top["top"])
    first = next(niche for niche in found["niches"] if niche["design"] == top["top"][0]["design"])
    assert first["tokens"][0] <= first["retrieved"] <= first["tokens"][1]
    assert found["quality"] >= max(0.0, top["top"][0]["score"] - top["no_memory"]["mean"])
    shown = searched.here("elites", "1")
    assert shown.code == 0, shown.err
    assert all(niche["store"] in shown.out and niche["design"][:6] in shown.out for niche in found["niches"])
    assert searched.here("elites", "77").code == 2
