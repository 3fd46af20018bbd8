"""Charts as data: `static/app.js` draws them, and whoever asks the address under `/api` reads them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

Point = list[float | None]
"""x, y and, in a band, the ends of its interval."""


class Axis(BaseModel):
    """One axis. The values of `time` are seconds; those of `log` are above zero, those of `percent` up to 100."""

    name: str
    kind: Literal["value", "log", "time", "percent", "category"] = "value"
    digits: int = 0
    categories: list[str] = []


class Series(BaseModel):
    """Points that belong together. `labels` name them, one each; `link` is an address with `{label}` in it."""

    name: str
    kind: Literal["step", "line", "points", "bars"]
    points: list[Point]
    colour: Literal["best", "muted", "first", "second", "third", "fourth", "fifth"] = "first"
    band: bool = False
    """Whether the points have intervals, to be drawn as a band."""
    labels: list[str] = []
    link: str = ""


class Level(BaseModel):
    """A value to compare with, drawn across the chart."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


class Chart(BaseModel):
    """What a chart shows; `empty` is said where there is nothing to be drawn."""

    title: str
    x: Axis
    y: Axis
    series: list[Series] = []
    levels: list[Level] = []
    note: str = ""
    empty: str = ""
