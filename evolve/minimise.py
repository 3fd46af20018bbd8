"""A design made smaller without making it worse, and what each part of it is worth, by taking it out.

Delta debugging (Zeller and Hildebrandt 2002, Simplifying and Isolating Failure-Inducing Input) over the levels of the
syntax tree, the outermost first (Misherghi and Su 2006, HDD). The test is an evaluation: less code is kept where the
score by task, paired with that of the whole design, does not fall. Every trial is a design of the run, so that one that
was evaluated is never paid for again, and a killed minimisation goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from statistics import fmean
from typing import TYPE_CHECKING

from archive.limited import TextError
from archive.tables import State
from evolve.cuts import Cut, outline, without
from evolve.judging import Judge, Trial
from evolve.proposers.base import Origin, Proposal
from evolve.statistics import Estimate, paired
from sandbox.source import SourceRejected

if TYPE_CHECKING:
    from archive.tables import Design
    from evolve.loop import Search

EXACT = 1e-9
"""What a mean may miss by rounding."""
MOST_NAMED = 300
"""Characters of what is said to have been taken out."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A design with something left out: its id and its difference to the whole one, or why it is none or fails."""

    design: str
    failure: str = ""
    score: float = 0.0
    difference: Estimate | None = None
    same: bool = False
    """Whether it told just the same, and so played the same episodes."""


@dataclass(frozen=True, slots=True)
class Minimised:
    """What is left of a design."""

    whole: str
    """The source that it was, in the same layout."""
    source: str
    design: str
    removed: tuple[str, ...]
    trials: int
    is_minimal: bool
    """Whether nothing more can be taken out; else the trials were used up."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What one part of a design is worth."""

    cut: Cut
    tried: Tried
    difference: Estimate | None
    """To the design that it is part of; none where that does not run without it."""


class Bench:
    """Evaluates what is left of a design beside the whole of it, in one run."""

    def __init__(self, search: Search, original: Design, trial: Trial) -> None:
        self.original = original
        self.trials = 0
        """Different smaller designs that were tried."""
        self._search = search
        self._judge: Judge = search.judge
        self._trial = trial
        self._origin: Origin = "composed" if original.origin == "composed" else "untrusted"
        self._known: dict[str, Tried] = {}

    def enter_original(self) -> Tried:
        """Have the whole design evaluated; all that is tried is compared with it."""
        tried = self._try(self.original.source, "the whole design", ())
        self.trials = 0
        return tried

    def try_out(self, source: str, change: str) -> Tried:
        """Evaluate what is left of the design, where that was not done."""
        return self._try(source, change, (self.original.id,))

    def try_all(self, wanted: Sequence[tuple[str, str]]) -> None:
        """Have several sources, each with its change, evaluated at once; `try_out` says what came of each."""
        designs = []
        for source, change in wanted:
            with suppress(SourceRejected):
                designs.append(self._judge.check(source).hash)
                self._enter(designs[-1], source, change, (self.original.id,))
        waiting = [each for each in dict.fromkeys(designs) if each not in self._known and not self._failure(each)]
        self._search.evaluate_all(waiting, self._trial)

    def _try(self, source: str, change: str, parents: Sequence[str]) -> Tried:
        try:
            design = self._judge.check(source).hash
        except SourceRejected as error:
            return Tried("", error.reason)
        if design not in self._known:
            self.trials += 1
            self._enter(design, source, change, parents)
            self._known[design] = self._evaluated(design)
        return self._known[design]

    def _enter(self, design: str, source: str, change: str, parents: Sequence[str]) -> None:
        archive, run_id = self._search.archive, self._search.run_id
        if archive.member(run_id, design) is None:
            number = max((member.number for member in archive.members(run_id)), default=0) + 1
            self._judge.enter(Proposal(source, change, self._origin), number, parents)

    def _evaluated(self, design: str) -> Tried:
        if not self._judge.is_evaluated(design, self._trial):
            if not (failure := self._failure(design)):
                self._search.evaluate_all([design], self._trial)
                failure = self._judge.failures.get(design, "")
            if failure:
                return Tried(design, failure)
        ours, theirs = (self._judge.scores(each, self._trial.name) for each in (design, self.original.id))
        is_same = self._signature(design) == self._signature(self.original.id)
        return Tried(design, "", fmean(ours.values()), paired(ours, theirs), is_same)

    def _failure(self, design: str) -> str:
        """Why a design failed, now or in an earlier sitting."""
        last = self._search.archive.life(self._search.run_id, design)[-1]
        return last.reason if last.state == State.FAILED else ""

    def difference(self, tried: Tried, other: str) -> Estimate | None:
        """Of something that was tried to another design that was; none where it fails."""
        if tried.failure:
            return None
        return paired(*(self._judge.scores(each, self._trial.name) for each in (tried.design, other)))

    def _signature(self, design: str) -> bytes:
        row = self._search.archive.evaluation(self._search.run_id, design, self._trial.name)
        return row.signature if row is not None else b""


