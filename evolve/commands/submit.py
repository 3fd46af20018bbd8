"""`evolve submit`: a design of the user's, or of any coding agent's, becomes one of a run's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from evolve.commands.evaluate import Comparison, compare
from evolve.commands.files import read_design
from evolve.commands.live import View
from evolve.commands.run import announce, game
from evolve.commands.show import estimate_json, estimate_text, say, say_json
from evolve.commands.tables import chosen_run, config_of, gain_of, reading
from evolve.errors import InputError
from evolve.texts import flips_json, flips_lines

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Run
    from evolve.config import RunConfig
    from evolve.history import Flips
    from evolve.session import Sitting
    from evolve.statistics import Estimate
    from evolve.submission import Result


def submit_file(
    file: Path,
    parent: str | None,
    change: str | None,
    path: Path,
    number: int | None,
    flags: dict[str, Any],
    *,
    allow_unsafe: bool,
    as_json: bool,
) -> None:
    """Enter a file's design into a run and evaluate it; exit code 1 where it fails."""
    from domains.base import Role
    from evolve.judging import Trial
    from evolve.session import visit
    from evolve.submission import Submission, may_submit
    from sandbox.source import SourceRejected

    try:
        source, _ = read_design(file)
    except SourceRejected as error:
        raise InputError(f"{file} is no design: {error.reason}") from None
    with reading(path) as archive:
        run, parents = _family(archive, number, parent)
        config = as_here(config_of(run), flags)
    may_submit(run, config)
    assert run.id is not None
    with View() as view, visit(config, path, run.id, view.update, allow_unsafe=allow_unsafe) as sitting:
        announce(view, sitting, config, path)
        search = sitting.search
        specs = search.prepare(Role.DEPLOYMENT, config.deployment)
        search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
        trial = Trial(Role.DEPLOYMENT, specs, config.repeats)
        submission = Submission(search, sitting.run)
        result = submission.submit(source, change or f"submitted from {file.name}", parents, trial)
        comparison = Comparison({}, {}, {}, {}, None, None, "")
        if result.status == "ok":
            comparison = compare(sitting, result.design, Role.DEPLOYMENT, specs, config.repeats)
        over_parent = _over_parent(sitting, comparison, parents)
    if as_json:
        say_json(_as_json(result, comparison, over_parent, sitting, config, parents))
    else:
        _print(result, comparison, over_parent, sitting, config)
    if result.status != "ok":
        raise typer.Exit(1)


def as_here(config: RunConfig, flags: dict[str, Any]) -> RunConfig:
    """A run's configuration with this sitting's sandbox and workers; who proposed and on which cluster is over."""
    changed: dict[str, Any] = {"proposer": "genetic"}  # else a model's key would be asked for
    if flags.get("sandbox") is not None:
        changed["runtime"] = None  # that of the run belonged to the run's sandbox
    if config.ray_address is not None:
        changed |= {"ray_address": None, "workers": None}
    changed |= {name: value for name, value in flags.items() if value is not None}
    return config.model_copy(update=changed)


def _family(archive: Archive, number: int | None, parent: str | None) -> tuple[Run, list[str]]:
    """The run that a design is to enter, by default the newest that has its parent, and the parent's id."""
    if parent is None:
        return chosen_run(archive, number), []
    design = archive.design(parent).id
    run_id = number if number is not None else archive.runs_of(design)[-1]
    if archive.member(run_id, design) is None:
        raise InputError(f"run {run_id} has no design {design[:10]}; `evolve top --run {run_id}` lists its best")
    return archive.run(run_id), [design]


def _over_parent(sitting: Sitting, ours: Comparison, parents: list[str]) -> tuple[Estimate | None, Flips | None]:
    """The paired difference to the parent, and the tasks that came out otherwise."""
    from evolve.history import flips
    from evolve.results import task_scores

    theirs = task_scores(sitting.archive, sitting.search.run_id, parents[0]) if parents else {}
    if not (ours.scores and theirs):
        return None, None
    return gain_of(ours.scores, theirs), flips(ours.scores, theirs)


def _as_json(
    result: Result,
    comparison: Comparison,
    over_parent: tuple[Estimate | None, Flips | None],
    sitting: Sitting,
    config: RunConfig,
    parents: list[str],
) -> dict[str, Any]:
    from evolve.session import left_open

    gain, flipped = over_parent
    return {
        "design": result.design,
        "status": result.status,
        "reason": result.reason,
        **comparison.as_json(),
        "parents": parents,
        "gain_over_parent": estimate_json(gain),
        "flips": flips_json(flipped),
        "sandbox": sitting.backend.name,
        "not_isolated": left_open(sitting.backend),
        "domain": config.domain,
        "run": sitting.search.run_id,
    }


def _print(
    result: Result,
    comparison: Comparison,
    over_parent: tuple[Estimate | None, Flips | None],
    sitting: Sitting,
    config: RunConfig,
) -> None:
    name = f"Design {result.design[:10]}"
    if result.status != "ok":
        say(f"{name} {result.status} on {config.domain}:\n{result.reason}")
        return
    say(f"{name} of run {sitting.search.run_id} on {game(config)}, sandbox {sitting.backend.name}")
    comparison.print()
    gain, flipped = over_parent
    if gain is not None:
        say(f"gain               {estimate_text(gain, signed=True)}  over its parent, paired by task")
    for line in flips_lines(flipped):
        say(line)
