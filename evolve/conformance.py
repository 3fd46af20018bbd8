"""The conformance suite of memory designs: what every design has to do, whatever it remembers.

Each check is a function of a `Bench`: it answers with what it found, or raises `ShortfallError` with what to change.
The design runs in real guests, and what it sees are real episodes of `recall`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evolve.bench import EPISODES, LESSONS, LONGER, Bench, Told, ask
from evolve.experience import BUDGET, Question, odd_episodes
from evolve.play import cut
from sandbox import purity
from sandbox.backend import DesignFault
from sandbox.guest import Query, count_tokens

if TYPE_CHECKING:
    from sandbox.pool import Pool
    from sandbox.session import DesignSession, EpisodeSession

NOISE_SECONDS = 0.001
"""Costs below this are taken as this: the pipe and the scheduler make up as much."""
MEMORY_SHARE = 8
"""A memory may grow by this part of what its guest may use."""

_PURE = "retrieve() must change nothing that a later retrieve() reads"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check came to; `detail` says what was found, or what is wrong and what to change."""

    name: str
    passed: bool
    detail: str


class ShortfallError(Exception):
    """A check that is not passed; the message says what to change."""


def conform(source: str, pool: Pool, episodes: int = EPISODES) -> list[Finding]:
    """Run every check on a design; where it does not even load, the first only. Raises `MachineFault`."""
    bench = Bench(source, pool, episodes)
    findings: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            finding = Finding(name, True, check(bench))
        except ShortfallError as shortfall:
            finding = Finding(name, False, str(shortfall))
        except DesignFault as fault:
            finding = Finding(name, False, explain(fault))
        findings.append(finding)
        if bench.loaded is None:
            break
    return findings


def explain(fault: DesignFault) -> str:
    """A fault in a sentence, with the last line of the design that its traceback names."""
    places = re.findall(r'File "design\.py", line (\d+).*\n(?:\s+(.*))?', fault.traceback)
    return f"{fault} (line {places[-1][0]}: {places[-1][1]})" if places else str(fault)


# Checks, in the order in which they run


def loads(bench: Bench) -> str:
    """The module runs, defines one design, and the design says valid things of itself."""
    with bench.fresh():
        loaded = bench.loaded
    assert loaded is not None
    when = "at every step" if bench.is_asked_at_steps else "before the first action"
    return f"{loaded.name}, asked {when}; {count_tokens(loaded.instructions)} tokens of instructions"


def tells_nothing_before(bench: Bench) -> str:
    """A memory that has seen nothing knows nothing."""
    with bench.fresh() as session:
        for again in (False, True):
            for question in bench.questions:
                if told := ask(session, question.query()):
                    raise ShortfallError(
                        f"it tells {_quoted(told[0].text)} before it has seen anything; a hint written into code is not"
                        " memory: tell only what came in by update() or observe()"
                    )
            if not again:
                session.manage()
    return f"{len(bench.questions)} questions, no answer"


def tells_something_relevant_after(bench: Bench) -> str:
    """Asked about a cue that it has seen, it mentions it, most of the time."""
    answers = bench.told()
    if not any(answers.values()):
        if bench.is_asked_at_steps:
            return _tells_something_within(bench)
        raise ShortfallError(
            f"it tells nothing after {LESSONS} episodes, half of them successful: what update() keeps has to reach what"
            " retrieve() returns"
        )
    missed = [cue for cue, told in answers.items() if not _mentions(told, cue)]
    relevant = len(answers) - len(missed)
    if 2 * relevant < len(answers):
        cue = missed[0]
        example = f"it tells {_quoted(answers[cue][0].text)}" if answers[cue] else "it tells nothing"
        raise ShortfallError(
            f"asked about {len(answers)} things that it has seen, it mentions {relevant}; of the {cue}, for example,"
            f" {example}: choose by query.observation and query.task what to tell"
        )
    return f"{relevant} of {len(answers)} answers mention what was asked about"


