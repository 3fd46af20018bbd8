"""`evolve minimise`: a design without what it does not need, and what each part of the rest is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from evolve.cli import program
from evolve.commands.export import chosen
from evolve.commands.files import refuse_there
from evolve.commands.live import View
from evolve.commands.run import announce, archive_flag, game
from evolve.commands.show import estimate_json, estimate_text, say, say_heading, say_json, say_table
from evolve.commands.submit import as_here
from evolve.commands.tables import config_of, reading
from evolve.config import RunConfig
from evolve.errors import InputError

if TYPE_CHECKING:
    from archive.tables import Design
    from evolve.minimise import Minimised, Tried, Worth
    from evolve.progress import Progress, Watch
    from evolve.session import Sitting
    from evolve.statistics import Estimate

KEPT = (
    *("domain", "agent", "seed", "collection", "collection_repeats", "deployment", "repeats", "confirmation", "mode"),
    *("smoke", "memory_budget", "memory_model", "memory_tokens", "embedder", "roles", "concurrency", "prices"),
    *("sandbox", "runtime", "workers", "ray_address"),
)
"""Fields of a run's configuration that its designs are evaluated by."""
BUDGETS = ("budget_usd", "budget_tokens")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How far a design is to be minimised."""

    margin: float
    trials: int
    to: Path | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    run: int
    whole: Design
    minimised: Minimised
    decided: Tried
    confirmed: Estimate | None
    """The paired difference to the whole design on confirmation tasks; none where one of them failed there."""
    parts: Sequence[Worth]


def minimise_design(
    prefix: str,
    path: Path,
    number: int | None,
    wanted: Wanted,
    flags: dict[str, Any],
    *,
    allow_unsafe: bool,
    as_json: bool,
) -> None:
    """Minimise a design in a run of `evolve eval`, and show what is left; exit code 1 where that is not confirmed."""
    from evolve.session import sit_down

    _refuse_place(wanted)
    with reading(path) as archive:
        design, run = chosen(archive, prefix, number)
        config = evaluating(config_of(run), flags)
    with View() as view, sit_down(config, path, _quietly(view), allow_unsafe=allow_unsafe) as sitting:
        announce(view, sitting, config, path)
        outcome = _outcome(sitting, config, design, wanted)
    if wanted.to is not None:
        wanted.to.write_text(outcome.minimised.source, encoding="utf-8")
    is_confirmed = outcome.confirmed is not None and outcome.confirmed.high >= -wanted.margin
    if as_json:
        say_json(_as_json(outcome, is_confirmed=is_confirmed))
    else:
        _print(outcome, config, path, is_confirmed=is_confirmed)
    if not is_confirmed:
        raise typer.Exit(1)


def _quietly(view: View) -> Watch:
    """Shows progress, but not that designs fail: most that something was taken out of do."""

    def watch(progress: Progress) -> None:
        progress.notes[:] = [
            note for note in progress.notes if not (note.startswith("design ") and " failed: " in note)
        ]
        view.update(progress)

    return watch


def evaluating(config: RunConfig, flags: dict[str, Any]) -> RunConfig:
    """What evaluates designs as a run does, without what searches for them."""
    here = as_here(config, {name: value for name, value in flags.items() if name not in BUDGETS})
    fields: dict[str, Any] = {name: getattr(here, name) for name in KEPT}
    fields |= {name: flags.get(name) for name in BUDGETS}
    return RunConfig(**fields, strategy="eval", proposer="none", designs=1)


def _refuse_place(wanted: Wanted) -> None:
    if wanted.to is None:
        return
    if not wanted.to.parent.is_dir():
        raise InputError(f"--to {wanted.to}: there is no folder {wanted.to.parent}")
    refuse_there(wanted.to, force=wanted.force)


def _outcome(sitting: Sitting, config: RunConfig, design: Design, wanted: Wanted) -> Outcome:
    from domains.base import Role
    from evolve.judging import Trial
    from evolve.minimise import Bench, Minimiser, worths

    search = sitting.search
    search.judge.admit(design.origin)
    specs = search.prepare(Role.DEPLOYMENT, config.deployment)
    search.evaluate_baselines(Role.DEPLOYMENT, specs, config.repeats)
    bench = Bench(search, design, Trial(Role.DEPLOYMENT, specs, config.repeats))
    if failure := bench.enter_original().failure:
        raise InputError(f"design {design.id[:10]} cannot be minimised, for it fails: {failure.splitlines()[0]}")
    minimised = Minimiser(bench, wanted.margin, wanted.trials, search.phase).run()
    decided = bench.try_out(minimised.source, "")
    confirmed = _confirmed(sitting, config, design.id, minimised.design)
    search.phase("taking out each part of what is left")
    return Outcome(search.run_id, design, minimised, decided, confirmed, worths(bench, minimised.source))


def _confirmed(sitting: Sitting, config: RunConfig, whole: str, less: str) -> Estimate | None:
    """The difference on tasks that decided nothing; both play them once."""
    from domains.base import Role
    from evolve.judging import Trial
    from evolve.statistics import Estimate, paired

    search = sitting.search
    if less == whole:
        return Estimate(0.0, 0.0, 0.0, 0)
    specs = search.prepare(Role.CONFIRMATION, config.confirmation)
    search.phase("confirming what is left")
    trial = Trial(Role.CONFIRMATION, specs, config.repeats)
    search.evaluate_all(list(dict.fromkeys((whole, less))), trial)
    if search.judge.failures.keys() & {whole, less}:
        return None
    return paired(*(search.judge.scores(each, trial.name) for each in (less, whole)))


def _as_json(outcome: Outcome, *, is_confirmed: bool) -> dict[str, Any]:
    minimised = outcome.minimised
    return {
        "design": minimised.design,
        "source_of": outcome.whole.id,
        "run": outcome.run,
        "lines": lines_of(minimised.source),
        "lines_before": lines_of(minimised.whole),
        "removed": list(minimised.removed),
        "trials": minimised.trials,
        "is_minimal": minimised.is_minimal,
        "score": outcome.decided.score,
        "difference": estimate_json(outcome.decided.difference),
        "same": outcome.decided.same,
        "confirmed": estimate_json(outcome.confirmed),
        "is_confirmed": is_confirmed,
        "parts": [
            {
                "part": worth.cut.label,
                "line": worth.cut.line,
                "without": worth.tried.score if not worth.tried.failure else None,
                "difference": estimate_json(worth.difference),
                "failure": worth.tried.failure,
            }
            for worth in outcome.parts
        ],
        "source": minimised.source,
    }


def lines_of(source: str) -> int:
    """Lines that are not empty."""
    return sum(bool(line.strip()) for line in source.splitlines())


def _print(outcome: Outcome, config: RunConfig, path: Path, *, is_confirmed: bool) -> None:
    minimised, whole = outcome.minimised, outcome.whole.id
    if minimised.design == whole:
        say(f"Design {whole[:10]} on {game(config)}: nothing was taken out, after {minimised.trials} trials")
    else:
        _print_difference(outcome, config)
    if not minimised.is_minimal:
        say("More may go: the trials were used up; the same command with more --trials goes on.")
    if not is_confirmed:
        say("On those it is worse: keep the whole design.")
    say_heading("What each part is worth: the score without it, and the difference that makes\n")
    rows = [
        (
            worth.cut.label,
            f"{worth.tried.score:.3f}" if not worth.tried.failure else "-",
            estimate_text(worth.difference, signed=True) if not worth.tried.failure else "it does not run without",
        )
        for worth in outcome.parts
    ]
    say_table(("~part", "#without", "#difference [95 % interval]"), rows)
    say(f"\nSee it:  {program()} show {minimised.design[:10]}{archive_flag(path)}")


def _print_difference(outcome: Outcome, config: RunConfig) -> None:
    minimised, decided = outcome.minimised, outcome.decided
    say(
        f"Design {outcome.whole.id[:10]} on {game(config)}: of {lines_of(minimised.whole)} lines"
        f" {lines_of(minimised.source)} are left, design {minimised.design[:10]}, after {minimised.trials} trials"
    )
    told = "; it tells just the same" if decided.same else ""
    say(f"score        {decided.score:.3f}")
    say(f"difference  {estimate_text(decided.difference, signed=True)}  on the tasks that decided{told}")
    confirmed = estimate_text(outcome.confirmed, signed=True)
    say(f"confirmed   {confirmed}  on {config.confirmation} tasks that decided nothing")
