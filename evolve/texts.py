"""A run's history as text and JSON: for a model that reads it by tools, for a folder to be searched, for a terminal.

One line, one fact: what was seen in an episode is indented, and what stands in a table has no line ends or tabs, so
that no foreign text passes for a line of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evolve.commands.show import estimate_json, estimate_text, safe_text, score_json
from evolve.statistics import Estimate

if TYPE_CHECKING:
    from archive.history import Listed
    from evolve.history import Account, Difference, Flips, Watched

COLUMNS = ("number", "design", "score", "low", "high", "tokens", "state", "origin", "change", "made of")
WHOLE = 1_000_000
"""Characters of an observation where all of it is to be seen."""


_ODD = re.compile(r"[^\n\t -~]")


def clean(text: str, longest: int = WHOLE) -> str:
    """What `safe_text` makes of a text, at once where there is nothing to take out of it."""
    return text if len(text) <= longest and not _ODD.search(text) else safe_text(text, longest)


def one_line(text: str, longest: int = 400) -> str:
    """Foreign text as a cell of a table.

    >>> one_line("two\\nlines\\tand a tab")
    'two lines and a tab'
    """
    return clean(" ".join(text.split()), longest)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with tabs between its columns."""
    return "".join("\t".join(map(one_line, row)) + "\n" for row in (headings, *rows))


def designs_table(lines: Iterable[Listed]) -> str:
    """Designs, one a line."""
    return table(COLUMNS, (_cells(line) for line in lines))


def _cells(line: Listed) -> list[str]:
    score = score_of(line)
    numbers = (score.mean, *(score.interval or (None, None))) if score is not None else (None, None, None)
    scores = [f"{number:.4f}" if number is not None else "" for number in numbers]
    tokens = f"{line.tokens:.1f}" if line.tokens is not None else ""
    return [
        str(line.number),
        line.design,
        *scores,
        tokens,
        line.state,
        line.origin,
        line.change,
        line.summary,
    ]


def score_of(line: Listed) -> Estimate | None:
    """The score of a design with its interval, if it has one."""
    if line.score is None or line.low is None or line.high is None or line.n is None:
        return None
    return Estimate(line.score, line.low, line.high, line.n)


def episode_text(watched: Watched, longest: int = WHOLE) -> str:
    """An episode step by step, with what was retrieved where it was."""
    trajectory = watched.trajectory
    task = trajectory.task
    told = {change.step: change.items for change in trajectory.retrieved}
    lines = [
        f"task: {one_line(task.id)} of {one_line(task.domain)}, repeat {watched.repeat}",
        f"design: {watched.design or 'none, played without memory'}",
        f"score: {trajectory.score:.3f}, {'won' if trajectory.success else 'not won'}, {len(trajectory.steps)} steps",
        *_said("goal", task.goal, longest),
        *_said("step 0 observation", task.observation, longest),
        *_retrieved(0, told, longest),
    ]
    for number, step in enumerate(trajectory.steps, 1):
        lines += _said(f"step {number} action", step.action, longest)
        if step.reward:
            lines.append(f"step {number} reward: {step.reward:+.3f}")
        lines += [*_said(f"step {number} observation", step.observation, longest), *_retrieved(number, told, longest)]
    return "\n".join(lines) + "\n"


def _retrieved(step: int, told: Mapping[int, Sequence[Any]], longest: int) -> Iterator[str]:
    if step not in told:
        return
    yield f"step {step} retrieved: {len(told[step])} items"
    for item in told[step]:
        yield from _said(f"step {step} item {one_line(item.id, 80)}", item.text, longest)


def _said(name: str, text: str, longest: int) -> Iterator[str]:
    """Text after a name; the lines that follow the first are indented."""
    first, *rest = clean(text.strip(), longest).splitlines() or [""]
    yield f"{name}: {first}"
    yield from (f"    {line}" for line in rest)


def account_json(account: Account) -> dict[str, Any]:
    """What is known of a design, without its code."""
    line = account.line
    return {
        "design": line.design,
        "number": line.number,
        "state": line.state,
        "origin": line.origin,
        "made_of": clean(line.summary),
        "change": clean(line.change),
        **score_json(score_of(line)),
        "tokens": line.tokens,
        "gain": estimate_json(account.gain),
        "gain_over_parent": estimate_json(account.over_parent),
        "parents": [parent.design for parent in account.parents],
        "children": [child.design for child in account.children],
        "tasks": dict(account.scores),
        "flips": flips_json(account.flips),
    }


def flips_json(flips: Flips | None) -> dict[str, Any] | None:
    """Tasks that came out otherwise than with another design, each with its score there and here."""
    if flips is None:
        return None
    return {
        "better": {task: list(pair) for task, pair in flips.better.items()},
        "worse": {task: list(pair) for task, pair in flips.worse.items()},
        "equal": flips.equal,
    }


def account_text(account: Account) -> str:
    """The same for reading, with the code at the end."""
    line = account.line
    lines = [
        f"design: {line.design}, number {line.number}, {line.state}",
        f"made of: {one_line(line.summary)}",
        f"change: {one_line(line.change, 2000)}",
        *_score_lines(account),
        *(f"parent: {_relative(parent)}" for parent in account.parents),
        *(f"child: {_relative(child)}" for child in account.children),
        *flips_lines(account.flips),
    ]
    for event in (each for each in account.life if each.reason):
        lines += _said(f"life: {event.state}", event.reason, WHOLE)
    return "\n".join(lines) + f"\nsource:\n{clean(account.design.source)}\n"


def _score_lines(account: Account) -> Iterator[str]:
    line = account.line
    if (score := score_of(line)) is None:
        return
    yield f"score: {estimate_text(score)}, {line.tokens:.0f} tokens told an episode"
    if account.gain is not None:
        yield f"gain over no memory: {estimate_text(account.gain, signed=True)}"
    if account.over_parent is not None:
        yield f"gain over its first parent: {estimate_text(account.over_parent, signed=True)}"


def _relative(line: Listed) -> str:
    score = f"{line.score:.3f}" if line.score is not None else "no score"
    return f"{line.design} ({score}, {line.state}): {one_line(line.change)}"


def flips_lines(flips: Flips | None) -> Iterator[str]:
    """Tasks that came out otherwise, one a line."""
    if flips is None:
        return
    for name, pairs in (("better", flips.better), ("worse", flips.worse)):
        yield from (f"{name}: {one_line(task)} {theirs:.2f} -> {ours:.2f}" for task, (theirs, ours) in pairs.items())
    yield f"equal: {flips.equal} tasks"


def difference_text(difference: Difference) -> str:
    """How two designs differ."""
    a, b = difference.a, difference.b
    lines = [f"from {_relative(a)}", f"to {_relative(b)}"]
    if difference.gain is not None:
        lines.append(f"gain: {estimate_text(difference.gain, signed=True)}")
    text = clean(difference.text) or "the sources are equal"
    return "\n".join([*lines, *flips_lines(difference.flips), text]) + "\n"