def _tells_something_within(bench: Bench) -> str:
    """A memory of nothing but the running episode has to tell of it, asked again what the episode began with."""
    asked, relevant = bench.questions, 0
    with bench.built() as session:
        for question in asked:
            steps = question.episode.steps
            with session.episode() as episode:
                for step in steps:
                    episode.observe(step)
                told = tuple(episode.retrieve(replace(question.query(), history=steps, step=len(steps))))
            relevant += any(_mentions(told, cue) for cue in question.later_cues)
    if 2 * relevant < len(asked):
        raise ShortfallError(
            f"it tells nothing of {LESSONS} earlier episodes, and at the end of an episode it tells something of that"
            f" episode in {relevant} of {len(asked)}: what update() or observe() keeps has to reach retrieve()"
        )
    return f"nothing of earlier episodes; of the running one in {relevant} of {len(asked)}"


def _mentions(told: Told, cue: str) -> bool:
    return any(cue in item.text.lower() for item in told)


def stands_odd_episodes(bench: Bench) -> str:
    """Whatever the contract allows in an episode or a query makes no fault."""
    odd = odd_episodes()
    bench.told()  # what ordinary episodes do to it is not to be put down to odd ones
    with bench.fresh() as session:
        for name, episode in odd.items():
            try:
                session.update(episode)
                _rehearse(session, Question("", episode), at_steps=bench.is_asked_at_steps)
                session.manage()
                ask(session, bench.questions[0].query())
            except DesignFault as fault:
                raise ShortfallError(f"it does not stand {name}: {explain(fault)}") from None
    return f"{len(odd)} kinds: {', '.join(list(odd)[:2])}, ..."


def is_deterministic(bench: Bench) -> str:
    """Two fresh guests that get the same calls give the same answers."""
    _expect_equal(
        bench.told(),
        bench.told_by_another(),
        "in another guest, after the same calls, it tells",
        "draw only on toolkit.rng and what it was given: no clock, no os.urandom, no id(), no thread",
    )
    return "two guests, equal answers"


def is_pure(bench: Bench) -> str:
    """What it tells depends on what it has seen, not on what it was asked before."""
    asked: list[tuple[Query, Told]] = []
    with bench.built() as session:
        for question in bench.questions:
            with session.episode() as episode:
                first, second = (tuple(episode.retrieve(question.query())) for _ in range(2))
            _expect_equal({question.cue: first}, {question.cue: second}, "asked again at once, it tells", _PURE)
            answers = _rehearse(session, question, at_steps=bench.is_asked_at_steps)
            asked += [(question.query(step), told) for step, told in enumerate(answers)]
        journal = session.journal
    try:
        purity.check(bench.pool.lease, bench.source, journal, asked)
    except DesignFault as fault:
        if fault.kind != "Impure":
            raise
        if bench.told_by_another() != bench.told():
            return "asked twice, equal answers; another order says nothing of a design that is not deterministic"
        raise ShortfallError(f"{fault.message}: {_PURE}") from None
    return "asked twice and in another order, equal answers"


def leaves_no_trace(bench: Bench) -> str:
    """An episode changes nothing for the next one."""
    first, *others = bench.questions
    with bench.built() as session:
        before = ask(session, first.query())
        for other in others:
            _rehearse(session, other, at_steps=True)
        after = ask(session, first.query())
    _expect_equal(
        {first.cue: before},
        {first.cue: after},
        f"after {len(others)} other episodes it tells",
        "what retrieve() and observe() note is for the same episode only; keep nothing in files or shared memory",
    )
    return f"{len(others)} episodes later, an equal answer"


def answers_at_steps(bench: Bench) -> str:
    """Asked in the middle of an episode it answers as validly as at its beginning."""
    if not bench.is_asked_at_steps:
        return 'not asked: its phases hold no "step"'
    asked = 0
    with bench.built() as session:
        for question in bench.questions:
            first, second = (_rehearse(session, question, at_steps=True) for _ in range(2))
            asked += len(first)
            for step, told in enumerate(first):
                _expect_fits(told, f"at step {step}")
                _expect_equal(
                    {question.cue: told},
                    {question.cue: second[step]},
                    f"at step {step} of an equal episode it tells",
                    "let the same steps lead to the same answer",
                )
    return f"{asked} answers during {len(bench.questions)} episodes"


def stays_inside_its_budget(bench: Bench) -> str:
    """The host has nothing to cut."""
    spent = [_expect_fits(told, f"after {bench.episodes} episodes") for told in bench.growth().told]
    return f"at most {max(spent)} of {BUDGET} tokens after {bench.episodes} episodes"


