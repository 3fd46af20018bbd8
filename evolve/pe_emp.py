"""PE-EMP: a model compares two designs whose scores do not differ for certain, and writes what their heirs are told.

Pairwise-experience-evolutionary meta-prompting (Empirical-MCTS, arXiv 2602.04248, section 3.3): criteria for this pair,
critique, weights, scores, lessons, and an evolved meta-prompt. It is asked in both orders, for models prefer a place.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from math import isclose
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from evolve.agents.prompts import template
from evolve.comparing import HIGHEST, JUDGE, LOWEST, Comparison, Criterion, Spent, is_certain, total
from evolve.evaluation import Need
from evolve.history import Watched
from evolve.llm.base import BadAnswerError, Message, ModelRefusedError, Purpose, Reply, Request, TooLongError
from evolve.llm.roles import COMPARE, settings_of
from evolve.proposers.alma.fitting import ALWAYS, LEAST, WINDOW, Section, fit
from evolve.proposers.alma.forms import Form
from evolve.proposers.alma.prompting import opening, system
from evolve.signs import describe
from evolve.statistics import paired
from evolve.strategies.values import local_value
from evolve.texts import episode_text, one_line
from evolve.thinking import think

if TYPE_CHECKING:
    from evolve.desk import Desk
    from evolve.statistics import Scores

EPISODES = 2
"""Reflection tasks that both designs play for it, the same for all pairs."""
TOLERANCE = 0.1
"""By how much weights may miss their sum; they are scaled then."""
LONGEST_LESSON = 300
"""Characters, and of a critique as well."""
LONGEST_ADVICE = 4_000


class Point(Form):
    """One criterion, and what both designs get for it."""

    criterion: str = Field(description="in a few words")
    critique: str = Field(description="what speaks for and against the first and the second design, with evidence")
    weight: float = Field(description="its share of the total; those of all criteria add up to 1")
    first: float = Field(description="score of the first design, 1 to 10")
    second: float = Field(description="score of the second design, 1 to 10")


class Judgement(Form):
    """A comparison of two designs."""

    points: list[Point]
    lessons: list[str] = Field(description="what it teaches about memory designs in general, a sentence each")
    meta_prompt: str = Field(description="the advice for whoever writes the next design")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        whole = sum(point.weight for point in self.points)
        if any(point.weight < 0 for point in self.points) or not isclose(whole, 1, abs_tol=TOLERANCE):
            raise ValueError(f"the weights add up to {whole:g}; they have to be positive and add up to 1")
        if any(not LOWEST <= score <= HIGHEST for point in self.points for score in (point.first, point.second)):
            raise ValueError("a score is not between 1 and 10")
        return self


def judge(desk: Desk, model: str, design: str, rival: str) -> Generator[Need, Any, Comparison | None]:
    """What a model says of a design beside its rival; none where scores decide, or where it says nothing of use."""
    comparer, evidence = desk.evidence.comparer, desk.evidence
    ours, theirs = evidence.scores(design), evidence.scores(rival)
    difference = paired(ours, theirs)
    if is_certain(difference):
        return None
    told = {}
    parent = comparer.made(rival)
    for each, source in ((design, parent), (rival, comparer.made(parent.rival) if parent is not None else None)):
        told[each] = yield from _told_of(desk, each, source.meta_prompt if source is not None else "")
    answers = []
    for first, second in ((design, rival), (rival, design)):
        sections = _sections(desk, (first, second), told, paired(evidence.scores(first), evidence.scores(second)).mean)
        answer = yield from _ask(desk, model, design, sections)
        if answer is None:
            return None
        answers.append(answer)
    (forth, _), (back, _) = answers
    criteria = merged(criteria_of(forth, swapped=False), criteria_of(back, swapped=True))
    totals = total(criteria)
    return Comparison(
        design,
        rival,
        JUDGE,
        *totals,
        difference,
        criteria,
        comparer.sign_differences(design, rival),
        comparer.inherited(design, rival, local_value(*totals)),
        _advice(forth, back, totals),
        tuple(dict.fromkeys(one_line(each, LONGEST_LESSON) for each in (*forth.lessons, *back.lessons))),
        model,
        _spent([reply for _, reply in answers]),
    )


def criteria_of(answer: Judgement, *, swapped: bool) -> list[Criterion]:
    """A judgement's points with weights that add up to 1; `swapped` where our design stood second."""
    whole = sum(point.weight for point in answer.points)
    return [
        Criterion(
            one_line(point.criterion, LONGEST_LESSON),
            point.weight / whole,
            *((point.second, point.first) if swapped else (point.first, point.second)),
            one_line(point.critique, LONGEST_LESSON),
        )
        for point in answer.points
    ]


