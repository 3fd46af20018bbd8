"""What a run says of its designs: who their parents are, what passes are worth, and how much it keeps in mind."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from domains.base import Role
from evolve import finals
from evolve.asking import Conversation
from evolve.config import RunConfig
from evolve.proposers.registry import make as make_proposer
from evolve.session import Sitting, sit_down
from evolve.strategies.registry import make as make_strategy

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK: dict[str, Any] = {"domain": "recall", "sandbox": "process", "workers": 0, "collection": 8, "deployment": 8}


@contextmanager
def searched(folder: Path, **changes: Any) -> Iterator[Sitting]:
    """A run whose search is over, still open."""
    config = RunConfig(**{**QUICK, **changes})
    watch: Callable[[object], None] = lambda progress: None  # noqa: E731
    with sit_down(config, folder / "a.db", watch) as sitting:
        search = sitting.search
        specs = search.prepare(Role.DEPLOYMENT, config.deployment)
        search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
        Conversation(search, make_strategy(config), make_proposer(config), specs).run()
        yield sitting


def test_what_was_composed_afresh_has_no_parents_though_the_strategy_had_chosen_some(tmp_path: Path) -> None:
    with searched(tmp_path, designs=14, finalists=0) as sitting:
        archive, run = sitting.archive, sitting.search.run_id
        chosen = {}
        for request in archive.requests(run):
            chosen[json.loads(request.result or "{}").get("design")] = json.loads(request.payload)["parents"]
        members = [member for member in archive.members(run) if member.number]
        parents = {member.design_id: archive.parents_of(run, member.design_id) for member in members}
    left = [member for member in members if member.change.endswith("leaving the parent")]
    assert 0 < len(left) < len(members)
    for member in members:
        assert list(parents[member.design_id]) == ([] if member in left else chosen[member.design_id])
    assert all(chosen[member.design_id] for member in left)


@pytest.mark.parametrize("repeats", [1, 2])
def test_finals_of_dynamic_mode_count_passes(tmp_path: Path, repeats: int) -> None:
    """One pass orders finalists by their scores, and says nothing of how sure that is."""
    dynamic = {"mode": "dynamic", "repeats": repeats, "designs": 4, "finalists": 2, "confirmation": 6}
    with searched(tmp_path, **dynamic) as sitting:
        finals.play(sitting.search)
        ranked = finals.ranking(sitting.archive, sitting.search.run_id)
        row = sitting.archive.evaluation(sitting.search.run_id, ranked[0].design, "deployment")
        reason = sitting.archive.life(sitting.search.run_id, ranked[0].design)[-1].reason
    assert row is not None
    assert row.n == repeats
    assert reason.endswith("confirmed on 6 tasks" + (" in 2 passes" if repeats > 1 else ""))
    for each in ranked:
        assert each.searched.n == each.confirmed.n == each.controls["blank"].n == repeats
        assert (each.confirmed.interval is None) == (repeats == 1)
    if repeats == 1:
        assert {each.dominance for each in ranked} == {0.5}
        assert ranked[0].score >= ranked[1].score


def test_what_the_checker_said_is_kept_of_the_last_designs_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evolve.judging.REMEMBERED", 2)
    with searched(tmp_path, designs=4, finalists=0) as sitting:
        judge, archive = sitting.search.judge, sitting.archive
        designs = [archive.exactly(member.design_id) for member in archive.members(sitting.search.run_id)]
        for design in [*designs, designs[0]]:
            assert judge.checked(design).hash == design.id
        assert list(judge._checked) == [designs[-1].id, designs[0].id]
