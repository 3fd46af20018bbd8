"""What came of the requests that were told something: an insight, a hint of a person."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evolve.results import DEPLOYMENT
from evolve.statistics import Estimate, estimate

if TYPE_CHECKING:
    from archive.store import Archive


@dataclass(frozen=True, slots=True)
class Made:
    """A design that was asked for with it."""

    run: int
    request: int
    design: str
    parent: str | None
    gain: float | None
    """In score over the parent; none where either has no score."""


def made_with(archive: Archive, source: str, run_id: int | None = None) -> list[Made]:
    """What was made, in all runs or one, by requests that were told of a source such as `hint 3`."""
    from archive.insights import sourced

    found: list[Made] = []
    scores: dict[int, dict[str, float]] = {}
    for run, number, payload, result in sourced(archive, source, run_id):
        asked, design = json.loads(payload), json.loads(result).get("design")
        if not design or source not in asked["brief"].get("sources", ()):  # a text may hold it too
            continue
        if run not in scores:
            scores[run] = {each: row.score for each, row in archive.results(run, DEPLOYMENT).items()}
        parent = next(iter(asked["parents"]), None)
        ours, theirs = scores[run].get(design), scores[run].get(parent or "")
        gain = ours - theirs if ours is not None and theirs is not None else None
        found.append(Made(run, number, design, parent, gain))
    return found


def effect(made: Iterable[Made]) -> Estimate | None:
    """What designs gained over what they were asked of, over designs; none where none of them has a score."""
    gains = [each.gain for each in made if each.gain is not None]
    return estimate(gains) if gains else None
