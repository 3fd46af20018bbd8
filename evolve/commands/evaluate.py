"""`evolve eval` and `evolve test`: one design against the baselines, on deployment or on held-out tasks."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from evolve.commands.files import read_design
from evolve.commands.live import View
from evolve.commands.run import announce, game
from evolve.commands.show import ONE_PASS, complain, estimate_json, estimate_text, say, say_json, score_json
from evolve.commands.tables import config_of, gain_of, mean_of
from evolve.errors import InputError
from evolve.results import DEPLOYMENT, candidates
from evolve.statistics import Scores

if TYPE_CHECKING:
    from domains.base import TaskSpec
    from evolve.session import Sitting


@dataclass(frozen=True, slots=True)
class Comparison:
    """A design's scores by task beside those of the baselines."""

    scores: Scores
    no_memory: Scores
    nearest_trajectory: Scores
    constant: Scores
    tokens: float | None
    cut: int | None
    variant: str
    """`no-llm variant` where the design would have asked a language model."""

    def as_json(self) -> dict[str, Any]:
        """The fields that `eval` and `test` share."""
        return {
            **score_json(mean_of(self.scores)),
            "no_memory": estimate_json(mean_of(self.no_memory)),
            "nearest_trajectory": estimate_json(mean_of(self.nearest_trajectory)),
            "constant": estimate_json(mean_of(self.constant)),
            "gain": estimate_json(gain_of(self.scores, self.no_memory)),
            "gain_over_nearest": estimate_json(gain_of(self.scores, self.nearest_trajectory)),
            "gain_over_constant": estimate_json(gain_of(self.scores, self.constant)),
            "tokens": self.tokens,
            "cut": self.cut,
            "variant": self.variant,
        }

    def print(self) -> None:
        """The same for people."""
        from evolve.judging import played_on
        from evolve.statistics import Passes

        kind = f" ({self.variant})" if self.variant else ""
        score = mean_of(self.scores)
        say(f"score               {estimate_text(score)}  {played_on(self.scores)}{kind}")
        say(f"no memory           {estimate_text(mean_of(self.no_memory))}")
        say(f"nearest trajectory  {estimate_text(mean_of(self.nearest_trajectory))}")
        say(f"constant text       {estimate_text(mean_of(self.constant))}")
        over = {"no memory": self.no_memory, "nearest trajectory": self.nearest_trajectory, "constant": self.constant}
        for name, scores in over.items():
            gain = estimate_text(gain_of(self.scores, scores), signed=True)
            say(f"gain               {gain}  over {name}, paired by task")
        if isinstance(self.scores, Passes) and len(self.scores.each) == 1:
            say(ONE_PASS)


def evaluate_file(file: Path, flags: dict[str, Any], path: Path, *, allow_unsafe: bool, as_json: bool) -> None:
    """Evaluate a design of the user's. Repeated evaluations with the same options share a run, and so its baselines."""
    from domains.base import Role
    from evolve.config import make_config
    from evolve.session import left_open, sit_down
    from sandbox.source import SourceRejected

    config = make_config(None, {**flags, "strategy": "eval", "proposer": "none", "designs": 1})
    empty = Comparison({}, {}, {}, {}, None, None, "")
    result: dict[str, Any] = {"design": None, "status": "rejected", "reason": "", **empty.as_json(), "sandbox": None}
    result |= {"not_isolated": [], "domain": config.domain, "run": None}
    try:
        source, _ = read_design(file)
    except SourceRejected as error:
        if as_json:
            say_json(result | {"reason": error.reason})
        raise InputError(f"{file} is no design: {error.reason}") from None
    with View() as view, sit_down(config, path, view.update, allow_unsafe=allow_unsafe) as sitting:
        announce(view, sitting, config, path)
        search = sitting.search
        design = _enter(sitting, source, str(file))
        specs = search.prepare(Role.DEPLOYMENT, config.deployment)
        search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
        comparison = compare(sitting, design, Role.DEPLOYMENT, specs, config.repeats)
    reason = search.judge.failures.get(design, "")
    result |= {"design": design, "status": "failed" if reason else "ok", "reason": reason, **comparison.as_json()}
    result |= {"sandbox": sitting.backend.name, "not_isolated": left_open(sitting.backend), "run": sitting.run.id}
    if as_json:
        say_json(result)
    elif reason:
        say(f"Design {design[:10]} failed on {config.domain}:\n{reason}")
    else:
        say(f"Design {design[:10]} on {game(config)}, sandbox {sitting.backend.name}")
        comparison.print()
    if reason:
        raise typer.Exit(1)


