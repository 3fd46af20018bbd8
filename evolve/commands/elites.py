"""`evolve elites`: the best design of a run in each niche of retrieved tokens by kind of store."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evolve.commands.show import estimate_text, say, say_json, say_table, score_json
from evolve.commands.tables import chosen_run, config_of, estimate_of, mean_of, reading
from evolve.results import baseline_scores, candidates

if TYPE_CHECKING:
    from archive.store import Archive
    from archive.tables import Evaluation, Run

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Ends of the ranges of tokens an episode, as shares of the budget."""

LONGEST = 30
"""Characters of a kind of store, where a design describes its own."""

Niche = tuple[str, int]
"""Kind of store, and place of the range of tokens."""


@dataclass(frozen=True, slots=True)
class Elites:
    """The best of each niche (MAP-Elites: Mouret and Clune 2015, arXiv 1504.04909)."""

    best: Mapping[Niche, Evaluation]
    sizes: Mapping[Niche, int]
    """Designs of each niche."""
    ends: tuple[int, ...]
    """Most tokens of each range."""
    without: float
    """Score without memory."""

    @property
    def stores(self) -> list[str]:
        """Kinds of store, that of the best design first."""
        return list(dict.fromkeys(store for store, _ in sorted(self.best, key=lambda niche: -self.best[niche].score)))

    @property
    def quality(self) -> float:
        """Sum of the niches' gains over no memory, those below it aside: high where many niches have a good design."""
        return sum(max(0.0, row.score - self.without) for row in self.best.values())


def show_elites(path: Path, number: int | None, *, as_json: bool) -> None:
    """A run's niches."""
    with reading(path) as archive:
        run = chosen_run(archive, number)
        found = _elites(archive, run)
    if as_json:
        say_json(_json(run, found))
    elif not found.best:
        say(f"Run {run.id} has no evaluated designs yet.")
    else:
        _print(run, found)


def _elites(archive: Archive, run: Run) -> Elites:
    from evolve.strategies.evidence import Evidence

    assert run.id is not None
    config = config_of(run)
    evidence = Evidence(archive, run.id, counted=config.reproducible, budget=config.memory_budget)
    ends = tuple(round(share * config.memory_budget) for share in SHARES)
    best: dict[Niche, Evaluation] = {}
    sizes: dict[Niche, int] = {}
    for row in candidates(archive, run.id):  # the best first
        place = min(bisect_left(ends, row.tokens), len(ends) - 1)  # instructions count too, beyond the budget
        kind, _, _ = evidence.genotype(row.design_id).store.partition("(")  # without what the block is given
        niche = kind.strip()[:LONGEST], place
        best.setdefault(niche, row)
        sizes[niche] = sizes.get(niche, 0) + 1
    without = mean_of(baseline_scores(archive, run.id).get("no_memory"))
    return Elites(best, sizes, ends, without.mean if without is not None else 0.0)


def _print(run: Run, found: Elites) -> None:
    gained = f"their gains over no memory sum up to {found.quality:.2f}"
    say(f"run {run.id}: {sum(found.sizes.values())} designs in {len(found.best)} niches; {gained}\n")
    headings = ("store", *(f"#to {end} tokens" for end in found.ends))
    rows = [(store, *(_cell(found, (store, place)) for place in range(len(found.ends)))) for store in found.stores]
    say_table(headings, rows)
    _, row = max(found.best.items(), key=lambda each: each[1].score)
    say(f"\nA niche shows its best score, the design and how many it has. The best: {estimate_text(estimate_of(row))}")


def _cell(found: Elites, niche: Niche) -> str:
    if niche not in found.best:
        return "-"
    row = found.best[niche]
    return f"{row.score:.3f} {row.design_id[:6]} ({found.sizes[niche]})"


def _json(run: Run, found: Elites) -> dict[str, Any]:
    niches = [
        {
            "store": store,
            "tokens": [0 if not place else found.ends[place - 1], found.ends[place]],
            "designs": found.sizes[store, place],
            "design": row.design_id,
            **score_json(estimate_of(row)),
            "retrieved": row.tokens,
        }
        for (store, place), row in found.best.items()
    ]
    return {"run": run.id, "quality": found.quality, "niches": niches}
