"""`evolve insights` and `evolve hint`: what is known across runs, and what a person told one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.commands.files import write_text
from evolve.commands.show import estimate_json, estimate_text, say, say_heading, say_json, say_table, time_text
from evolve.commands.tables import config_of, reading
from evolve.errors import InputError
from evolve.insights import IMPORT, PERSON, Insight, Insights, Situation, Step, history, lines, read_line, taken_in
from evolve.sources import effect, made_with

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Operation

LONGEST_HINT = 2_000
"""Characters."""


@contextmanager
def _writing(path: Path) -> Iterator[Archive]:
    """An archive that is there, open for a writer."""
    from archive.opening import open_archive

    open_archive(path).close()  # refuses what is none, before anything is made
    archive = open_archive(path, write=True)
    try:
        yield archive
    finally:
        archive.close()


def list_insights(path: Path, domain: str | None, count: int, *, as_json: bool) -> None:
    """All insights, or those of a domain and what others say of it."""
    with reading(path) as archive:
        known = Insights(archive)
    if domain is not None:
        found = [insight for insight, _ in known.relevant(Situation(domain), count)]
    else:
        by_evidence = sorted(known.known.values(), key=lambda each: (-abs(each.tally.total), each.number))
        found = by_evidence[:count]
    if as_json:
        say_json([insight_json(insight) for insight in found])
    elif not found:
        say("Nothing is known yet; `evolve run --insights` and `evolve insights learn RUN` learn.")
    else:
        header = ("##", "what", "where", "#gain beyond what is usual", "#designs", "#used", "#did better")
        say_table(header, [_row(insight) for insight in found])


def _row(insight: Insight) -> tuple[str, ...]:
    found = insight.tally.estimate()
    where = ", ".join(filter(None, (insight.situation.domain, insight.situation.stage)))
    measured = estimate_text(found, signed=True) if found.n else "-"
    used = (str(insight.uses), str(insight.wins)) if insight.uses else ("", "")
    return str(insight.number), f"{insight.kind} {insight.subject}", where, measured, str(found.n), *used


def insight_json(insight: Insight) -> dict[str, Any]:
    """All of an insight."""
    found = insight.tally.estimate()
    return {
        "insight": insight.number,
        "kind": insight.kind,
        "subject": insight.subject,
        "domain": insight.situation.domain,
        "stage": insight.situation.stage or None,
        "sentence": insight.sentence(),
        "gain": estimate_json(found) if found.n else None,
        "runs": sorted(insight.evidence),
        "designs": list(insight.designs),
        "tasks": list(insight.tasks),
        "uses": insight.uses,
        "wins": insight.wins,
        "credit": insight.credit,
    }


def show_insight(path: Path, number: int, *, as_json: bool) -> None:
    """One insight and how it came about."""
    with reading(path) as archive:
        insights, rows = Insights(archive), history(archive, number)
    if not rows:
        raise InputError(f"{path} never had an insight {number}; `evolve insights list` lists them")
    known, last = insights.known.get(number), insights.ever[number]
    if as_json:
        gone = {"known": known is not None, "history": [_operation_json(row) for row in rows]}
        say_json({**insight_json(last), **gone})
        return
    say(f"Insight {number}: {last.sentence()}" + ("" if known is not None else "; it is no longer known"))
    for source, tally in last.evidence.items():
        say(f"run {source}: {estimate_text(tally.estimate(), signed=True)} in {tally.n:.0f} designs")
    say(f"seen in {', '.join(design[:10] for design in last.designs) or 'no design'}, on {len(last.tasks)} tasks")
    say(f"credit {last.credit:.2f}: {last.uses} designs made by it once it was told, {last.wins} did better than usual")
    say_heading("History")
    header = ("##", "time", "what", "author", "#run", "#after scores", ">reason")
    say_table(header, [_operation_row(row) for row in rows])


def _operation_row(row: Operation) -> tuple[str, ...]:
    what = f"{row.kind} {row.targets}".strip()
    run = str(row.run_id) if row.run_id is not None else ""
    return str(row.id), time_text(row.created), what, row.author, run, str(row.told or ""), row.reason


def _operation_json(row: Operation) -> dict[str, Any]:
    from archive.store import unpack
    from evolve.insights import numbers_of

    found = Insight.unpack(unpack(row.insight)).tally.estimate() if row.insight else None
    return {
        "operation": row.id,
        "kind": row.kind,
        "targets": numbers_of(row.targets),
        "run": row.run_id,
        "told": row.told,
        "author": row.author,
        "reason": row.reason,
        "gain": estimate_json(found) if found is not None and found.n else None,
        "time": time_text(row.created),
    }


def learn_from(path: Path, number: int, *, as_json: bool) -> None:
    """Learn from a run of the archive."""
    from evolve.learning import learn

    with _writing(path) as archive:
        run = archive.run(number)
        if config_of(run).strategy == "eval":
            raise InputError(f"run {number} is one of `evolve eval`, not a search; `evolve runs` lists them")
        done = learn(archive, run)
    if as_json:
        say_json({"run": number, "operations": done})
    else:
        say(f"{done} operations on insights; `evolve insights list` lists what is known.")


def forget_insight(path: Path, number: int, why: str, *, as_json: bool) -> None:
    """Delete an insight; its history stays."""
    with _writing(path) as archive:
        known = Insights(archive)
        if number not in known.known:
            raise InputError(f"{path} knows no insight {number}; `evolve insights list` lists them")
        (operation,) = known.apply([Step("delete", why, None, (number,))], PERSON)
    if as_json:
        say_json({"insight": number, "operation": operation})
    else:
        say(f"Insight {number} is forgotten; `evolve insights show {number}` still says what it was.")


def export_insights(path: Path, file: Path, *, force: bool, as_json: bool) -> None:
    """Write what is known as JSON lines."""
    with reading(path) as archive:
        found = lines(Insights(archive).known.values())
    write_text(file, "".join(f"{line}\n" for line in found), force=force)
    if as_json:
        say_json({"file": str(file), "insights": len(found)})
    else:
        say(f"{len(found)} insights are in {file}; `evolve insights import {file}` takes them into another archive.")


def import_insights(path: Path, file: Path, *, as_json: bool) -> None:
    """Take in the lines of a file, all of them or none."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not valid UTF-8: {error.reason} at byte {error.start}") from None
    others = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                others.append(read_line(line))
            except InputError as error:
                raise InputError(f"line {number} of {file}: {error}") from None
    with _writing(path) as archive:
        known = Insights(archive)
        plan = taken_in(known, others, file.name)
        known.apply(plan, IMPORT)
    added = sum(step.kind == "add" for step in plan)
    if as_json:
        say_json({"file": str(file), "read": len(others), "added": added, "modified": len(plan) - added})
    else:
        say(f"{len(others)} insights read: {added} are new, {len(plan) - added} were known and have more evidence now.")


