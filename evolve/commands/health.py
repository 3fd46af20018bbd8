"""`evolve doctor ARCHIVE`: what is wrong with an archive, and what was mended."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from evolve.commands.show import say, say_json, say_table

if TYPE_CHECKING:
    from pathlib import Path


def show_health(path: Path, *, as_json: bool) -> None:
    """Check an archive and mend it; exit code 1 where something is left that could not be mended."""
    import typer

    from archive.health import treat

    report = treat(path)
    usable = all(symptom.well or symptom.mended for symptom in report.symptoms)
    if as_json:
        findings = [{"ok": s.well or bool(s.mended), **asdict(s)} for s in report.symptoms]
        for finding in findings:
            del finding["well"]
        say_json({"usable": usable, "copy": str(report.copy) if report.copy else None, "findings": findings})
    else:
        marks = {True: "ok", False: "mended"}
        say_table(
            ("", "what", ">found"),
            [
                (marks[symptom.well] if symptom.well or symptom.mended else "DAMAGED", symptom.name, symptom.detail)
                for symptom in report.symptoms
            ],
        )
        for symptom in report.symptoms:
            if not symptom.well:
                say(f"\n{symptom.name}: {symptom.mended or symptom.remedy}")
        if report.copy is not None:
            say(f"\nWhat it was before is in {report.copy}.")
        say("\nThis archive can be used." if usable else "\nThis archive is damaged.")
    if not usable:
        raise typer.Exit(1)
