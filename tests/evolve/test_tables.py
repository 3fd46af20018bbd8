"""What the terminal says of the finals beside their numbers."""

from __future__ import annotations

import pytest

from evolve.commands.tables import print_finals
from evolve.finals import Finalist
from evolve.statistics import Estimate

SURE, UNSURE, WORSE = (
    Estimate(0.2, 0.1, 0.3, 24),
    Estimate(0.05, -0.02, 0.12, 24),
    Estimate(-0.1, -0.2, 0.0, 24),
)


@pytest.mark.parametrize(
    ("confirmed", "said"),
    [
        ((SURE, WORSE), ""),
        ((UNSURE, SURE), "1-0 may be no better than no memory"),
        ((WORSE, UNSURE), "1-0 may be no better than no memory"),
        ((WORSE, WORSE), "None of them does better than no memory"),
    ],
)
def test_a_doubt_is_said(confirmed: tuple[Estimate, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_finals([Finalist(f"1-{at}", SURE, each, {}, 0.5, 0.3, "on 24 tasks") for at, each in enumerate(confirmed)])
    told = capsys.readouterr().out
    assert "+0.200" in told
    assert said in told
    assert bool(said) == ("no better" in told or "None of them" in told)
