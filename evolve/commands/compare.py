"""`evolve compare`: runs side by side at equal budget, as a table, a plot and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.commands.pareto import MARKS, scatter
from evolve.commands.show import estimate_json, estimate_text, say, say_heading, say_json, say_table
from evolve.commands.tables import config_of, reading
from evolve.errors import InputError

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Run
    from evolve.sides import Axis, Course, Pair, Rows, Side
    from evolve.statistics import Estimate

COLUMNS = {"search": "#in the search", "area": "#mean on the way", "confirmed": "#confirmed", "test": "#test"}
Curves = Mapping[str, Sequence[tuple[float, "Estimate"]]]
LEAST = 0.001
"""p-values below are shown as such."""
CONTROLS = frozenset({"random", "best-of-n"})
TITLES = {
    "test": "Gain on the held-out test tasks",
    "confirmed": "Confirmed gain, on tasks that chose among finalists alone",
    "search": "Gain in the search, on the tasks that selected it, so that luck is part of it",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """Sides, the best first, by all that they are compared by."""

    sides: Sequence[Side]
    found: Mapping[str, Mapping[str, Rows]]
    axis: Axis
    budget: float
    left_out: Sequence[int]
    curves: Curves


def show_comparison(
    path: Path, numbers: Sequence[int], by: str, picture: Path | None = None, *, as_json: bool = False
) -> None:
    """The sides that runs form; all of an archive where none is named."""
    from evolve.plotting import draw, refuse_unwritable

    axis = _axis(by)
    if picture is not None:
        refuse_unwritable(picture)
    with reading(path) as archive:
        compared = compare_runs(archive, numbers, by)
    if as_json:
        say_json(compared_json(compared))
    else:
        _print(compared)
        say_heading(f"Gain of the best so far over no memory, in the search, along {axis}")
        say(plot(compared.curves, axis))
        print_pairs(compared.found)
    if picture is not None:
        draw(picture, compared.curves, axis, "gain over no memory of the best so far")


def compare_runs(archive: Archive, numbers: Sequence[int], by: str) -> Compared:
    """The same, computed; raises `InputError` where runs cannot be compared."""
    from evolve.sides import chief, common_budget, curve, measures, over_seeds, read_sides

    axis = _axis(by)
    sides, left_out = read_sides(archive, _chosen(archive, numbers))
    budget = common_budget(sides, axis)
    found = measures(archive, sides, axis, budget)
    sides = sorted(sides, key=lambda side: -over_seeds(found[chief(found)][side.name]).mean)
    ranked = [side.name for side in sides]
    found = {measure: {name: rows[name] for name in ranked if name in rows} for measure, rows in found.items()}
    return Compared(sides, found, axis, budget, left_out, {side.name: curve(side, axis, budget) for side in sides})


def _axis(by: str) -> Axis:
    from evolve.sides import AXES

    if by not in AXES:
        raise InputError(f"runs are compared --by {' or '.join(AXES)}, not by {by!r}")
    return by  # type: ignore[return-value]  # just looked up


def _chosen(archive: Archive, numbers: Sequence[int]) -> list[Run]:
    """The runs of the numbers, each once, or all searches."""
    if numbers:
        chosen = [archive.run(number) for number in dict.fromkeys(numbers)]
        for run in chosen:
            if config_of(run).strategy == "eval":
                raise InputError(f"run {run.id} is of `evolve eval`, which searches nothing")
        return chosen
    found = [run for run in archive.runs() if config_of(run).strategy != "eval"]
    if not found:
        raise InputError(f"{archive.path} has no runs yet; `evolve run` starts one")
    return found


def _print(compared: Compared) -> None:
    sides, found, axis, budget = compared.sides, compared.found, compared.axis, compared.budget
    courses = [course for side in sides for course in side.courses]
    seeds = ", ".join(str(course.seed) for course in sides[0].courses)
    counted = f"{len(courses)} runs at {_number(budget, axis)} each" if len(courses) > 1 else _number(budget, axis)
    say(f"{counted}; search seeds {seeds}. Gains are over no memory.\n")
    shown = [name for name in COLUMNS if found[name]]
    headings = ("", "side", "runs", *(COLUMNS[name] for name in shown))
    rows = [
        (
            mark,
            side.name,
            ", ".join(str(course.run) for course in side.courses),
            *(_cell(found[name], side) for name in shown),
        )
        for mark, side in zip(_marks(sides), sides, strict=True)
    ]
    say_table(headings, rows)
    if sentences := notes(compared):
        say("\n" + "\n".join(sentences))


def notes(compared: Compared) -> list[str]:
    """What a reader has to know of these figures."""
    sides, axis, budget, left_out = compared.sides, compared.axis, compared.budget, compared.left_out
    courses = [course for side in sides for course in side.courses]
    told = [f"Left out, for their search seeds are not those of all sides: runs {', '.join(map(str, left_out))}."]
    told = told if left_out else []
    longest = max(course.total.on(axis) for course in courses)
    if longest > budget:
        least = next(course.run for course in courses if course.total.on(axis) == budget)
        more = f"Run {least} had no more than that; others had up to {_number(longest, axis)}"
        has_finals = bool(compared.found["confirmed"] or compared.found["test"])
        told.append(f"{more}, from all of which their finals chose." if has_finals else f"{more}.")
    if len(sides[0].courses) == 1:
        told.append("One search seed: intervals are over tasks, and say nothing of what another seed would find.")
    if not CONTROLS & {side.name.partition(" ")[0] for side in sides}:
        told.append("No control is among them: `evolve run --strategy random` (or best-of-n) with the same seeds.")
    return told


def print_pairs(found: Mapping[str, Mapping[str, Rows]]) -> None:
    """Print how sides differ, by the measure that says most."""
    from evolve.sides import chief, pairs

    measure = chief(found)
    if len(found[measure]) < 2:
        return
    say_heading(f"{TITLES[measure]}: differences, paired; p over all pairs by Holm")
    say_table(("side", "less", "#difference", "#p"), [_pair_row(pair) for pair in pairs(found[measure])])


def _pair_row(pair: Pair) -> tuple[str, ...]:
    p = f"{pair.adjusted:.3f}" if pair.adjusted >= LEAST else f"< {LEAST}"
    return pair.first, pair.second, estimate_text(pair.difference, signed=True), p


def _cell(rows: Mapping[str, Rows], side: Side) -> str:
    from evolve.sides import over_seeds

    return estimate_text(over_seeds(rows[side.name]), signed=True) if side.name in rows else "-"


def plot(curves: Curves, axis: Axis) -> str:
    """The curves in a frame of characters, each drawn with its side's mark."""
    marks = dict(zip(curves, _marks(curves), strict=True))
    points = {
        f"{name}\n{place}": (x, found.mean)
        for name, curve in reversed([*curves.items()])  # the best one on top
        for place, (x, found) in enumerate(curve)
    }
    form = ".2f" if axis == "dollars" else ".0f"
    return scatter(points, {point: marks[point.partition("\n")[0]] for point in points}, form)


