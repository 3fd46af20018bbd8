"""The commands that only read: runs, top, diff, doctor."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.commands.costs import ledger_of, spent_json, spent_text
from evolve.commands.files import readable
from evolve.commands.show import (
    minutes,
    say,
    say_code,
    say_json,
    say_table,
    score_json,
    time_text,
)
from evolve.commands.tables import (
    best_rows,
    chosen_run,
    config_of,
    counts,
    estimate_of,
    print_top,
    reading,
    rung_json,
    status_of,
    top_json,
)
from evolve.results import candidates

if TYPE_CHECKING:
    from archive.ledger import Ledger
    from archive.store import Archive
    from archive.tables import Run


def list_runs(path: Path, *, as_json: bool) -> None:
    """All runs of an archive, oldest first."""
    from archive.utilisation import utilisations

    with reading(path) as archive, ledger_of(path) as ledger:
        busy = utilisations(archive)
        found = [{**_run_json(archive, run, ledger), "busy": busy.get(run.id or 0)} for run in archive.runs()]
    if as_json:
        say_json(found)
        return
    named = [name for name in ("proposer", "agent") if len({run[name] for run in found}) > 1]
    say_table(
        ("#run", "domain", "strategy", *named, "#seed", "#designs", "#best", "#models", "#time", "#busy", "status"),
        [
            (
                str(run["run"]),
                run["domain"],
                run["strategy"],
                *(run[name].partition("@")[0] for name in named),
                str(run["seed"]),
                _done_text(run),
                f"{run['best']['score']:.3f}" if run["best"] else "-",
                spent_text(run["cost"]),
                minutes(run["seconds"]),
                f"{run['busy']:.0%}" if run["busy"] is not None else "-",
                run["status"],
            )
            for run in found
        ],
    )


def show_top(path: Path, number: int | None, count: int, *, as_json: bool) -> None:
    """A run's best designs."""
    with reading(path) as archive:
        run = chosen_run(archive, number)
        rows = best_rows(archive, run, count)
        if as_json:
            say_json(top_json(archive, run, rows))
        else:
            print_top(archive, run, rows)


def diff_designs(path: Path, a: str, b: str, *, as_json: bool) -> None:
    """What differs between the sources of two designs."""
    with reading(path) as archive:
        first, second = archive.design(a), archive.design(b)
    before, after = (text.splitlines() for text in readable(first, second))
    lines = difflib.unified_diff(before, after, first.id[:10], second.id[:10], lineterm="")
    text = "\n".join(lines)
    if as_json:
        say_json({"a": first.id, "b": second.id, "equal": not text, "diff": text})
    elif text:
        say_code(text, "diff")
    else:
        say("The sources are equal.")


def show_findings(*, as_json: bool) -> None:
    """What the doctor found; exit code 1 where something needed is missing."""
    import typer

    from evolve.doctor import diagnose, is_usable

    findings = diagnose()
    usable = is_usable(findings)
    if as_json:
        say_json({"usable": usable, "findings": [asdict(finding) for finding in findings]})
    else:
        marks = {(True, True): "ok", (True, False): "ok", (False, True): "MISSING", (False, False): "lacking"}
        say_table(("", "what", ">found"), [(marks[f.ok, f.needed], f.name, f.detail) for f in findings])
        for finding in findings:
            if not finding.ok:
                say(f"\n{finding.name}: mend it with\n  {finding.remedy}")
        say("\nEverything that is needed is here." if usable else "\nSomething that is needed is missing.")
    if not usable:
        raise typer.Exit(1)


def _run_json(archive: Archive, run: Run, ledger: Ledger) -> dict[str, Any]:
    assert run.id is not None
    config, states = config_of(run), counts(archive, run.id)
    best = candidates(archive, run.id, 1)
    return {
        "run": run.id,
        "status": status_of(archive, run),
        "domain": config.domain,
        "agent": config.agent,
        "strategy": config.strategy,
        "proposer": config.proposer,
        "seed": config.seed,
        "designs": config.designs,
        "evaluated": states["evaluated"],
        "failed": states["failed"],
        "rejected": states["rejected"],
        **rung_json(archive, run.id, config, states),
        "best": {"design": best[0].design_id, **score_json(estimate_of(best[0]))} if best else None,
        "cost": spent_json(ledger.spent(run.id)),
        "looks": archive.looks(run.id),
        "sandbox": run.sandbox.partition(" ")[0],
        "created": time_text(run.created),
        "seconds": run.elapsed,
        "config": json.loads(run.config),
    }


def _done_text(run: dict[str, Any]) -> str:
    done = run["evaluated"] + run["failed"] + run["dropped"]
    return str(done) if run["strategy"] == "eval" else f"{done}/{run['designs']}"
