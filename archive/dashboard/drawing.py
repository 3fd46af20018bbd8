"""A curve as the paths of an SVG picture, for a page that has no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import NamedTuple

WIDTH, HEIGHT = 920.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 128.0, 14.0, 44.0
"""What is left free around the plot: axes, and the names of levels at the right."""
APART = 15.0
"""The least distance between two names."""


class Point(NamedTuple):
    """A value from some place on, with its interval if it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


class Tick(NamedTuple):
    """A mark on an axis."""

    place: float
    label: str


class Level(NamedTuple):
    """A line across the plot; its name stands at `label`."""

    place: float
    label: float
    name: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A step curve with its band, in the coordinates of the picture."""

    line: str
    band: str
    x: Sequence[Tick]
    y: Sequence[Tick]
    levels: Sequence[Level]
    end: tuple[float, float]
    """Where the curve ends."""
    zero: float

    width, height = WIDTH, HEIGHT
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that cover a span, of 1, 2 or 5 times a power of ten.

    >>> ticks(0, 0.37)
    [0.0, 0.1, 0.2, 0.3, 0.4]
    """
    span = max(high - low, 1e-9)
    rough = span / about
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(place * step, 10) + 0.0 for place in range(first, last + 1)]


def draw(points: Sequence[Point], until: float, levels: Sequence[tuple[str, float]]) -> Picture:
    """A value that holds until the next point, along x from 0; levels are named values to compare with."""
    ends = [end for point in points for end in (point.low, point.high) if end is not None]
    values = [0.0, *(point.y for point in points), *ends, *(value for _, value in levels)]
    ys = ticks(min(values), max(values))
    xs = [tick for tick in ticks(0.0, until) if tick <= until] or [0.0]

    def x(value: float) -> float:
        return round(LEFT + value / (until or 1.0) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - ys[0]) / ((ys[-1] - ys[0]) or 1.0) * (HEIGHT - TOP - BOTTOM), 1)

    last = points[-1].y if points else 0.0
    tops = [(point.x, point.high) for point in points if point.high is not None]
    lows = [(point.x, point.low) for point in points if point.low is not None]
    upper, lower = (_steps([(x(at), y(value)) for at, value in side], x(until)) for side in (tops, lows))
    return Picture(
        line=_path(_steps([(x(0.0), y(0.0)), *((x(point.x), y(point.y)) for point in points)], x(until))),
        band=_path([*upper, *lower[::-1]]) + "Z" if upper and lower else "",
        x=[Tick(x(tick), f"{tick:,.0f}") for tick in xs],
        y=[Tick(y(tick), f"{tick:+.2f}".replace("-", "\u2212") if tick else "0") for tick in ys],
        levels=_apart([(y(value), name) for name, value in levels], y(last)),
        end=(x(until), y(last)),
        zero=y(0.0),
    )


def _steps(points: Sequence[tuple[float, float]], until: float) -> list[tuple[float, float]]:
    """The corners of a line that keeps each value until the next."""
    if not points:
        return []
    corners = [points[0]]
    for at, value in points[1:]:
        corners += [(at, corners[-1][1]), (at, value)]
    return [*corners, (until, corners[-1][1])]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in points) if points else ""


def _apart(found: Sequence[tuple[float, str]], taken: float) -> list[Level]:
    """Levels with the places of their names, so that none covers another or that of the curve itself."""
    placed: list[float] = [taken]
    levels = []
    for place, name in sorted(found):
        label = place
        while clash := [other for other in placed if abs(other - label) < APART]:
            label = max(clash) + APART
        placed.append(label)
        levels.append(Level(place, label, name))
    return levels