def _marks(sides: Sequence[Side] | Curves) -> list[str]:
    return [MARKS[place % len(MARKS)] for place in range(len(sides))]


def _number(value: float, axis: Axis) -> str:
    return f"${value:.2f}" if axis == "dollars" else f"{value:,.0f} {axis}"


def compared_json(compared: Compared) -> dict[str, Any]:
    """The fields of `compare --json`."""
    from evolve.sides import over_seeds, pairs

    found = compared.found
    return {
        "by": compared.axis,
        "budget": compared.budget,
        "seeds": [course.seed for course in compared.sides[0].courses],
        "left_out": list(compared.left_out),
        "sides": [
            {
                "side": side.name,
                **{
                    name: estimate_json(over_seeds(rows[side.name])) if side.name in rows else None
                    for name, rows in found.items()
                },
                "runs": [_course_json(course) for course in side.courses],
            }
            for side in compared.sides
        ],
        "pairs": {name: [_pair_json(pair) for pair in pairs(rows)] for name, rows in found.items()},
        "curves": _curves_json(compared.curves),
    }


def _course_json(course: Course) -> dict[str, Any]:
    steps = [{"design": step.design, "gain": step.gain, **step.spent._asdict()} for step in course.steps]
    return {"run": course.run, "seed": course.seed, **course.total._asdict(), "steps": steps}


def _pair_json(pair: Pair) -> dict[str, Any]:
    return {**pair._asdict(), "difference": estimate_json(pair.difference)}


def _curves_json(curves: Curves) -> list[dict[str, Any]]:
    return [
        {"side": name, "points": [{"at": x, "gain": estimate_json(gain)} for x, gain in curve]}
        for name, curve in curves.items()
    ]
