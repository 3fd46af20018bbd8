"""The raw material of a proposal, read from the archive: code, scores, episodes, what was tried and what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from archive.tables import State
from evolve.commands.show import estimate_text
from evolve.history import History, Watched, flips, unified_diff
from evolve.manifests import came_true, thoughts_of
from evolve.proposers.alma.fitting import ALWAYS, Section
from evolve.proposers.alma.novelty import deleted_lines
from evolve.results import task_scores
from evolve.statistics import Estimate, paired
from evolve.texts import episode_text, flips_lines, one_line, score_of

if TYPE_CHECKING:
    import numpy as np

    from archive.history import Listed
    from archive.tables import Design
    from evolve.proposers.base import Commission
    from evolve.reflection import Seen
    from evolve.statistics import Scores

ANCESTORS = 8
CHILDREN = 12
"""The newest of them are told."""
EXAMPLES = 20
"""Of the best designs, those that are looked at for an example of an improvement."""
FAILURES = 4
"""Episodes that are shown because of what went wrong in them."""
_NAMES = re.compile(r"^\s*(?:def|class)\s+(\w+)", re.MULTILINE)


class Dossier:
    """What is told of one design to whoever is to change it. All is read when it is made, and nothing later."""

    def __init__(self, commission: Commission, seen: Sequence[Seen]) -> None:
        desk = commission.desk
        self.archive, self.run_id = desk.archive, desk.run_id
        self.context = desk.config.context
        self.design: Design = commission.parents[0]
        self.others = list(commission.parents[1:])
        self.shown = chosen(seen, commission.rng)
        self.lines: Mapping[str, Listed] = known(commission)
        self._read: dict[str, Scores] = {}
        self.scores = self._by_task(self.design.id)

    def sections(self) -> list[Section]:
        """The parts of the prompt, those that change least first."""
        return [
            Section("The first design: its code", self.design.source, ALWAYS, kind="code"),
            Section("Its scores", "\n".join(self._standing()), ALWAYS, kind=""),
            *self._flips(),
            *self._log(),
            *self._improvement(),
            *self._deleted(),
            *self._borrowed(),
            *self._episodes(),
        ]

    def _by_task(self, design: str) -> Scores:
        """A design's scores, read once."""
        if design not in self._read:
            self._read[design] = task_scores(self.archive, self.run_id, design)
        return self._read[design]

    def _standing(self) -> Iterator[str]:
        line = self.lines[self.design.id]
        if (score := score_of(line)) is not None:
            yield f"Score {estimate_text(score)}, {line.tokens or 0:.0f} tokens told an episode."
        without = next((self._by_task(base) for base in self._baselines), {})
        if (gain := _gain(self.scores, without)) is not None:
            yield f"Gain over no memory {estimate_text(gain, signed=True)}, paired by task."
        if self.scores:
            listed = ", ".join(f"{one_line(task)} {score:.2f}" for task, score in sorted(self.scores.items()))
            yield f"By task, of those that select and of which nothing else is shown: {listed}"

    @property
    def _baselines(self) -> list[str]:
        return [line.design for line in self.lines.values() if line.number == 0 and line.change == "no_memory"]

    # What was tried

    @cached_property
    def _chain(self) -> list[str]:
        """The design and its ancestors by first parents, the design first."""
        chain = [self.design.id]
        while len(chain) <= ANCESTORS and (older := self.archive.parents_of(self.run_id, chain[-1])):
            chain.append(older[0])
        return chain

    def _flips(self) -> list[Section]:
        if len(self._chain) < 2:
            return []
        theirs = self._by_task(self._chain[1])
        if not self.scores.keys() & theirs.keys():
            return []
        lines = "\n".join(flips_lines(flips(self.scores, theirs)))
        return [Section("Tasks that came out otherwise than with its own parent (before -> now)", lines, 60, True, "")]

    def _log(self) -> list[Section]:
        """The lineage log: ancestors, and the children that were already tried."""
        sections = []
        if len(self._chain) > 1:
            pairs = zip(self._chain, [*self._chain[1:], ""], strict=True)
            told = [self._entry(design, parent) for design, parent in pairs]
            sections.append(Section("Lineage: how it came to be, newest first", "\n".join(told), 70, True))
        children = [
            self.lines[child]
            for child in self.archive.children_of(self.run_id, self.design.id)
            if child in self.lines and self.archive.parents_of(self.run_id, child)[:1] == [self.design.id]
        ]
        newest = sorted(children, key=lambda line: -line.number)[:CHILDREN]
        if newest:
            told = [self._entry(line.design, self.design.id) for line in newest]
            title = f"What was already tried on it ({len(newest)} of {len(children)} children, newest first)"
            sections.append(Section(title, "\n".join(told), 80, True))
        return sections

    def _entry(self, design: str, parent: str) -> str:
        """One line of the log: what was changed, what it came to, which names came and went."""
        line = self.lines[design]
        parts = [one_line(line.change, 300)]
        gain = self._gain_over(design, parent) if parent else None
        if gain is not None:
            parts.append(f"gain {estimate_text(gain, signed=True)}" + (" REGRESSION" if gain.mean < 0 else ""))
        elif line.state in (State.FAILED, State.REJECTED, State.REPAIRED, State.DROPPED):
            parts.append(f"{line.state}: {one_line(line.reason, 200)}")
        if parent:
            before, after = (set(_NAMES.findall(self.archive.exactly(each).source)) for each in (parent, design))
            parts += [f"{word} {', '.join(sorted(names))}" for word, names in _changed(before, after) if names]
        if self.context != "scores" and (row := self.archive.manifest(self.run_id, design)) is not None:
            parts += self._expected(thoughts_of(row).get("manifest") or {})
            parts += [outcome.describe()] if (outcome := came_true(self.archive, self.run_id, row)) else []
        return f"- {design[:10]}: {'; '.join(parts)}"

    def _expected(self, manifest: Mapping[str, str]) -> list[str]:
        return [f"hypothesis: {one_line(manifest['hypothesis'], 300)}"] if manifest else []

    def _gain_over(self, design: str, parent: str) -> Estimate | None:
        return _gain(self._by_task(design), self._by_task(parent))

    def _improvement(self) -> list[Section]:
        """A change elsewhere in the run that helped: of the best designs, the surest gain over a parent."""
        best: tuple[float, str, str, Estimate] | None = None
        scored = sorted((line for line in self.lines.values() if line.number and line.is_scored), key=_by_score)
        for line in scored[:EXAMPLES]:
            parents = self.archive.parents_of(self.run_id, line.design)[:1]
            if not parents or line.design in self._chain or parents[0] == self.design.id:
                continue
            gain = self._gain_over(line.design, parents[0])
            if gain is None or gain.mean <= 0:
                continue
            low = gain.interval[0] if gain.interval is not None else 0.0
            if best is None or low > best[0]:
                best = (low, line.design, parents[0], gain)
        if best is None:
            return []
        _, design, parent, gain = best
        before, after = (self.archive.exactly(each).source for each in (parent, design))
        diff = unified_diff(before, after, parent[:10], design[:10])
        title = f"Example of an improvement: another design gained {estimate_text(gain, signed=True)} over its parent"
        return [Section(title, f"{self._entry(design, parent)}\n\n{diff}", 50, True)]

    def _deleted(self) -> list[Section]:
        ancestors = [self.archive.exactly(design).source for design in self._chain[1:]]
        lines = deleted_lines(self.design.source, ancestors)
        if not lines:
            return []
        return [Section("Lines that an ancestor had and that were taken out", "\n".join(lines), 20, True)]

    def _borrowed(self) -> list[Section]:
        return [
            Section(
                f"Another design, from which ideas may be borrowed (score {self._score_of(other.id)})",
                other.source,
                40,
                kind="code",
            )
            for other in self.others
        ]

    def _score_of(self, design: str) -> str:
        score = score_of(self.lines[design])
        return estimate_text(score) if score is not None else "unknown"

    # Episodes

    def _episodes(self) -> list[Section]:
        if not self.shown or self.context == "scores":
            return []
        if self.context == "summaries":
            told = "\n".join(_summary(each) for each in self.shown)
            return [Section("Episodes with the first design", told, 90, True)]
        return [
            Section(
                f"Episode {number} with the first design: score {each.score:.2f}",
                episode_text(Watched(self.design.id, 0, each.trajectory)),
                30,
            )
            for number, each in enumerate(self.shown, 1)
        ]


