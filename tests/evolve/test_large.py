"""An archive that `scripts/make_archive.py` builds is one of a run, and is read and resumed as such."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from archive.opening import open_archive
from archive.tables import Design
from domains.base import Role
from evolve.commands.tables import best_rows, counts
from scripts.bench_overhead import measure_archive
from scripts.make_archive import make

DESIGNS = 40


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not large here: what is tested does not depend on that."""
    path = tmp_path_factory.mktemp("large") / "large.db"
    make(path, DESIGNS, tasks=4, seed=1)
    return path


def test_equal_seeds_give_equal_designs_and_scores(large: Path, tmp_path: Path) -> None:
    make(tmp_path / "again.db", DESIGNS, tasks=4, seed=1)
    found = []
    for path in (large, tmp_path / "again.db"):
        with closing(open_archive(path)) as archive:
            scores = {row.design_id: row.score for row in archive.evaluations(1, Role.DEPLOYMENT)}
            found.append((scores, archive.parents(1), [asked.payload for asked in archive.asked(1)]))
    assert found[0] == found[1]


def test_it_holds_what_a_search_would_have_written(large: Path) -> None:
    with closing(open_archive(large)) as archive:
        run = archive.run(1)
        members = [member for member in archive.members(1) if member.number]
        assert [member.number for member in members] == list(range(1, DESIGNS + 1))
        assert sum(counts(archive, 1).values()) == DESIGNS
        best = best_rows(archive, run, 5)
        assert [row.score.mean for row in best] == sorted((row.score.mean for row in best), reverse=True)
        design: Design = archive.design(best[0].design)
        assert "class Design(LayeredDesign)" in design.source
        evaluation = archive.evaluation(1, design.id, Role.DEPLOYMENT)
        assert evaluation is not None
        outcomes = archive.outcomes(evaluation.id or 0)
        assert len(outcomes) == 4
        assert all(archive.told(outcome.told) for outcome in outcomes)
        assert archive.scores(outcome.episode for outcome in outcomes if outcome.episode).keys()


def test_it_is_measured_and_goes_on(large: Path) -> None:
    found = measure_archive(large)
    assert found["designs"] > DESIGNS
    assert found["duplicate_check_ms"] < 10
    assert 0 < found["resume_own_ms"] <= found["resume_first_result_ms"]