def test_run(
    path: Path,
    number: int,
    prefix: str | None,
    tasks: int,
    repeats: int,
    flags: dict[str, Any],
    *,
    allow_unsafe: bool,
    as_json: bool,
) -> None:
    """Play the test tasks with a run's best design, and keep the look."""
    from archive.tables import Look
    from domains.base import Role
    from evolve.session import left_open, visit

    config, design = _chosen(path, number, prefix)
    if flags["sandbox"] is not None:
        config = config.model_copy(update={"runtime": None})  # that of the run belonged to the run's sandbox
    if config.ray_address is not None:
        config = config.model_copy(update={"ray_address": None, "workers": None})  # these belonged to a cluster
    config = config.model_copy(update={name: value for name, value in flags.items() if value is not None})
    with View() as view, visit(config, path, number, view.update, allow_unsafe=allow_unsafe) as sitting:
        announce(view, sitting, config, path)
        search, archive = sitting.search, sitting.archive
        search.judge.admit(archive.design(design).origin)
        specs = search.prepare(Role.TEST, tasks)
        search.evaluate_baselines(Role.TEST, specs, repeats)
        comparison = compare(sitting, design, Role.TEST, specs, repeats)
        if design in search.judge.failures:
            complain(f"design {design[:10]} failed: {search.judge.failures[design]}")
            raise typer.Exit(1)
        searched = archive.evaluation(number, design, DEPLOYMENT)
        result = {
            "run": number,
            "design": design,
            "domain": config.domain,
            **comparison.as_json(),
            "search_score": searched.score if searched is not None else None,
            "repeats": repeats,
            "look": archive.looks(number) + 1,
            "sandbox": sitting.backend.name,
            "not_isolated": left_open(sitting.backend),
        }
        archive.save(Look(run_id=number, design_id=design, result=json.dumps(result), created=time.time()))
    if as_json:
        say_json(result)
    else:
        say(f"Design {design[:10]} of run {number} on {tasks} held-out tasks of {game(config)}")
        comparison.print()
        say(f"look               {result['look']} at this run's test tasks (each look makes the next worth less)")


def _enter(sitting: Sitting, source: str, name: str) -> str:
    """Enter a file's design into the run, if it is not there, and return its id."""
    from evolve.proposers.base import Proposal

    search = sitting.search
    number = max((member.number for member in sitting.archive.members(search.run_id)), default=0) + 1
    entered = search.judge.enter(Proposal(source, f"evaluated from {name}", "untrusted"), number, ())
    return entered or search.judge.checker.check(source).hash


def compare(sitting: Sitting, design: str, role: Any, specs: tuple[TaskSpec, ...], repeats: int) -> Comparison:
    """A design's scores on a role's tasks, evaluated now where they were not, beside those of the baselines."""
    from evolve.judging import Trial

    search = sitting.search
    scores = search.evaluated(design, Trial(role, specs, repeats))
    row = sitting.archive.evaluation(search.run_id, design, role) if scores else None
    baselines = search.baselines
    return Comparison(
        scores,
        baselines["no_memory"],
        baselines["nearest_trajectory"],
        baselines["constant"],
        row.tokens if row is not None else None,
        row.cut if row is not None else None,
        row.variant if row is not None else "",
    )


def _chosen(path: Path, number: int, prefix: str | None) -> tuple[Any, str]:
    """A run's configuration and the design to test: the one that was named, or the best of the finals."""
    from evolve.commands.tables import reading
    from evolve.finals import ranking

    with reading(path) as archive:
        run = archive.run(number)
        if prefix is not None:
            design = archive.design(prefix).id
            if archive.member(number, design) is None:
                raise InputError(
                    f"run {number} has no design {design[:10]}; `evolve top --run {number}` lists its best"
                )
            return config_of(run), design
        finalists = ranking(archive, number)
        best = [finalist.design for finalist in finalists] or [row.design_id for row in candidates(archive, number)]
    if not best:
        raise InputError(f"run {number} has no evaluated design yet; `evolve run` goes on with it")
    return config_of(run), best[0]
