"""What is seen of a search while it runs, on standard error: a live view, and elsewhere a line now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from evolve.commands.show import console, estimate_text, minutes, safe_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from evolve.progress import Progress

EVERY = 10.0
"""Seconds from one line to the next where there is no terminal."""


class View:
    """Shows the progress that it is told of, from a thread of its own, so that it goes on while the search waits."""

    def __init__(self) -> None:
        from rich.live import Live

        self._console = console(stderr=True)
        self._progress: Progress | None = None
        self._told = 0
        self._phase = ""
        self._closed = threading.Event()
        self._live: Live | None = None
        self._ticker: threading.Thread | None = None
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, refresh_per_second=4, transient=True, get_renderable=self._renderable
            )
        else:
            self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> View:
        if self._live is not None:
            self._live.start()
        if self._ticker is not None:
            self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the live view away."""
        self._closed.set()
        if self._live is not None:
            self._live.stop()

    def announce(self, sentence: str) -> None:
        """Print a line above the view."""
        self._console.print(safe_text(sentence, 400), soft_wrap=True)

    def update(self, progress: Progress) -> None:
        """Take note of the state of the search."""
        self._progress = progress
        for note in progress.notes[self._told :]:
            self.announce(note)
        self._told = len(progress.notes)
        if self._live is None and progress.phase != self._phase:
            self._phase = progress.phase
            self.announce(line(progress))

    def _tick(self) -> None:
        while not self._closed.wait(EVERY):
            if self._progress is not None:
                self.announce(line(self._progress))

    def _renderable(self) -> RenderableType:
        return panel(self._progress) if self._progress is not None else "starting"


def line(progress: Progress) -> str:
    """The progress in one line."""
    now = minutes(time.monotonic() - progress.began)
    if progress.searching_since is None:  # nor where one design is submitted or evaluated
        episodes = f"episodes {progress.played} played, {progress.reused} reused"
        return f"{now}  {_phase(progress)}; {episodes}{_spending(progress)}"
    left = progress.seconds_left()
    left_text = minutes(left) if left is not None else "?"
    best = estimate_text(progress.best[1]) if progress.best else "-"
    return (
        f"{now}  {_phase(progress)}: {progress.done}/{progress.total} designs, {progress.failed} failed"
        f"{_dropped(progress)}; best {best}, gain {estimate_text(progress.gain, signed=True)};"
        f" episodes {progress.played} played, {progress.reused} reused{_spending(progress)}; left {left_text}"
    )


def panel(progress: Progress) -> RenderableType:
    """The progress as a block of lines."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for name, value in rows(progress):
        table.add_row(name, value)
    searching = progress.searching_since is not None
    done, total = (progress.done, progress.total) if searching else (progress.part, progress.parts)
    bar = ProgressBar(total=max(1, total), completed=done, width=40)
    whole = Table.grid()
    whole.add_row(table)
    whole.add_row(bar)
    return whole


def rows(progress: Progress) -> Sequence[tuple[str, str]]:
    """What the live view says, by name."""
    seconds = max(0.001, time.monotonic() - progress.began)
    left = progress.seconds_left()
    found = [("phase", _phase(progress))]
    if progress.no_memory is not None:
        found.append(("no memory", estimate_text(progress.no_memory)))
    if progress.best is not None:
        found += [
            ("best so far", f"{estimate_text(progress.best[1])}  {safe_text(progress.best[0][:10])}"),
            ("gain", f"{estimate_text(progress.gain, signed=True)}  over no memory, paired by task"),
        ]
    if progress.searching_since is not None:
        found.append(
            (
                "designs",
                f"{progress.done} of {progress.total} done, {progress.failed} of them failed{_dropped(progress)};"
                f" {progress.rejected} more told nothing new",
            )
        )
    rate = progress.played / seconds
    found.append(("episodes", f"{progress.played} played ({rate:.1f} a second), {progress.reused} reused"))
    if progress.spending:
        found.append(("models", progress.spending))
    found.append(("time", f"{minutes(seconds)}" + (f", about {minutes(left)} left" if left is not None else "")))
    return found


def _dropped(progress: Progress) -> str:
    return f", {progress.dropped} dropped early" if progress.dropped else ""


def _spending(progress: Progress) -> str:
    return f"; models {progress.spending}" if progress.spending else ""


def _phase(progress: Progress) -> str:
    return f"{progress.phase} {progress.part}/{progress.parts}" if progress.parts else progress.phase
