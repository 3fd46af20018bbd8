"""A run's best designs beside its baselines, as rows, as a table and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.commands.show import ONE_PASS, estimate_json, estimate_text, say, say_table, score_json
from evolve.results import DEPLOYMENT, baseline_scores, candidates, task_scores
from evolve.statistics import Scores

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Evaluation, Run
    from evolve.config import RunConfig
    from evolve.finals import Finalist
    from evolve.statistics import Estimate

BASELINE_NAMES = {"no_memory": "no memory", "nearest_trajectory": "nearest", "constant": "constant"}


@dataclass(frozen=True, slots=True)
class Row:
    """One evaluated candidate."""

    design: str
    number: int
    score: Estimate
    gain: Estimate | None
    gain_over_nearest: Estimate | None
    tokens: float
    summary: str
    change: str


@contextmanager
def reading(path: Path) -> Iterator[Archive]:
    """An archive, open for reading."""
    from archive.opening import open_archive

    archive = open_archive(path)
    try:
        yield archive
    finally:
        archive.close()


def chosen_run(archive: Archive, number: int | None) -> Run:
    """The run of a number, or the newest."""
    from evolve.errors import InputError

    if number is not None:
        return archive.run(number)
    if (newest := archive.latest()) is None:
        raise InputError(f"{archive.path} has no runs yet; `evolve run` starts one")
    return newest


def config_of(run: Run) -> RunConfig:
    """A run's configuration."""
    from evolve.config import RunConfig

    return RunConfig.model_validate_json(run.config)


def status_of(archive: Archive, run: Run) -> str:
    """Running, interrupted or done; a run that was killed counts as interrupted."""
    from archive.opening import is_being_written

    return "interrupted" if run.status == "running" and not is_being_written(archive.path) else run.status


def estimate_of(row: Evaluation) -> Estimate:
    """The score of an evaluation as it was committed."""
    from evolve.statistics import Estimate

    return Estimate(row.score, row.low, row.high, row.n)


def mean_of(scores: Scores | None) -> Estimate | None:
    """Mean of scores by task, where there are any."""
    from evolve.statistics import mean

    return mean(scores) if scores else None


def gain_of(scores: Scores | None, over: Scores | None) -> Estimate | None:
    """Mean paired difference of two scores by task, where both exist."""
    from evolve.statistics import paired

    return paired(scores, over) if scores and over and scores.keys() & over.keys() else None


def best_rows(archive: Archive, run: Run, count: int) -> list[Row]:
    """A run's best candidates, best first."""
    assert run.id is not None
    baselines = baseline_scores(archive, run.id)
    rows = []
    for evaluation in candidates(archive, run.id, count):
        design = evaluation.design_id
        member = archive.member(run.id, design)
        assert member is not None
        scores = task_scores(archive, run.id, design)
        rows.append(
            Row(
                design,
                member.number,
                estimate_of(evaluation),
                gain_of(scores, baselines.get("no_memory")),
                gain_of(scores, baselines.get("nearest_trajectory")),
                evaluation.tokens,
                archive.exactly(design).summary,
                member.change,
            )
        )
    return rows


def counts(archive: Archive, run_id: int) -> Counter[str]:
    """How many candidates of a run are in which state; finalists count as evaluated."""
    from archive.tables import SCORED, State

    found: Counter[str] = Counter()
    for state, count in archive.count_states(run_id).items():
        found[State.EVALUATED if state in SCORED else state] += count
    return found


def rung_json(archive: Archive, run_id: int, config: RunConfig, states: Counter[str]) -> dict[str, int]:
    """What the small rung dropped, and what became of the would-be drops that went on as an audit."""
    from evolve.rungs import Audit, audit

    seen = audit(archive, run_id, config.finalists) if config.small else Audit()
    return {
        "dropped": states["dropped"],
        "audited": seen.audited,
        "audited_better": seen.better,
        "audited_among_best": seen.among_best,
    }


def _rung_text(archive: Archive, run_id: int, config: RunConfig, states: Counter[str]) -> str:
    if not config.small:
        return ""
    found = rung_json(archive, run_id, config, states)
    text = f"; {found['dropped']} dropped after {config.small} of {config.deployment} tasks"
    return text + (
        f"\naudit: {found['audited']} more would have been dropped and played on; {found['audited_better']} ended above"
        f" their parent, {found['audited_among_best']} among the best {max(1, config.finalists)}"
    )


