"""Curves of searches as a picture. Only this module imports matplotlib, which is an extra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evolve.errors import InputError

if TYPE_CHECKING:
    from evolve.statistics import Estimate

FORMATS = (".png", ".svg", ".pdf")

Curve = Sequence[tuple[float, "Estimate"]]


def refuse_unwritable(path: Path) -> None:
    """Raise `InputError` where no picture can be made of this name, before anything is computed."""
    if path.suffix not in FORMATS:
        raise InputError(f"--plot {path}: a picture's name ends in one of {', '.join(FORMATS)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError("--plot needs matplotlib, which is not installed; `pip install matplotlib`") from error


def draw(path: Path, curves: Mapping[str, Curve], x: str, y: str) -> None:
    """Write steps with their intervals, where they have any; raises `InputError` where the file cannot be written."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y)
    for name, curve in curves.items():
        places, found = zip(*curve, strict=True)
        (line,) = axes.step(places, [each.mean for each in found], where="post", label=name)
        if all(each.interval for each in found):
            ends = [each.low for each in found], [each.high for each in found]
            axes.fill_between(places, *ends, step="post", alpha=0.15, color=line.get_color(), linewidth=0)
    axes.axhline(0, color="grey", linewidth=0.8, linestyle=":")
    axes.legend(frameon=False)
    try:
        with mpl.rc_context({"svg.hashsalt": "palimpsest"}):  # equal curves make equal files
            figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else {})
    except OSError as error:
        raise InputError(f"--plot {path} cannot be written: {error.strerror or error}") from error
