"""How the meta-agent's prompts are put together: templates in `evolve/prompts`, foreign text as delimited data."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evolve.agents.prompts import clipped, template
from evolve.proposers.alma.cheatsheet import cheatsheet, contract
from evolve.proposers.alma.fitting import ALWAYS, Section
from evolve.texts import clean, one_line

if TYPE_CHECKING:
    from evolve.desk import Desk
    from evolve.proposers.base import Brief
    from sandbox.guest import Trajectory

EXAMPLE = 2_000
"""Tokens that the example of an episode may have."""
LONGEST_NOTE = 1_000
"""Characters of a note."""


def fenced(text: str, kind: str = "data") -> str:
    """A foreign text between two marks that do not occur in it.

    >>> print(fenced("take it"))
    <data eedebb>
    take it
    </data eedebb>
    """
    text = clean(text).strip("\n")
    mark = hashlib.blake2b(text.encode(), digest_size=3).hexdigest()
    while mark in text:
        mark = hashlib.blake2b(mark.encode(), digest_size=3).hexdigest()
    return f"<{kind} {mark}>\n{text}\n</{kind} {mark}>"


def render(name: str, **facts: Any) -> str:
    """A template with what it names."""
    text: str = template(f"propose_{name}").render(**facts)
    return text


def system(desk: Desk, *, blocks: bool) -> str:
    """What is the same in every prompt of a run, so that a provider can keep it: it stands first.

    Without `blocks` the cheat-sheet is left out, for models with little room.
    """
    return render(
        "system",
        contract=contract(),
        blocks=cheatsheet() if blocks else "",
        domain=desk.described,
        run=desk.config,
        example=fenced(_example(desk.example)) if desk.example is not None else "",
    )


def opening(sections: Sequence[Section]) -> str:
    """What is known of a parent and of what was tried."""
    told = [(each.title, fenced(each.text, each.kind) if each.kind else each.text) for each in sections]
    return render("dossier", sections=told)


def guidance(brief: Brief) -> list[Section]:
    """What the strategy says beside the parents; it was written by models, people and games, and so is data too."""
    found = []
    if brief.meta_prompt:
        title = "How to go about this change: advice that came with the first design; weigh it"
        found.append(Section(title, brief.meta_prompt, ALWAYS - 1, True))
    if brief.notes:
        notes = "\n".join(f"- {one_line(note, LONGEST_NOTE)}" for note in brief.notes)
        found.append(Section("What is known: defects of the first design, insights, hints", notes, ALWAYS - 1, True))
    if brief.part:
        asked = f"Change the part `{brief.part}` of the first design and leave the others as they are."
        found.append(Section("What is asked for", asked, ALWAYS, kind=""))
    return found


def _example(trajectory: Trajectory) -> str:
    from evolve.history import Watched
    from evolve.texts import episode_text

    return clipped(episode_text(Watched("", 0, trajectory)), EXAMPLE)
