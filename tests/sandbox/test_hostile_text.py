"""Text that a design wrote is data: it arrives as it is, and steers neither a terminal nor whoever reads it."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict

import pytest

from evolve.commands import show
from sandbox.backend import DesignFault
from sandbox.session import DesignSession
from tests.sandbox.samples import TRAJECTORY, query
from tests.sandbox.verdicts import TEXTS, source_of, text_of


@pytest.fixture(params=TEXTS)
def name(request: pytest.FixtureRequest) -> str:
    """A design that writes where it can."""
    return str(request.param)


@pytest.fixture
def told(session: DesignSession, name: str) -> dict[str, str]:
    """All that comes out of it: its class's name and instructions, an exception, an item, and what it printed."""
    loaded = session.load(source_of(name), seed=1)
    session.update(TRAJECTORY)
    with session.episode() as episode:
        item = episode.retrieve(query("calm"))[0]
        with pytest.raises(DesignFault) as caught:
            episode.retrieve(query("attack"))
    fault = caught.value
    return {
        "name": loaded.name,
        "instructions": loaded.instructions,
        **{f"fault's {key}": getattr(fault, key) for key in ("kind", "message", "traceback")},
        "reason": str(fault),
        **asdict(item),
        "log": session.log,
    }


def test_it_arrives_as_it_is(told: dict[str, str], name: str) -> None:
    text = text_of(name)
    for key in ("instructions", "text", "fault's message"):
        assert told[key] == text
    for key in ("reason", "log"):
        assert text in told[key]


def test_it_is_json_like_any_other_text(told: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    show.say_json(told)
    printed = capsys.readouterr().out
    assert json.loads(printed) == told
    assert steering(printed) == set()


def test_it_steers_no_terminal(told: dict[str, str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for text in told.values():
        show.say(text)
        show.say_heading(text)
        show.say_code(text)
        show.complain(text)
    show.say_table(("key", "text", "#text", "~text", ">text"), [(key, *[text] * 4) for key, text in told.items()])
    printed = "".join(capsys.readouterr())
    assert steering(printed) == set()
    for part in ("[bold]markup[/bold] [/]", ":skull:", "<script>alert(1)</script>", "{{score}} %(score)s $score"):
        assert (part in printed) == (part in text_of(name))


def steering(text: str) -> set[str]:
    """The characters that are no text: controls but for line ends and tabs, formats, halves of surrogate pairs."""
    return {mark for mark in text if mark not in "\n\t" and unicodedata.category(mark) in ("Cc", "Cf", "Cs")}
