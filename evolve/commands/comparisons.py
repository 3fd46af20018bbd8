"""How a design compares with the one that it was asked of, as `evolve show` and `evolve tree` tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archive.comparisons import DECIDED, comparison, details
from evolve.commands.show import estimate_json, say, say_heading, say_table

if TYPE_CHECKING:
    from archive.store import Archive
    from evolve.comparing import Comparison


def comparison_of(archive: Archive, run_id: int, design: str) -> dict[str, Any] | None:
    """That of one design, as JSON; none where its run does not compare, or where it was asked of none."""
    from evolve.comparing import Comparison

    row = comparison(archive, run_id, design)
    return comparison_json(Comparison.of(row, details(row))) if row is not None and row.rival_id else None


def comparison_json(found: Comparison) -> dict[str, Any]:
    """All of a comparison."""
    return {
        "rival": found.rival,
        "decided_by": found.decided_by,
        "author": found.author or None,
        "total": found.ours,
        "rival_total": found.theirs,
        "value": found.value,
        "difference": estimate_json(found.difference),
        **found.details(),
        "tokens": found.spent.tokens_in + found.spent.tokens_out,
        "dollars": found.spent.dollars,
    }


def print_comparison(found: Mapping[str, Any] | None) -> None:
    """The same in short."""
    if found is None:
        return
    say_heading(f"Beside {found['rival'][:10]}, which it was asked of")
    author = f" ({found['author']})" if found["author"] else ""
    say(f"totals      {found['total']:.2f} : {found['rival_total']:.2f}, {DECIDED[found['decided_by']]}{author}")
    rows = [
        (each["name"], f"{each['weight']:.0%}", f"{each['ours']:.1f}", f"{each['theirs']:.1f}", each["critique"])
        for each in sorted(found["criteria"], key=lambda each: -each["weight"])
    ]
    say_table(("criterion", "#weight", "#this", "#other", ">critique"), rows)
    if found["operators"]:
        factors = ", ".join(f"{name} x {factor:.2f}" for name, factor in found["operators"].items())
        say(f"its children are made with: {factors}")
    for lesson in found["lessons"]:
        say(f"lesson: {lesson}")
    if found["meta_prompt"]:
        say(f"its children are written by: {found['meta_prompt']}")
