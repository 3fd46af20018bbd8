"""Foreign designs are shown in one layout, and compared in it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from archive.opening import open_archive
from archive.tables import Design
from evolve.commands.files import readable
from evolve.commands.inspect import diff_designs
from tests.sandbox.samples import REMEMBERS

CROWDED = REMEMBERS.replace("\n    ", "\n\n    ").replace(" = ", "=")


def row(source: str, origin: str = "untrusted", name: str = "1-a") -> Design:
    return Design(id=name, source=source, summary="", origin=origin, created=0.0)


def test_layout_is_no_difference() -> None:
    one, other = readable(row(REMEMBERS), row(CROWDED))
    assert one == other != REMEMBERS
    assert readable(row(REMEMBERS, "composed"), row(CROWDED)) == [one, one]


@pytest.mark.parametrize(("source", "origin"), [(REMEMBERS, "composed"), ("not a design", "untrusted")])
def test_what_needs_no_layout_or_can_have_none_stays_as_it_is(source: str, origin: str) -> None:
    assert readable(row(source, origin)) == [source]


def test_only_what_differs_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(open_archive(tmp_path / "a.db", write=True)) as archive:
        archive.save(row(REMEMBERS))
        archive.save(row(CROWDED.replace("sort()", "reverse()"), name="1-b"))
    diff_designs(tmp_path / "a.db", "1-a", "1-b", as_json=False)
    changes = [
        line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith(("+", "-")) and line[:3] not in ("+++", "---")
    ]
    assert [line.strip("+- ") for line in changes] == ["self.kept.sort()", "self.kept.reverse()"]