class Minimiser:
    """Takes out of a design what it does not need."""

    def __init__(self, bench: Bench, margin: float, most: int, say: Callable[[str], None]) -> None:
        self._bench = bench
        self._margin = margin
        self._most = most
        """Trials."""
        self._say = say
        self._removed: list[str] = []
        self._is_spent = False

    def run(self) -> Minimised:
        """Take out all that can go: whole levels first, then halves of them, in the end one by one until all stays."""
        whole = source = outline(self._bench.original.source).source
        before = ""
        is_first = True
        while source != before and not self._is_spent:
            before = source
            source = self._inside(self._statements(source, by_one=not is_first))
            is_first = False
        tried = self._bench.try_out(source, self._change(()))
        return Minimised(whole, source, tried.design, tuple(self._removed), self._bench.trials, not self._is_spent)

    def _statements(self, source: str, *, by_one: bool) -> str:
        level = 0
        while True:
            cuts = [cut for cut in outline(source).cuts if cut.how == "statement"]
            if all(cut.level < level for cut in cuts):
                return source
            self._say(f"taking out statements of level {level}, {len(source.splitlines())} lines are left")
            source = self._level(source, [cut for cut in cuts if cut.level == level], by_one=by_one)
            level += 1

    def _level(self, source: str, cuts: Sequence[Cut], *, by_one: bool) -> str:
        gone: list[Cut] = []
        size = 1 if by_one else len(cuts)
        while size:
            left = [cut for cut in cuts if cut not in gone]
            for start in range(0, len(left), size):
                chunk = left[start : start + size]
                if self._may_go(source, [*gone, *chunk], chunk):
                    gone += chunk
            size //= 2
        return without(source, gone) if gone else source

    def _inside(self, source: str) -> str:
        """Take out elements of lists, branches and operands, one by one."""
        self._say(f"taking out layers, branches and operands, {len(source.splitlines())} lines are left")
        place = 0
        cuts = _inner(source)
        while place < len(cuts):
            if self._may_go(source, [cuts[place]], [cuts[place]]):
                source = without(source, [cuts[place]])
                cuts = _inner(source)
            else:
                place += 1
        return source

    def _may_go(self, source: str, cuts: Sequence[Cut], now: Sequence[Cut]) -> bool:
        if self._bench.trials >= self._most:
            self._is_spent = True
        if self._is_spent:
            return False
        try:
            smaller = without(source, cuts)
        except TextError:
            return False
        tried = self._bench.try_out(smaller, self._change(now))
        if not is_as_good(tried, self._margin):
            return False
        self._removed += [cut.label for cut in now]
        return True

    def _change(self, now: Sequence[Cut]) -> str:
        text = "without: " + "; ".join([*(cut.label for cut in now), *reversed(self._removed)])
        return text if len(text) <= MOST_NAMED else f"{text[: MOST_NAMED - 4]} ..."


def is_as_good(tried: Tried, margin: float) -> bool:
    """Whether the mean paired difference to the whole design is not below the margin; told the same, it is zero."""
    if tried.failure or tried.difference is None:
        return False
    return tried.same or tried.difference.mean >= -margin - EXACT


def worths(bench: Bench, source: str) -> list[Worth]:
    """What the parts of a design are worth: definitions, statements down to a method's own, and layers.

    The worst to lose comes first; last come those that it does not run without.
    """
    whole = bench.try_out(source, "").design
    found = []
    parts = [(cut, _without(source, cut)) for cut in outline(source).cuts if _is_part(cut)]
    bench.try_all([(left, _loss(cut)) for cut, left in parts if isinstance(left, str)])
    for cut, left in parts:
        tried = bench.try_out(left, _loss(cut)) if isinstance(left, str) else left
        found.append(Worth(cut, tried, bench.difference(tried, whole)))
    return sorted(found, key=lambda worth: (worth.difference.mean if worth.difference else inf, worth.cut.line))


def _without(source: str, cut: Cut) -> str | Tried:
    try:
        return without(source, [cut])
    except TextError as error:
        return Tried("", str(error))


def _loss(cut: Cut) -> str:
    return f"without: {cut.label}"


def _is_part(cut: Cut) -> bool:
    return (cut.how == "statement" and cut.level <= 2) or (cut.how == "element" and cut.label.endswith(")"))


def _inner(source: str) -> list[Cut]:
    return [cut for cut in outline(source).cuts if cut.how != "statement"]
