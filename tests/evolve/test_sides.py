"""What curves come to at equal budget, how sides differ, and what was spent when."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from archive.curves import payments, scored
from archive.database import insert_new
from archive.opening import open_archive
from archive.store import Archive
from archive.tables import Call, Design, Evaluation, Event, Member, Run
from evolve.config import RunConfig
from evolve.errors import InputError
from evolve.sides import Axis, Course, Side, Spent, Step, common_budget, course, over_seeds, pairs, read_sides
from evolve.statistics import significance

STEPS = [Step(Spent(10, 1, 0.5), "a", 0.2), Step(Spent(30, 4, 1.0), "b", 0.5)]
WENT = Course(1, 0, STEPS, Spent(40, 5, 2.0), {}, {})


@pytest.mark.parametrize(
    ("axis", "budget", "gain", "best", "area"),
    [
        ("episodes", 5, 0.0, None, 0.0),
        ("episodes", 20, 0.2, "a", 0.1),
        ("episodes", 40, 0.5, "b", (20 * 0.2 + 10 * 0.5) / 40),
        ("designs", 4, 0.5, "b", 3 * 0.2 / 4),
        ("dollars", 2, 0.5, "b", (0.5 * 0.2 + 1 * 0.5) / 2),
    ],
)
def test_a_budget_cuts_a_curve(axis: Axis, budget: float, gain: float, best: str | None, area: float) -> None:
    assert (WENT.gain(axis, budget), WENT.best(axis, budget)) == (gain, best)
    assert WENT.area(axis, budget) == pytest.approx(area)


def test_the_budget_is_what_every_run_has_spent() -> None:
    longer = Course(2, 0, STEPS, Spent(60, 3, None), {}, {})
    sides = [Side("one", [WENT]), Side("other", [longer])]
    assert (common_budget(sides, "episodes"), common_budget(sides, "designs")) == (40, 3)
    with pytest.raises(InputError, match="price of a model"):
        common_budget(sides, "dollars")
    with pytest.raises(InputError, match="run 3 has spent no episodes"):
        common_budget([Side("none", [Course(3, 0, [], Spent(0, 0, 0.0), {}, {})])], "episodes")


@pytest.mark.parametrize("seeds", [2, 5, 40])
def test_a_single_column_is_students_test(seeds: int) -> None:
    values = np.random.default_rng(seeds).normal(0.3, 0.5, size=seeds).tolist()
    assert significance([[value] for value in values]) == pytest.approx(ttest_1samp(values, 0).pvalue, rel=0.01)


def test_sides_are_paired_by_seed_and_task() -> None:
    level = {"a": [{"x": 0.1, "y": 0.9}, {"x": 0.3, "y": 0.5}], "b": [{"x": 0.0, "y": 0.8}, {"x": 0.2, "y": 0.4}]}
    (found,) = pairs(level)
    assert found.difference.mean == pytest.approx(0.1)
    assert found.difference.low == pytest.approx(0.1)
    assert found.p == found.adjusted < 1e-6
    other_tasks = {"a": [{"x": 0.5}, {"y": 0.4}], "b": [{"x": 0.5}, {"y": 0.4}], "c": [{"x": 0.5}, {"y": 0.4}]}
    assert [(pair.p, pair.adjusted) for pair in pairs(other_tasks)] == [(1.0, 1.0)] * 3
    assert over_seeds(other_tasks["a"]).mean == pytest.approx(0.45)
    assert pairs({"a": [{"x": 0.5}]}) == []


def archive_with(folder: Path, configs: Sequence[RunConfig], versions: Sequence[str] = ()) -> Archive:
    archive = open_archive(folder / "a.db", write=True)
    for number, config in enumerate(configs):
        version = versions[number] if versions else "1"
        text = config.model_dump_json()
        archive.save(Run(identity="x", config=text, domain_version=version, agent_version="1", sandbox="", created=0.0))
        archive.save(Design(id="none", source="", summary="", origin="untrusted", created=0.0)) if not number else None
        enter(archive, number + 1, "none", 0, {"x": 0.25, "y": 0.25}, change="no_memory")
    return archive


def enter(
    archive: Archive, run: int, design: str, number: int, scores: dict[str, float], *, change: str = "", moment: int = 0
) -> None:
    """A design with its evaluation, whose episodes cost half a dollar each."""
    mean = float(np.mean(list(scores.values())))
    with archive.columns() as connection:
        member = {"run_id": run, "design_id": design, "number": number, "role": "candidate", "change": change}
        insert_new(connection, Member, [member])
        event = {"run_id": run, "design_id": design, "state": "evaluated", "reason": "", "created": moment}
        insert_new(connection, Event, [event])
    columns: dict[str, Any] = {"low": mean, "high": mean, "n": 2, "tokens": 1.0, "cut": 0, "calls": 0, "seconds": 0.1}
    found = Evaluation(run_id=run, design_id=design, role="deployment", score=mean, created=float(moment), **columns)
    archive.add_evaluation(found, [_outcome(design, task, score) for task, score in scores.items()], {})
    paid = {"seed": 0, "success": False, "steps": 1, "tokens_in": 9, "tokens_out": 9, "dollars": 0.5}
    archive.add_episodes(
        [{"key": f"{design}{task}".encode(), "task_id": task, "score": score, **paid} for task, score in scores.items()]
    )


def _outcome(design: str, task: str, score: float) -> dict[str, object]:
    key = f"{design}{task}".encode()
    return {"task_id": task, "repeat": 0, "score": score, "episode": key, "told": b"", "tokens": 1}


def called(archive: Archive, role: str, dollars: float | None, moment: float, hit_of: int | None = None) -> None:
    counts: dict[str, Any] = dict.fromkeys(("sample", "tokens_in", "tokens_out", "cached", "reasoning", "written"), 0)
    named: dict[str, Any] = {"run_id": 1, "key": b"k", "role": role, "model": "m", "design": "", "finish": "stop"}
    archive.save(Call(**named, **counts, dollars=dollars, created=moment, hit_of=hit_of))


def test_what_was_spent_when(tmp_path: Path) -> None:
    config = RunConfig(agent="openai:m")
    with closing(archive_with(tmp_path, [config])) as archive:
        called(archive, "reflect", 2.0, 1.0)
        called(archive, "reflect", 0.0, 2.0, hit_of=1)  # answered by the first one, and counted as if it were not
        called(archive, "agent", 7.0, 2.0)  # is in its episode
        enter(archive, 1, "a", 1, {"x": 0.5, "y": 0.5}, moment=1)
        enter(archive, 1, "b", 2, {"x": 0.1, "y": 0.1}, moment=3)
        enter(archive, 1, "c", 3, {"x": 1.0, "y": 0.5}, moment=4)
        called(archive, "reflect", None, 5.0)
        assert [row.episodes for row in scored(archive, 1)] == [2, 2, 2]
        assert [payment.dollars for payment in payments(archive, 1, "agent")] == [2.0, 2.0, None]
        went = course(archive, 1, config)
        assert went.steps == [Step(Spent(2, 1, 3.0), "a", 0.25), Step(Spent(6, 3, 7.0), "c", 0.5)]
        assert went.total == Spent(6, 3, 7.0)
        assert went.chosen == {}
        enter(archive, 1, "d", 4, {"x": 1.0, "y": 1.0}, moment=6)
        assert course(archive, 1, config).total.dollars is None


def test_sides_that_share_no_task_are_no_pair() -> None:
    found = pairs({"a": [{"x": 1.0, "y": 0.5}], "b": [{"z": 1.0}], "c": [{"x": 0.5, "y": 0.0}]})
    assert [(pair.first, pair.second) for pair in found] == [("a", "c")]


def test_sides_are_named_by_what_parts_them(tmp_path: Path) -> None:
    configs = [
        RunConfig(seed=0),
        RunConfig(seed=0, visit_penalty=0),
        RunConfig(seed=0, strategy="random", finalists=9),
        RunConfig(seed=0, strategy="random"),
        RunConfig(seed=1, strategy="random"),
    ]
    with closing(archive_with(tmp_path, configs)) as archive:
        sides, left_out = read_sides(archive, archive.runs())
    names = ["alma --visit-penalty 0.5", "alma --visit-penalty 0.0", "random", "random (2)"]
    assert [side.name for side in sides] == names
    assert left_out == [5]


@pytest.mark.parametrize(
    ("other", "version", "named"),
    [
        (RunConfig(domain="recall"), "1", r"domain \(textworld:cooking and recall\)"),
        (RunConfig(deployment=8), "1", r"deployment \(32 and 8\)"),
        (RunConfig(agent="openai:m"), "1", "agent"),
        (RunConfig(), "2", r"version of the domain \(1 and 2\)"),
        (RunConfig(seed=4), "1", "no search seed is common"),
    ],
)
def test_what_cannot_be_compared_is_named(tmp_path: Path, other: RunConfig, version: str, named: str) -> None:
    configs = [RunConfig(strategy="random"), other]
    with closing(archive_with(tmp_path, configs, ["1", version])) as archive, pytest.raises(InputError, match=named):
        read_sides(archive, archive.runs())