# Hints


def give_hint(path: Path, number: int, text: str | None, *, as_json: bool) -> None:
    """Write a hint for a run, or list its hints with what became of the designs that were asked with them."""
    if text is None:
        with reading(path) as archive:
            _list_hints(archive, number, as_json=as_json)
        return
    if not text.strip() or len(text) > LONGEST_HINT:
        raise InputError(f"a hint has at least a word, and at most {LONGEST_HINT} characters")
    from archive.insights import add_hint
    from archive.opening import open_beside

    archive = open_beside(path)
    try:
        config = config_of(archive.run(number))
        if config.strategy == "eval":
            raise InputError(f"run {number} is one of `evolve eval`, not a search; `evolve runs` lists them")
        if config.reproducible:
            raise InputError(f"run {number} is reproducible: the same seed has to give the same designs, without hints")
        hint = add_hint(archive, number, " ".join(text.split()))
    finally:
        archive.close()
    if as_json:
        say_json({"hint": hint, "run": number})
    else:
        say(
            f"Run {number} is told hint {hint} with all that it asks for from now on; `evolve hint {number}` shows its"
            " effect."
        )


def _list_hints(archive: Archive, number: int, *, as_json: bool) -> None:
    from archive.insights import hints

    archive.run(number)
    told = [(hint, made_with(archive, f"hint {hint[0]}", number)) for hint in hints(archive, number)]
    found = [(*hint, len(designs), effect(designs)) for hint, designs in told]
    if as_json:
        names = ("hint", "text", "asked", "designs", "gain")
        say_json([{**dict(zip(names, each, strict=False)), "gain": estimate_json(each[-1])} for each in found])
    elif not found:
        say(f"Run {number} was given no hints.")
    else:
        header = ("##", "#after requests", "#designs", "#gain over what they were asked of", ">hint")
        rows = [
            (str(hint), str(asked), str(designs), estimate_text(gain, signed=True), text)
            for hint, text, asked, designs, gain in found
        ]
        say_table(header, rows)