def known(commission: Commission) -> dict[str, Listed]:
    """The designs that a request may know of.

    In a reproducible run that depends on its number and its parents alone, or what is asked of a model would depend on
    who was faster: results are told in the order of the requests, a fixed number of which are open.
    """
    desk = commission.desk
    lines = History(desk.archive, desk.run_id).designs()
    parents = {parent.id for parent in commission.parents}
    last = max(line.number for line in lines)
    if desk.config.reproducible:
        told = [line.number for line in lines if line.design in parents]
        last = max([commission.number + 1 - desk.config.in_flight, *told])
    return {line.design: line for line in lines if line.number <= last and line.number != commission.number + 1}


def chosen(seen: Sequence[Seen], rng: np.random.Generator) -> list[Seen]:
    """Whole episodes worth reading: some drawn by what they lack of a full score, and the best one."""
    if not seen:
        return []
    best = max(range(len(seen)), key=lambda place: seen[place].score)
    others = [place for place in range(len(seen)) if place != best and seen[place].score < 1]
    if not others:
        return [seen[best]]
    weights = [1 - seen[place].score for place in others]
    drawn = rng.choice(others, min(FAILURES, len(others)), replace=False, p=[w / sum(weights) for w in weights])
    return [seen[int(place)] for place in [*drawn, best]]


def _summary(seen: Seen) -> str:
    told = sum(len(change.items) for change in seen.told)
    trajectory = seen.trajectory
    outcome = "won" if trajectory.success else "not won"
    return f"{seen.task}: score {seen.score:.2f}, {outcome} in {len(trajectory.steps)} steps, {told} items retrieved"


def _changed(before: set[str], after: set[str]) -> list[tuple[str, set[str]]]:
    return [("adds", after - before), ("removes", before - after)]


def _gain(ours: Scores, theirs: Scores) -> Estimate | None:
    return paired(ours, theirs) if ours.keys() & theirs.keys() else None


def _by_score(line: Listed) -> tuple[float, int]:
    return -(line.score or 0.0), line.number
