"""`evolve pareto`: the designs of a run that none beats in performance, cost and delay together, and a plot of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.commands.show import estimate_text, say, say_heading, say_json, say_table, score_json
from evolve.commands.tables import chosen_run, config_of, estimate_of, reading
from evolve.results import candidates

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Evaluation, Run
    from evolve.diagnosis import Defect
    from evolve.strategies.evidence import Fitness

WIDTH, HEIGHT = 64, 14
"""Characters of the plot."""
MARKS = "123456789abcdefghijklmnopqrstuvwxyz"
OTHER = "."


@dataclass(frozen=True, slots=True)
class Placed:
    """A design that is on the front, or was on it until another beat it."""

    row: Evaluation
    number: int
    made_of: str
    fitness: Fitness
    entered: int | None
    """After how many scores; none where the archive kept no fronts yet."""
    beaten: int | None
    defects: Sequence[Defect]
    """What it was diagnosed with."""


def show_pareto(path: Path, number: int | None, *, as_json: bool) -> None:
    """A run's Pareto front."""
    from evolve.strategies.evidence import Evidence

    with reading(path) as archive:
        run = chosen_run(archive, number)
        assert run.id is not None
        config = config_of(run)
        evidence = Evidence(archive, run.id, counted=config.reproducible, budget=config.memory_budget)
        rows = {row.design_id: row for row in candidates(archive, run.id)}
        fitness = {design: evidence.fitness(design) for design in rows}
        placed = _placed(archive, run, rows, fitness)
        if as_json:
            say_json(_json(run, placed, len(rows), counted=config.reproducible))
        else:
            _print(run, placed, fitness, counted=config.reproducible)


def _placed(archive: Archive, run: Run, rows: Mapping[str, Evaluation], fitness: Mapping[str, Fitness]) -> list[Placed]:
    """Who is on the front and who was, the best first; what failed in the finals is left out."""
    from archive.fronts import diagnosis, front
    from evolve.diagnosis import DefectProfile
    from evolve.front import Front

    assert run.id is not None
    known = {row.design_id: (row.entered, row.beaten) for row in front(archive, run.id)}
    if not known:  # an archive from before there were such rows
        computed = Front()
        for design in sorted(rows, key=lambda design: rows[design].id or 0):
            computed.add(design, fitness[design].vector())
        known = dict.fromkeys(computed.members, (None, None))  # type: ignore[arg-type]
    found = []
    for design, (entered, beaten) in known.items():
        if design not in rows:
            continue
        kept, member = diagnosis(archive, run.id, design), archive.member(run.id, design)
        assert member is not None
        defects = DefectProfile.unpack(kept).defects if kept is not None else ()
        summary = archive.exactly(design).summary
        found.append(Placed(rows[design], member.number, summary, fitness[design], entered, beaten, defects))
    return sorted(found, key=lambda each: -each.row.score)


def _print(run: Run, placed: Sequence[Placed], fitness: Mapping[str, Fitness], *, counted: bool) -> None:
    now = [each for each in placed if each.beaten is None]
    if not now:
        say(f"Run {run.id} has no evaluated designs yet.")
        return
    say(f"run {run.id}: {len(now)} of {len(fitness)} designs are on its Pareto front")
    say_heading("Score against cost, in tokens an episode")
    points = {design: (each.cost, each.performance) for design, each in fitness.items()}
    marks = {each.row.design_id: mark for each, mark in zip(now, MARKS, strict=False)}
    say(scatter(points, marks))
    delay = "#delay" if counted else "#seconds"
    diagnosed = any(each.defects for each in now)
    headings = ("", "design", "score", "#cost", delay, "#since", *(["~worst defect"] if diagnosed else []), "~made of")
    rows = [
        (
            marks.get(each.row.design_id, ""),
            each.row.design_id[:10],
            estimate_text(estimate_of(each.row)),
            f"{each.fitness.cost:.0f}",
            f"{each.fitness.delay:.2f}",
            str(each.entered if each.entered is not None else "-"),
            *([f"{each.defects[0].part}: {each.defects[0].name}" if each.defects else ""] if diagnosed else []),
            each.made_of,
        )
        for each in now
    ]
    say()
    say_table(headings, rows)
    if was := len(placed) - len(now):
        say(f"\n{was} more {'were' if was > 1 else 'was'} on it before, and {'are' if was > 1 else 'is'} beaten now.")


def _json(run: Run, placed: Sequence[Placed], designs: int, *, counted: bool) -> dict[str, Any]:
    return {
        "run": run.id,
        "designs": designs,
        "delay": "counted" if counted else "seconds",
        "front": [_placed_json(each) for each in placed if each.beaten is None],
        "former": [{**_placed_json(each), "beaten": each.beaten} for each in placed if each.beaten is not None],
    }


def _placed_json(each: Placed) -> dict[str, Any]:
    fields = ("part", "name", "severity", "evidence", "remedy")
    return {
        "design": each.row.design_id,
        "number": each.number,
        **score_json(estimate_of(each.row)),
        "cost": each.fitness.cost,
        "delay": each.fitness.delay,
        "entered": each.entered,
        "defects": [{name: getattr(defect, name) for name in fields} for defect in each.defects],
    }


def scatter(points: Mapping[str, tuple[float, float]], marks: Mapping[str, str], form: str = ".0f") -> str:
    """Points by their names in a frame of characters; those with a mark are drawn last. `form` is that of the x.

    >>> print(scatter({"a": (0, 0), "b": (1, 1)}, {"b": "1"}).splitlines()[0].split("|")[1].strip())
    1
    """
    xs, ys = ([point[axis] for point in points.values()] for axis in (0, 1))
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    for name in sorted(points, key=lambda name: name in marks):
        x, y = points[name]
        grid[HEIGHT - 1 - _cell(y, ys, HEIGHT)][_cell(x, xs, WIDTH)] = marks.get(name, OTHER)
    ends = {0: f"{max(ys):.3f}", HEIGHT - 1: f"{min(ys):.3f}"}
    lines = [f"{ends.get(number, ''):>7} |{''.join(line).rstrip()}" for number, line in enumerate(grid)]
    left, right = (f"{end:{form}}" for end in (min(xs), max(xs)))
    return "\n".join([*lines, f"{'':>7} +{'-' * WIDTH}", f"{'':>9}{left:<{WIDTH - len(right)}}{right}"])


def _cell(value: float, values: Sequence[float], size: int) -> int:
    low, high = min(values), max(values)
    return round((value - low) / (high - low) * (size - 1)) if high > low else 0
