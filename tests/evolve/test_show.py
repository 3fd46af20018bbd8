"""Foreign text on a terminal."""

from __future__ import annotations

import pytest

from evolve.commands import show
from evolve.statistics import Estimate


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("\x1b[31mred\x1b]0;title\x07", "[31mred]0;title"),
        ("a\rb\x08c", "abc"),
        ("left\u202eright\u2066", "leftright"),
        ("\x9b31m", "31m"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("tab\tand\nline, café ☕", "tab\tand\nline, café ☕"),
        ("[bold]no markup[/bold] [/]", "[bold]no markup[/bold] [/]"),
    ],
)
def test_what_steers_a_terminal_is_taken_out(foreign: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert show.safe_text(foreign) == shown
    show.say(foreign)
    assert "\x1b" not in capsys.readouterr().out
    show.say_table(("text", ">more"), [(foreign, foreign)])
    assert not set("\x1b\x07\x08\r") & set(capsys.readouterr().out)
    show.say_code(foreign)
    assert not set("\x1b\x07\x08\r") & set(capsys.readouterr().out)


def test_long_text_is_cut() -> None:
    assert show.safe_text("x" * 50, 10) == "x" * 10 + " ..."


def test_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show.say("[red]text[/red] :smile:")
    show.say_heading("[/] heading")
    assert capsys.readouterr().out == "[red]text[/red] :smile:\n\n[/] heading\n"


def test_tables_have_no_blanks_at_the_ends_of_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show.say_table(("name", "#number", "~long"), [("a", "1", "word " * 60), ("b", "22", "")])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    assert lines[1].startswith("a          1  word")
    assert lines[1].endswith("…")


def test_estimates_and_durations() -> None:
    estimate = Estimate(0.25, 0.125, 0.5, 20)
    assert show.estimate_text(estimate) == "0.250 [0.125, 0.500]"
    assert show.estimate_text(estimate, signed=True) == "+0.250 [+0.125, +0.500]"
    assert show.estimate_text(None) == "-"
    assert show.estimate_json(estimate) == {"mean": 0.25, "interval": [0.125, 0.5], "n": 20}
    assert [show.minutes(seconds) for seconds in (0, 59.9, 61, 3725)] == ["0:00", "0:59", "1:01", "1:02:05"]
