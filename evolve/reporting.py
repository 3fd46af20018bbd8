"""What a run's report says, gathered from the archive."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archive.dashboard.derivations import Estimate
from archive.dashboard.drawing import Point
from archive.dashboard.report import Ancestor, Cost, Fact, Final, Line, Look, Report, Winner
from evolve.commands.costs import costs_of, total
from evolve.commands.design import example_of, lineage_of
from evolve.commands.files import readable
from evolve.commands.tables import BASELINE_NAMES, best_rows, config_of, counts, gain_of, mean_of, status_of
from evolve.config import RunConfig
from evolve.designs import shown
from evolve.errors import InputError
from evolve.finals import Finalist, ranking
from evolve.results import DEPLOYMENT, baseline_scores, task_scores
from evolve.sides import Course, choice, course
from evolve.statistics import Estimate as Mean
from evolve.statistics import Scores

if TYPE_CHECKING:
    from archive.ledger import Cost as Sums
    from archive.store import Archive
    from archive.tables import Run

BEST = 10
"""Designs in its table."""


def gather(archive: Archive, run: Run) -> Report:
    """All of it; raises `InputError` where the run is no search."""
    assert run.id is not None
    config, baselines = config_of(run), baseline_scores(archive, run.id)
    if config.strategy == "eval":
        raise InputError(f"run {run.id} is one of `evolve eval`, not a search; `evolve runs` lists them")
    finals, looks, lines = ranking(archive, run.id), _looks(archive, run.id), _lines(archive, run, baselines)
    went = course(archive, run.id, config) if "no_memory" in baselines else None
    numbers = {member.design_id: member.number for member in archive.members(run.id)}
    return Report(
        run=run.id,
        domain=config.domain,
        strategy=config.strategy,
        proposer=config.proposer,
        agent=config.agent,
        status=status_of(archive, run),
        created=run.created,
        seconds=run.elapsed,
        made=time.time(),
        counts=_counts(archive, run.id, config),
        sentences=_sentences(lines, finals, looks),
        curve=_curve(archive, run.id, went, baselines),
        episodes=went.total.episodes if went is not None else 0,
        levels=_levels(baselines),
        lines=lines,
        finals=[_final(each, numbers[each.design]) for each in finals],
        finals_played=finals[0].played if finals else "",
        controls=list(dict.fromkeys(kind for each in finals for kind in each.controls)),
        looks=looks,
        winner=_winner(archive, run.id, baselines),
        costs=_costs(archive.path, run.id),
        flags=_flags(config),
        versions=_versions(run, config),
        command=_command(config),
    )


def _counts(archive: Archive, run_id: int, config: RunConfig) -> dict[str, int]:
    found = counts(archive, run_id)
    names = {"Evaluated": "evaluated", "Failed": "failed", "Alike": "rejected", "Dropped": "dropped"}
    return {"Designs asked for": config.designs, **{name: found[state] for name, state in names.items()}}


def _lines(archive: Archive, run: Run, baselines: Mapping[str, Scores]) -> list[Line]:
    """The best designs, then the baselines."""
    rows = [
        Line("", row.design, row.number, shown(row.score), shown(row.gain), row.tokens, row.summary)
        for row in best_rows(archive, run, BEST)
    ]
    without = baselines.get("no_memory")
    for name, scores in baselines.items():
        gain = gain_of(scores, without) if name != "no_memory" else None
        told = BASELINE_NAMES.get(name, name)
        rows.append(Line(told, "", 0, shown(mean_of(scores)), shown(gain), None, "baseline"))
    return rows


def _sentences(lines: Sequence[Line], finals: Sequence[Finalist], looks: Sequence[Look]) -> list[str]:
    """The result in words, with what was seen least of at the end."""
    best = next((line for line in lines if not line.name), None)
    if best is None or best.score is None:
        return ["No design has been evaluated yet."]
    said = [f"The best design of the search, {best.design[:10]}, scores {best.score.mean:.3f}"]
    said[0] += f", {_over(best.gain)} over no memory on the tasks that selected it." if best.gain else "."
    if finals:
        first = finals[0]
        confirmed = f"{_over(shown(first.confirmed))} is confirmed {first.played} that the search did not use"
        said.append(f"Of the finalists {first.design[:10]} is most likely the best: {confirmed}.")
    for look in looks[-1:]:
        if look.gain is not None and look.score is not None:
            held = f"scores {look.score.mean:.3f}, {_over(look.gain)} over no memory"
            said.append(f"On {look.score.n} held-out tasks {look.design[:10]} {held} (look {look.look}).")
    return said


def _over(gain: Estimate | None) -> str:
    if gain is None:
        return "nothing known"
    between = f" [{gain.interval[0]:+.3f}, {gain.interval[1]:+.3f}]" if gain.interval else ""
    return f"{gain.mean:+.3f}{between}".replace("-", "\u2212")


def _curve(archive: Archive, run_id: int, went: Course | None, baselines: Mapping[str, Scores]) -> list[Point]:
    """The gain of the best so far, where it changed, with its interval over tasks."""
    points = []
    for step in went.steps if went is not None else ():
        gain = gain_of(task_scores(archive, run_id, step.design), baselines["no_memory"])
        low, high = (gain.interval if gain is not None else None) or (None, None)
        points.append(Point(step.spent.episodes, step.gain, low, high))
    return points


def _levels(baselines: Mapping[str, Scores]) -> list[tuple[str, float]]:
    without = baselines.get("no_memory")
    gains = {name: gain_of(scores, without) for name, scores in baselines.items() if name != "no_memory"}
    return [(BASELINE_NAMES.get(name, name), gain.mean) for name, gain in gains.items() if gain is not None]


def _final(each: Finalist, number: int) -> Final:
    return Final(
        design=each.design,
        number=number,
        searched=_known(each.searched),
        confirmed=_known(each.confirmed),
        optimism=each.optimism,
        dominance=each.dominance if each.confirmed.interval else None,
        controls={kind: _known(gain) for kind, gain in each.controls.items()},
    )


def _known(found: Mean) -> Estimate:
    return Estimate(mean=found.mean, interval=found.interval, n=found.n)


def _looks(archive: Archive, run_id: int) -> list[Look]:
    """What `evolve test` kept, the first look first."""
    from archive.history import looks

    return [_look(row.design_id, json.loads(row.result), row.created) for row in looks(archive, run_id)]


def _look(design: str, result: Mapping[str, Any], created: float) -> Look:
    def estimate(name: str) -> Estimate | None:
        return Estimate.model_validate(result[name]) if result.get(name) else None

    score = {"mean": result["score"], "interval": result["interval"], "n": result["n"]}
    return Look(
        look=result["look"],
        design=design,
        score=Estimate.model_validate(score) if result["score"] is not None else None,
        no_memory=estimate("no_memory"),
        gain=estimate("gain"),
        gain_over_nearest=estimate("gain_over_nearest"),
        gain_over_constant=estimate("gain_over_constant"),
        repeats=result["repeats"],
        created=created,
    )


def _winner(archive: Archive, run_id: int, baselines: Mapping[str, Scores]) -> Winner | None:
    chosen = choice(archive, run_id)
    if chosen is None:
        return None
    design, evaluation = archive.exactly(chosen), archive.evaluation(run_id, chosen, DEPLOYMENT)
    scores = task_scores(archive, run_id, chosen)
    example = example_of(archive, evaluation, scores, baselines.get("no_memory", {}))
    lineage = lineage_of(archive, run_id, chosen)
    return Winner(
        design=chosen,
        number=lineage[-1].number,
        state=archive.life(run_id, chosen)[-1].state,
        origin=design.origin,
        summary=design.summary,
        tokens=evaluation.tokens if evaluation is not None else None,
        source=readable(design)[0],
        lineage=[Ancestor(each.design, each.number, each.change, each.score) for each in lineage],
        example_task=example.task if example is not None else "",
        example_score=example.score if example is not None else None,
        example_items=[item.text for told in (example.told[:1] if example is not None else ()) for item in told.items],
    )


def _costs(path: Path, run_id: int) -> list[Cost]:
    """By role and model, and their sum where there are several."""
    found = costs_of(path, run_id)
    if len(found) > 1:
        found.append(total(found)._replace(group=("all", "")))
    return [_cost(each.group[0], each.group[1], each) for each in found]


def _cost(role: str, model: str, cost: Sums) -> Cost:
    return Cost(role, model, cost.calls, cost.hits, cost.tokens_in, cost.tokens_out, cost.dollars, cost.unusable)


# What it takes to have the same again


def _flags(config: RunConfig) -> list[Fact]:
    values = config.model_dump(mode="json")
    set_ = _set(config)
    return [Fact(f"--{name.replace('_', '-')}", _text(value), name in set_) for name, value in values.items()]


def _set(config: RunConfig) -> dict[str, Any]:
    """The fields that are not at their default."""
    fields = type(config).model_fields
    values = config.model_dump(mode="json")
    defaults = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
    return {name: value for name, value in values.items() if value != defaults[name]}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _command(config: RunConfig) -> str:
    """The flags that were given, as a command."""
    words = ["evolve", "run"]
    given = _set(config)
    for role, settings in (given.pop("roles", None) or {}).items():
        words += [f"--role={role}.{name}={value}" for name, value in settings.items() if value is not None]
    for name, value in given.items():
        flag = name.replace("_", "-")
        words += [f"--{flag}"] if value is True else [f"--no-{flag}"] if value is False else [f"--{flag}", _text(value)]
    return shlex.join(words)


def _versions(run: Run, config: RunConfig) -> list[Fact]:
    from importlib import metadata

    facts = {
        config.domain: run.domain_version,
        config.agent: run.agent_version,
        "sandbox": run.sandbox,
        "image": run.image,
        "identity of the run": run.identity,
        "palimpsest (which wrote this report)": metadata.version("palimpsest"),
    }
    return [Fact(name, value) for name, value in facts.items() if value]