def keeps_memory_bounded(bench: Bench) -> str:
    """Resident memory does not run away."""
    growth = bench.growth()
    grown = max(0, growth.resident_bytes[1] - growth.resident_bytes[0])
    allowed = bench.pool.limits.memory_bytes // MEMORY_SHARE
    found = f"{_mb(grown)} more after {growth.episodes[1]} episodes than after {growth.episodes[0]}"
    if grown > allowed:
        raise ShortfallError(f"{found}, of {_mb(allowed)} allowed; merge, forget or cap what update() keeps")
    return f"{found} ({_mb(allowed)} allowed)"


def retrieves_at_sublinear_cost(bench: Bench) -> str:
    """Ten times the episodes make retrieval less than ten times as slow."""
    growth = bench.growth()
    return _expect_cheap(growth.episodes, growth.retrieve_seconds, "retrieve()", "index what update() keeps, or cap it")


def updates_at_sublinear_cost(bench: Bench) -> str:
    """Ten times the episodes make an update less than ten times as slow."""
    growth = bench.growth()
    advice = "leave work over all that is kept to manage(), or cap what is kept"
    return _expect_cheap(growth.episodes, growth.update_seconds, "update()", advice)


CHECKS: dict[str, Callable[[Bench], str]] = {
    "loads": loads,
    "tells nothing before it has seen anything": tells_nothing_before,
    "tells something relevant": tells_something_relevant_after,
    "stands odd episodes": stands_odd_episodes,
    "deterministic": is_deterministic,
    "pure": is_pure,
    "episodes leave no trace": leaves_no_trace,
    "answers during an episode": answers_at_steps,
    "inside its budget": stays_inside_its_budget,
    "memory bounded": keeps_memory_bounded,
    "cost of retrieval": retrieves_at_sublinear_cost,
    "cost of update": updates_at_sublinear_cost,
}


# What the checks share


def _rehearse(session: DesignSession, question: Question, *, at_steps: bool) -> list[Told]:
    """Go through an episode as it was recorded; the design is asked at its beginning and, if so, after each step."""

    def answer(episode: EpisodeSession, step: int) -> Told:
        return tuple(episode.retrieve(question.query(step)))

    with session.episode() as episode:
        answers = [answer(episode, 0)]
        for number, step in enumerate(question.episode.steps if at_steps else (), 1):
            episode.observe(step)
            answers.append(answer(episode, number))
    return answers


def _expect_equal(first: dict[str, Told], second: dict[str, Told], when: str, advice: str) -> None:
    """The same items with the same ids, question by question."""
    for cue, told in first.items():
        if told == second[cue]:
            continue
        ours, theirs = _first_difference(told, second[cue])
        raise ShortfallError(f"asked about the {cue}, it tells {ours}; {when} {theirs}: {advice}")


def _first_difference(first: Told, second: Told) -> tuple[str, str]:
    """Where two answers part, in words."""
    at = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    by_text = at >= min(len(first), len(second)) or first[at].text != second[at].text

    def words(told: Told) -> str:
        if at >= len(told):
            return f"{len(told)} items and no more"
        return _quoted(told[at].text) if by_text else f"it under the id {_quoted(told[at].id)}"

    return words(first), words(second)


def _expect_fits(told: Told, when: str) -> int:
    """The tokens of an answer that needs no cut."""
    items, tokens, was_cut = cut(told, BUDGET)
    if was_cut:
        raise ShortfallError(
            f"{when} it tells {len(told)} items, and the first {len(items)} fill {tokens} of {BUDGET} tokens; the rest"
            " is cut: stop at query.budget, counted with toolkit.count_tokens"
        )
    return tokens


def _expect_cheap(episodes: tuple[int, int], seconds: tuple[float, float], call: str, advice: str) -> str:
    """A cost that grew by less than the number of episodes did, both costs taken as the noise where they are less."""
    ratio = max(seconds[1], NOISE_SECONDS) / max(seconds[0], NOISE_SECONDS)
    few, many = (f"{1000 * each:.1f} ms" for each in seconds)
    found = f"{call} takes {few} after {episodes[0]} episodes and {many} after {episodes[1]}"
    if ratio >= LONGER:
        raise ShortfallError(f"{found}, {ratio:.0f} times as much; less than {LONGER} is asked for: {advice}")
    return found


def _quoted(text: str, longest: int = 60) -> str:
    return repr(text if len(text) <= longest else text[:longest] + "...")


def _mb(size: int) -> str:
    return f"{size / 2**20:.1f} MB"
