"""`evolve show`: one design's code, lineage, life and scores, and an example of what it tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.commands.comparisons import comparison_of, print_comparison
from evolve.commands.costs import ledger_of, spent_json, spent_text
from evolve.commands.files import readable
from evolve.commands.show import (
    estimate_json,
    estimate_text,
    say,
    say_code,
    say_heading,
    say_json,
    say_table,
    score_json,
    time_text,
)
from evolve.commands.tables import estimate_of, gain_of, mean_of, reading
from evolve.commands.thoughts import print_thoughts, thoughts_json
from evolve.results import DEPLOYMENT, baseline_scores, task_scores
from evolve.statistics import Scores

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Design, Evaluation, Event, Member
    from evolve.statistics import Estimate
    from sandbox.guest import Retrieved

MOST_CHANGES = 8
"""Changes of the example's items that are printed."""


@dataclass(frozen=True, slots=True)
class Relative:
    """An ancestor or a child of the design, in the same run."""

    design: str
    number: int
    change: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Example:
    """What the design told in the first episode of one task, and the mean score of the task's episodes."""

    task: str
    score: float
    told: Sequence[Retrieved]


@dataclass(frozen=True, slots=True)
class Portrait:
    """Everything that the archive knows of a design in one run."""

    design: Design
    member: Member
    life: Sequence[Event]
    evaluation: Evaluation | None
    scores: Scores
    baselines: Mapping[str, Scores]
    parent_scores: Scores
    parents: Sequence[Relative]
    children: Sequence[Relative]
    lineage: Sequence[Relative]
    """By first parents, the first ancestor first, the design itself last."""
    example: Example | None
    thoughts: Mapping[str, Any] | None
    """Of the model that wrote it, if one did."""
    comparison: Mapping[str, Any] | None
    """With the design that it was asked of, where its run compares."""
    cost: Mapping[str, Any]
    """What models were paid on its account in this run."""

    def gain(self, baseline: str) -> Estimate | None:
        """Paired gain over a baseline."""
        return gain_of(self.scores, self.baselines.get(baseline))


def show_design(path: Path, prefix: str, run_number: int | None, *, as_json: bool) -> None:
    """Print a design as it stands in a run, by default the newest that has it."""
    with reading(path) as archive:
        portrait = _portrait(archive, prefix, run_number)
    if as_json:
        say_json(_as_json(portrait))
    else:
        _print(portrait)


def _portrait(archive: Archive, prefix: str, run_number: int | None) -> Portrait:
    from evolve.errors import InputError

    design = archive.design(prefix)
    run_id = archive.runs_of(design.id)[-1] if run_number is None else run_number
    member = archive.member(run_id, design.id)
    if member is None:
        raise InputError(f"run {run_id} has no design {design.id[:10]}; it is in run {archive.runs_of(design.id)[0]}")
    parents = archive.parents_of(run_id, design.id)
    evaluation = archive.evaluation(run_id, design.id, DEPLOYMENT)
    scores, baselines = task_scores(archive, run_id, design.id), baseline_scores(archive, run_id)
    return Portrait(
        design,
        member,
        archive.life(run_id, design.id),
        evaluation,
        scores,
        baselines,
        task_scores(archive, run_id, parents[0]) if parents else {},
        [_relative(archive, run_id, parent) for parent in parents],
        [_relative(archive, run_id, child) for child in archive.children_of(run_id, design.id)],
        lineage_of(archive, run_id, design.id),
        example_of(archive, evaluation, scores, baselines.get("no_memory", {})),
        thoughts_json(archive, run_id, design.id),
        comparison_of(archive, run_id, design.id),
        _cost(archive, run_id, design.id),
    )


def _cost(archive: Archive, run_id: int, design_id: str) -> Mapping[str, Any]:
    with ledger_of(archive.path) as ledger:
        return spent_json(ledger.spent(run_id, design_id))


def _relative(archive: Archive, run_id: int, design_id: str) -> Relative:
    member, row = archive.member(run_id, design_id), archive.evaluation(run_id, design_id, DEPLOYMENT)
    assert member is not None
    return Relative(design_id, member.number, member.change, row.score if row is not None else None)


def lineage_of(archive: Archive, run_id: int, design: str) -> list[Relative]:
    """A design after its ancestors by first parents, the first one first."""
    lineage = [design]
    while (older := archive.parents_of(run_id, lineage[-1])) and older[0] not in lineage:
        lineage.append(older[0])
    return [_relative(archive, run_id, each) for each in reversed(lineage)]


def example_of(archive: Archive, evaluation: Evaluation | None, scores: Scores, without: Scores) -> Example | None:
    """The task where it gained most over no memory."""
    from archive.told import unpack_told

    if evaluation is None or evaluation.id is None:
        return None
    task = max(sorted(scores), key=lambda task: scores[task] - without.get(task, 0.0))
    told = next(outcome.told for outcome in archive.outcomes(evaluation.id) if outcome.task_id == task)
    return Example(task, scores[task], unpack_told(archive.told(told)))