def merged(forth: Sequence[Criterion], back: Sequence[Criterion]) -> tuple[Criterion, ...]:
    """The criteria of both orders, each order with half of the weight, so that totals are means of both."""
    return tuple(
        Criterion(each.name, each.weight / 2, each.ours, each.theirs, each.critique) for each in (*forth, *back)
    )


def _advice(forth: Judgement, back: Judgement, totals: tuple[float, float]) -> str:
    """The meta-prompt of the first order, unless it took another design for the better one than both orders do."""
    ours, theirs = total(criteria_of(forth, swapped=False))
    agrees = (ours - theirs) * (totals[0] - totals[1]) >= 0
    return (forth if agrees else back).meta_prompt.strip()[:LONGEST_ADVICE]


def _spent(replies: Sequence[Reply]) -> Spent:
    dollars = [reply.dollars for reply in replies]
    return Spent(
        sum(reply.usage.tokens_in for reply in replies),
        sum(reply.usage.tokens_out for reply in replies),
        None if None in dollars else sum(each or 0.0 for each in dollars),
    )


def _told_of(desk: Desk, design: str, advice: str) -> Generator[Need, Any, list[Section]]:
    """What a model is shown of one design: code, what was measured, its advice, and whole episodes that select none."""
    evidence, row = desk.evidence, desk.archive.exactly(design)
    if row.origin == "untrusted":
        desk.admit()
    seen = yield from desk.reflect_on(design, desk.reflection_tasks(0, EPISODES))
    score = evidence.fitness(design)
    played = "" if evidence.is_whole(design) else f", on {len(evidence.scores(design))} tasks alone"
    facts = [f"score: {score.performance:.3f}{played}", f"tokens an episode: {score.cost:.0f}"]
    return [
        Section("code", row.source, ALWAYS, kind="code"),
        Section("what was measured", "\n".join([*facts, *describe(evidence.comparer.signs(design))]), ALWAYS, kind=""),
        *([Section("the advice that it was written by", advice, ALWAYS - 1, True)] if advice else []),
        *(
            Section(f"an episode with it, score {each.score:.2f}", episode_text(Watched("", 0, each.trajectory)), 30)
            for each in sorted(seen, key=lambda each: each.score)
        ),
    ]


def _sections(desk: Desk, pair: tuple[str, str], told: dict[str, list[Section]], difference: float) -> list[Section]:
    found = [
        Section(f"The {place} design: {each.title}", each.text, each.keep, each.clips, each.kind)
        for place, design in zip(("first", "second"), pair, strict=True)
        for each in told[design]
    ]
    better, worse, same = _flips(*map(desk.evidence.scores, pair))
    line = (
        f"The first scored {difference:+.3f} against the second, which chance explains: better in {better} tasks,"
        f" worse in {worse}, the same in {same}."
    )
    return [*found, Section("Task by task", line, ALWAYS, kind="")]


def _flips(ours: Scores, theirs: Scores) -> tuple[int, int, int]:
    found = [ours[task] - theirs[task] for task in sorted(ours.keys() & theirs.keys())]
    better, worse = sum(each > 0 for each in found), sum(each < 0 for each in found)
    return better, worse, len(found) - better - worse


def _ask(
    desk: Desk, model: str, design: str, sections: Sequence[Section]
) -> Generator[Need, Any, tuple[Judgement, Reply] | None]:
    budget = WINDOW
    while True:
        shown, _ = fit(sections, budget)
        text = f"{opening(shown)}\n\n{template('compare').render()}"
        messages = Message("system", system(desk, blocks=budget == WINDOW)), Message("user", text)
        try:
            request = Request(messages, settings_of(desk.config, COMPARE))
            return (yield from think(desk, Judgement, request, Purpose(COMPARE, model, design)))
        except TooLongError:
            budget //= 2
            if budget >= LEAST:
                continue
            reason = "even the shortest account of it is too long"
        except (BadAnswerError, ModelRefusedError) as error:
            reason = str(error)
        desk.say(f"{design[:10]} is compared by what was measured alone: {reason}")
        return None
