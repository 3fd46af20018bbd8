"""`evolve report`: a run as one HTML file."""

from __future__ import annotations

from pathlib import Path

from evolve.commands.files import write_text
from evolve.commands.show import say, say_json
from evolve.commands.tables import chosen_run, reading


def write_report(path: Path, number: int | None, to: Path | None, *, force: bool, as_json: bool) -> None:
    """Write a run's report into a file, by default into this folder under the run's number."""
    from archive.dashboard.report import render
    from evolve.reporting import gather

    with reading(path) as archive:
        run = chosen_run(archive, number)
        report = gather(archive, run)
    file = to if to is not None else Path(f"run-{run.id}.html")
    text = render(report)
    write_text(file, text, force=force or _is_report(file))
    if as_json:
        say_json({"run": run.id, "file": str(file), "bytes": len(text.encode())})
    else:
        say(f"The report of run {run.id} is in {file}; it needs nothing else.")


def _is_report(file: Path) -> bool:
    """Whether a file is a report of ours, which a newer one may take the place of."""
    from archive.dashboard.report import MARK

    try:
        with file.open("rb") as opened:
            return MARK.encode() in opened.read(200)
    except OSError:
        return False