def _as_json(portrait: Portrait) -> dict[str, Any]:
    design, evaluation, life = portrait.design, portrait.evaluation, portrait.life
    return {
        "design": design.id,
        "run": portrait.member.run_id,
        "number": portrait.member.number,
        "state": life[-1].state,
        "reason": life[-1].reason,
        "origin": design.origin,
        "summary": design.summary,
        "change": portrait.member.change,
        **score_json(estimate_of(evaluation) if evaluation is not None else None),
        "no_memory": estimate_json(mean_of(portrait.baselines.get("no_memory"))),
        "gain": estimate_json(portrait.gain("no_memory")),
        "gain_over_nearest": estimate_json(portrait.gain("nearest_trajectory")),
        "gain_over_parent": estimate_json(gain_of(portrait.scores, portrait.parent_scores)),
        "tokens": evaluation.tokens if evaluation is not None else None,
        "cut": evaluation.cut if evaluation is not None else None,
        "calls": evaluation.calls if evaluation is not None else None,
        "seconds": evaluation.seconds if evaluation is not None else None,
        "cost": portrait.cost,
        "parents": [_relative_json(relative) for relative in portrait.parents],
        "children": [_relative_json(relative) for relative in portrait.children],
        "lineage": [_relative_json(relative) for relative in portrait.lineage],
        "life": [{"state": event.state, "reason": event.reason, "time": time_text(event.created)} for event in life],
        "tasks": [
            {
                "task": task,
                "score": score,
                "no_memory": portrait.baselines.get("no_memory", {}).get(task),
                "nearest_trajectory": portrait.baselines.get("nearest_trajectory", {}).get(task),
                "parent": portrait.parent_scores.get(task),
            }
            for task, score in sorted(portrait.scores.items())
        ],
        "example": _example_json(portrait.example),
        "thoughts": portrait.thoughts,
        "comparison": portrait.comparison,
        "source": design.source,
    }


def _relative_json(relative: Relative) -> dict[str, Any]:
    return {
        "design": relative.design,
        "number": relative.number,
        "change": relative.change,
        "score": relative.score,
    }


def _example_json(example: Example | None) -> dict[str, Any] | None:
    if example is None:
        return None
    told = [
        {"step": change.step, "items": [{"id": item.id, "text": item.text} for item in change.items]}
        for change in example.told
    ]
    return {"task": example.task, "score": example.score, "told": told}


def _print(portrait: Portrait) -> None:
    from evolve.judging import played_on

    member, evaluation, last = portrait.member, portrait.evaluation, portrait.life[-1]
    say_code(*readable(portrait.design))
    say_heading(f"Design {portrait.design.id[:10]}: number {member.number} of run {member.run_id}, {last.state}")
    if evaluation is not None:
        say(f"score       {estimate_text(estimate_of(evaluation))}  {played_on(portrait.scores)}")
        for name, gain in (
            ("no memory", portrait.gain("no_memory")),
            ("nearest", portrait.gain("nearest_trajectory")),
            ("its parent", gain_of(portrait.scores, portrait.parent_scores)),
        ):
            if gain is not None:
                say(f"gain        {estimate_text(gain, signed=True)}  over {name}")
        say(f"tells       {evaluation.tokens:.0f} tokens an episode, cut at the budget in {evaluation.cut} tasks")
    if portrait.cost["calls"]:
        calls, tokens = portrait.cost["calls"], portrait.cost["tokens"]
        say(f"models      {spent_text(portrait.cost)}, {calls:,} calls of {tokens:,} tokens; who plays is counted too")
    if evaluation is None and last.state == "failed":
        say_heading("Why it failed")
        say(last.reason)
    print_thoughts(portrait.thoughts)
    print_comparison(portrait.comparison)
    _print_family(portrait)
    say_heading("Life")
    say_table(
        ("when", "state", ">reason"), [(time_text(e.created), e.state, _first_line(e.reason)) for e in portrait.life]
    )
    if portrait.scores:
        _print_tasks(portrait)
    if portrait.example is not None:
        _print_example(portrait.example)


def _print_family(portrait: Portrait) -> None:
    for heading, relatives in (("Lineage", portrait.lineage), ("Children", portrait.children)):
        if relatives:
            say_heading(heading)
            rows = [
                (str(r.number), r.design[:10], f"{r.score:.3f}" if r.score is not None else "-", r.change)
                for r in relatives
            ]
            say_table(("##", "design", "#score", ">what was changed"), rows)


def _print_tasks(portrait: Portrait) -> None:
    say_heading("Score by task")
    columns = [portrait.scores, *(portrait.baselines.get(n, {}) for n in ("no_memory", "nearest_trajectory"))]
    columns.append(portrait.parent_scores)
    rows = [
        (task, *(f"{column[task]:.2f}" if task in column else "-" for column in columns))
        for task in sorted(portrait.scores)
    ]
    say_table(("task", "#this", "#no memory", "#nearest", "#parent"), rows)


def _print_example(example: Example) -> None:
    """Its items; where they changed during the episode, each change with its step: the number of actions before it."""
    say_heading(f"What it tells for {example.task} (score {example.score:.2f})")
    for change in example.told[:MOST_CHANGES]:
        if len(example.told) > 1 or change.step:
            say(f"at step {change.step}:" if change.step else "at the start:")
        say("\n".join(item.text for item in change.items) or "(nothing)")
    if len(example.told) > MOST_CHANGES:
        say(f"... and {len(example.told) - MOST_CHANGES} more changes; --json has them all")
    if not example.told:
        say("(nothing)")


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""
