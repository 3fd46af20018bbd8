"""What a proposing model thought of the design that it wrote, as `evolve show` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from evolve.commands.show import say, say_heading, say_table

if TYPE_CHECKING:
    from archive.store import Archive

MOST = 6
"""Changes of a plan that are printed."""


def thoughts_json(archive: Archive, run_id: int, design: str) -> dict[str, Any] | None:
    """Plan, manifest and what came true of it, attempts and cost; none where no model wrote the design in the run."""
    from evolve.manifests import came_true, thoughts_of

    row = archive.manifest(run_id, design)
    if row is None:
        return None
    outcome = came_true(archive, run_id, row, reflected=True)
    return {
        **thoughts_of(row),
        "came_true": {**asdict(outcome), "summary": outcome.describe()} if outcome is not None else None,
        "calls": row.calls,
        "tokens_in": row.tokens_in,
        "tokens_out": row.tokens_out,
        "cached": row.cached,
        "dollars": row.dollars,
    }


def print_thoughts(thoughts: Mapping[str, Any] | None) -> None:
    """Print the same in short."""
    if thoughts is None:
        return
    say_heading("What its author thought")
    if manifest := thoughts["manifest"]:
        say(f"hypothesis  {manifest['hypothesis']} ({manifest['part']})")
    if (came_true := thoughts["came_true"]) is not None:
        say(f"came true   {came_true['summary']}")
    dollars = f"{thoughts['dollars']:.4f} dollars" if thoughts["dollars"] is not None else "at an unknown price"
    cached = f" ({thoughts['cached']:,} cached)" if thoughts["cached"] else ""
    tokens = f"{thoughts['tokens_in']:,} tokens in{cached}, {thoughts['tokens_out']:,} out"
    say(f"cost        {thoughts['calls']} calls, {tokens}, {dollars}")
    for design, failure in thoughts["attempts"]:
        if failure:
            say(f"sent back   {design[:10] or 'no design'}: {failure.splitlines()[0]}")
    for cut in thoughts["cut"]:
        say(f"not shown   {cut['section']}: {cut['tokens'] - cut['kept']:,} of {cut['tokens']:,} tokens")
    if plan := thoughts["plan"]:
        rows = [(change["priority"], change["part"], change["what"], change["why"]) for change in plan["changes"]]
        say_table(("priority", "part", ">planned", ">because"), rows[:MOST])