def print_top(archive: Archive, run: Run, rows: Sequence[Row]) -> None:
    """Print a run's best candidates under a line about the run, baselines last, then its finals."""
    from evolve.finals import ranking

    assert run.id is not None
    config, states = config_of(run), counts(archive, run.id)
    say(
        f"run {run.id}: {config.strategy} on {config.domain}, seed {config.seed}; {status_of(archive, run)}: "
        f"{states['evaluated']} evaluated, {states['failed']} failed of {config.designs}, "
        f"{states['rejected']} alike{_rung_text(archive, run.id, config, states)}\n"
    )
    lines = [
        (
            str(rank),
            row.design[:10],
            f"{row.score.mean:.3f}",
            estimate_text(row.gain, signed=True),
            f"{row.tokens:.0f}",
            row.summary,
        )
        for rank, row in enumerate(rows, 1)
    ]
    baselines = baseline_scores(archive, run.id)
    for name, scores in baselines.items():
        gain = gain_of(scores, baselines.get("no_memory")) if name != "no_memory" else None
        score = mean_of(scores)
        assert score is not None
        shown = estimate_text(gain, signed=True)
        lines.append(("", BASELINE_NAMES.get(name, name), f"{score.mean:.3f}", shown, "", "(baseline)"))
    say_table(("##", "design", "#score", "#gain [95 % interval]", "#tokens", "~made of"), lines)
    if not rows:
        print_failures(archive, run.id)
    if config.mode == "dynamic" and config.repeats == 1:
        say(f"\n{ONE_PASS}")
    print_finals(ranking(archive, run.id))


def print_failures(archive: Archive, run_id: int) -> None:
    """Say that there is no score yet, and why requests and designs failed, the most frequent reason first."""
    from archive.history import listing
    from archive.tables import State

    say("No design has been evaluated yet.")
    designs = [line for line in listing(archive, run_id, DEPLOYMENT) if line.number and line.state == State.FAILED]
    failures = [(line.design[:10], line.reason) for line in designs]
    failures += [("no design", row.reason) for row in archive.manifests(run_id) if not row.design_id and row.reason]
    shown = {reason: design for design, reason in reversed(failures)}
    for reason, count in Counter(reason for _, reason in failures).most_common(5):
        say(f"{count} x  {shown[reason]}: {reason.strip().splitlines()[0]}")


def print_finals(finalists: Sequence[Finalist]) -> None:
    """Print what the finals confirmed, if there were any."""
    if not finalists:
        return
    played = finalists[0].played
    say(f"\nFinals, {played.replace('tasks', 'tasks new to the search', 1)} (blank: the same code, nothing seen)\n")
    kinds = list(dict.fromkeys(kind for finalist in finalists for kind in finalist.controls))
    header = (
        "design",
        "#search",
        "#confirmed [95 % interval]",
        "#optimism",
        *(f"#{kind}" for kind in kinds),
        "#better than others",
    )
    rows = [
        (
            finalist.design[:10],
            f"{finalist.searched.mean:+.3f}",
            estimate_text(finalist.confirmed, signed=True),
            f"{finalist.optimism:+.3f}",
            *(f"{finalist.controls[kind].mean:+.3f}" if kind in finalist.controls else "-" for kind in kinds),
            f"{finalist.dominance:.0%}" if finalist.confirmed.interval else "-",
        )
        for finalist in finalists
    ]
    say_table(header, rows)
    if doubt := _doubt(finalists):
        say(f"\n{doubt}")


def _doubt(finalists: Sequence[Finalist]) -> str:
    """What speaks against using the first one, in a sentence; empty where nothing does."""
    first = finalists[0].confirmed
    if all(each.confirmed.mean <= 0 for each in finalists):
        return "None of them does better than no memory on these tasks: what the search gained was luck."
    if first.interval and first.low <= 0:
        return f"{finalists[0].design[:10]} may be no better than no memory: the interval of its gain holds 0."
    return ""


def finalist_json(finalist: Finalist) -> dict[str, Any]:
    """The fields of one finalist."""
    return {
        "design": finalist.design,
        "searched": estimate_json(finalist.searched),
        "confirmed": estimate_json(finalist.confirmed),
        "optimism": finalist.optimism,
        "dominance": finalist.dominance if finalist.confirmed.interval else None,
        "controls": {kind: estimate_json(gain) for kind, gain in finalist.controls.items()},
    }


def top_json(archive: Archive, run: Run, rows: Sequence[Row]) -> dict[str, Any]:
    """The fields of `run --json` and `top --json`."""
    from evolve.finals import ranking

    assert run.id is not None
    config, states, baselines = config_of(run), counts(archive, run.id), baseline_scores(archive, run.id)
    return {
        "run": run.id,
        "status": status_of(archive, run),
        "domain": config.domain,
        "strategy": config.strategy,
        "designs": config.designs,
        "evaluated": states["evaluated"],
        "failed": states["failed"],
        "rejected": states["rejected"],
        **rung_json(archive, run.id, config, states),
        **{name: estimate_json(mean_of(baselines.get(name))) for name in BASELINE_NAMES},
        "archive": str(archive.path),
        "finalists": [finalist_json(finalist) for finalist in ranking(archive, run.id)],
        "top": [
            {
                "rank": rank,
                "design": row.design,
                "number": row.number,
                **score_json(row.score),
                "gain": estimate_json(row.gain),
                "gain_over_nearest": estimate_json(row.gain_over_nearest),
                "tokens": row.tokens,
                "summary": row.summary,
                "change": row.change,
            }
            for rank, row in enumerate(rows, 1)
        ],
    }
