"""`evolve trace` and `evolve search`: a run's episodes step by step, and a text in them and in the designs' code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.commands.run import archive_flag
from evolve.commands.show import safe_text, say, say_json, say_table
from evolve.commands.tables import chosen_run, config_of, reading
from evolve.errors import InputError
from evolve.texts import episode_text

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Run
    from evolve.grep import Where
    from evolve.history import Watched
    from evolve.reflection import Seen


def trace(
    path: Path,
    prefix: str,
    task: str | None,
    number: int | None,
    play: int,
    flags: dict[str, Any],
    *,
    allow_unsafe: bool,
    as_json: bool,
) -> None:
    """Show the recorded episodes of a design, and one of them whole: of the task that was named, else the worst."""
    from evolve.history import COLLECTION, history_of

    with reading(path) as archive:
        run, design = _of_design(archive, prefix, number)
    if play and design != COLLECTION:
        _play(path, run, design, play, flags, allow_unsafe=allow_unsafe)
    assert run.id is not None
    with reading(path) as archive:
        episodes = history_of(archive, run.id, config_of(run)).episodes(design)
    if not episodes:
        raise InputError(_nothing(path, design))
    shown = _chosen(episodes, task)
    if as_json:
        listed = [_line_json(watched) for watched in episodes]
        say_json({"run": run.id, "design": design, "episodes": listed, "episode": _whole_json(shown)})
        return
    if task is None and len(episodes) > 1:
        say_table(("task", "#repeat", "#score", "#steps", "#items told"), [_row(watched) for watched in episodes])
        say()
    say(episode_text(shown).rstrip("\n"))


def search(path: Path, text: str, where: Sequence[Where], number: int | None, most: int, *, as_json: bool) -> None:
    """Show the lines of code and episodes that hold a text."""
    from evolve.grep import search as search_in
    from evolve.history import history_of

    with reading(path) as archive:
        run = chosen_run(archive, number)
        assert run.id is not None
        hits = search_in(history_of(archive, run.id, config_of(run)), text, tuple(where), most)
    if as_json:
        fields = ("where", "design", "episode", "line", "text")
        say_json([{**dict(zip(fields, hit, strict=True)), "text": safe_text(hit.text)} for hit in hits])
        return
    for hit in hits:
        place = " ".join(part for part in (hit.where, hit.design[:10], hit.episode) if part)
        say(f"{place}:{hit.line}: {hit.text.strip()}")
    if not hits:
        say(f"Nothing in run {run.id} holds {text!r}.")


def _of_design(archive: Archive, prefix: str, number: int | None) -> tuple[Run, str]:
    """The run that is meant, by default the newest that has the design, and the design's id."""
    from evolve.history import COLLECTION

    if prefix == COLLECTION:
        return chosen_run(archive, number), prefix
    design = archive.design(prefix).id
    run_id = archive.runs_of(design)[-1] if number is None else number
    if archive.member(run_id, design) is None:
        raise InputError(f"run {run_id} has no design {design[:10]}; it is in run {archive.runs_of(design)[0]}")
    return archive.run(run_id), design


def _play(path: Path, run: Run, design: str, tasks: int, flags: dict[str, Any], *, allow_unsafe: bool) -> None:
    """Have a design play reflection tasks, and keep the episodes."""
    from domains.base import Role
    from evolve.commands.live import View
    from evolve.commands.submit import as_here
    from evolve.desk import Desk
    from evolve.scheduler import Activity
    from evolve.session import visit

    config = as_here(config_of(run), flags)
    assert run.id is not None
    with View() as view, visit(config, path, run.id, view.update, allow_unsafe=allow_unsafe) as sitting:
        search = sitting.search
        search.judge.admit(sitting.archive.exactly(design).origin)
        specs = search.prepare(Role.REFLECTION, tasks)

        played: list[Seen] = []

        def reflecting() -> Activity:
            played.extend((yield from Desk(search).reflect_on(design, specs)))

        search.drain([reflecting()])
    if not played:
        raise InputError(f"design {design[:10]} failed on the reflection tasks, so that there is nothing to see")


def _nothing(path: Path, design: str) -> str:
    from evolve.cli import program
    from evolve.history import COLLECTION

    if design == COLLECTION:
        return "the run has no collected episodes of its domain's present version"
    return (
        f"no episode of design {design[:10]} on reflection tasks is recorded, and others select, so that they are not"
        f" shown; have some played: {program()} trace {design[:10]} --play 3{archive_flag(path)}"
    )


def _chosen(episodes: Sequence[Watched], task: str | None) -> Watched:
    found = [watched for watched in episodes if task is None or watched.trajectory.task.id == task]
    if not found:
        known = ", ".join(dict.fromkeys(watched.trajectory.task.id for watched in episodes[:10]))
        raise InputError(f"no episode of task {task!r} is recorded; there are episodes of {known}")
    return found[0]


def _row(watched: Watched) -> tuple[str, ...]:
    trajectory = watched.trajectory
    told = str(sum(len(change.items) for change in trajectory.retrieved))
    return trajectory.task.id, str(watched.repeat), f"{trajectory.score:.2f}", str(len(trajectory.steps)), told


def _line_json(watched: Watched) -> dict[str, Any]:
    trajectory = watched.trajectory
    return {
        "task": trajectory.task.id,
        "repeat": watched.repeat,
        "score": trajectory.score,
        "success": trajectory.success,
        "length": len(trajectory.steps),
    }


def _whole_json(watched: Watched) -> dict[str, Any]:
    trajectory = watched.trajectory
    return {
        **_line_json(watched),
        "goal": trajectory.task.goal,
        "observation": trajectory.task.observation,
        "steps": [
            {"action": step.action, "observation": step.observation, "reward": step.reward} for step in trajectory.steps
        ],
        "told": [
            {"step": change.step, "items": [{"id": item.id, "text": item.text} for item in change.items]}
            for change in trajectory.retrieved
        ],
    }
