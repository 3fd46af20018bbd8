"""A design that no search would write entered into an archive: everything that is foreign in it is hostile."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from archive.opening import open_archive
from archive.store import pack
from archive.tables import Design, Evaluation, Manifest, Member, State
from archive.told import began_with, pack_told
from sandbox.guest import Item, Step, Task, Trajectory, frames

SCRIPT = "<script>alert(1)</script>"
ODD = f"{SCRIPT}<img src=x onerror=alert(2)>\u202e{{{{ 7 * 7 }}}} \x1b[31m \U0001f955 '\""
SOURCE = f'"""{SCRIPT}"""\n\nx = 1  # \u202e{SCRIPT}\ny = "</pre>"\n'
DESIGN = "2-" + "f" * 62
TASK = "reflection-000"
ITEMS = (Item("i1", "call the drum white"), Item("i2", ODD))


class Entered(NamedTuple):
    """What was entered: keys of an episode with memory, of the same one without, and of one that confirms."""

    path: Path
    parent: str
    episode: str
    without: str
    confirming: str


def enter(path: Path) -> Entered:
    """Add the design, as made from the first one of run 1, and episodes of it."""
    archive = open_archive(path, write=True)
    try:
        parent = next(each.design_id for each in archive.members(1) if each.number == 1)
        nothing = next(each.design_id for each in archive.members(1) if each.change == "no_memory")
        now = time.time()
        design = Design(id=DESIGN, source=SOURCE, summary=ODD, origin="untrusted", created=now)
        member = Member(run_id=1, design_id=DESIGN, number=99, role="candidate", change=ODD)
        archive.add_design(design, member, [parent])
        archive.save(_manifest(now))
        with_memory, without, confirming = (bytes([place]) * 16 for place in (1, 2, 3))
        for key, retrieved in ((with_memory, began_with(ITEMS)), (without, ())):
            trajectory = frames.pack(
                Trajectory(
                    Task(TASK, "recall", ODD, "What colour is the drum?"),
                    (Step("call the drum white", "Right.", 0.5, False), Step(ODD, ODD, -0.25, True)),
                    0.25,
                    False,
                    retrieved,
                )
            )
            row = {"key": key, "task_id": TASK, "seed": 7, "score": 0.25, "success": False, "steps": 2}
            archive.add_episodes([row], [{"key": key, "trajectory": pack(trajectory)}])
        archive.add_episodes(
            [{"key": confirming, "task_id": "confirmation-000", "seed": 7, "score": 1.0, "success": True, "steps": 9}]
        )
        told = b"strange!"
        for owner, role, task, key in (
            (DESIGN, "reflection", TASK, with_memory),
            (nothing, "reflection", TASK, without),
            (DESIGN, "confirmation", "confirmation-000", confirming),
        ):
            evaluation = Evaluation(
                run_id=1, design_id=owner, role=role, score=0.25, low=0.25, high=0.25, n=1,
                tokens=4.0, cut=0, calls=0, seconds=0.1, created=now,
            )  # fmt: skip
            outcome = {"task_id": task, "repeat": 0, "score": 0.25, "episode": key, "told": told, "tokens": 4}
            archive.add_evaluation(evaluation, [outcome], {told: pack(pack_told(began_with(ITEMS)))})
        archive.add_event(1, DESIGN, State.FAILED, f"KeyError: {ODD}\nTraceback: line 3")
    finally:
        archive.close()
    return Entered(path, parent, with_memory.hex(), without.hex(), confirming.hex())


def _manifest(now: float) -> Manifest:
    plan = {
        "learned": [ODD],
        "episodes": [{"task": TASK, "label": "useful", "why": ODD}],
        "content_problems": [],
        "structure_problems": [ODD],
        "changes": [{"priority": "high", "part": "store", "what": ODD, "why": ODD}],
    }
    thoughts = {
        "plan": plan,
        "manifest": {"hypothesis": ODD, "part": "store", "improves": [TASK], "at_risk": [ODD]},
        "attempts": [["", ODD], [DESIGN, ""]],
        "cut": [{"section": "episodes", "tokens": 2000, "kept": 500}],
        "warnings": [ODD],
    }
    return Manifest(run_id=1, number=98, design_id=DESIGN, thoughts=pack(thoughts), calls=3, created=now)
