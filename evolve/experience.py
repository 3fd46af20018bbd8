"""What the conformance suite shows to a design: real episodes of `recall`, and odd ones that no domain has yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice

from evolve.play import play
from sandbox.guest import Item, Query, Step, Task, Trajectory

DOMAIN = "recall"
AGENT = "lexical"
BUDGET = 1000
"""Tokens that a query of the suite allows, as in a run."""

HUGE = 100_000
"""Characters of a huge observation."""

ODD_TEXTS = {
    "empty strings": "",
    "blanks only": " \t\n\r ",
    "emoji": "You see 🥕, 👩‍👩‍👧‍👦 and 🇪🇺.",
    "right-to-left text": "افتح הדלת \u202eback to front\u202c \u200f!",
    "control characters": "a\x00b\x07c\x1b[31md\x7f\x85\u2028",
    "combining characters": "Z\u0351\u036b\u0343a\u0322\u0321l\u0337g\u0327o\u0335 e\u0301" + "\u0301" * 500,
    "signs of many languages": '"\'`;--%s{0}\\n</script>[b]*?( OR NEAR NOT "',
    "the last code points": "\ufffe\uffff\U0010ffff\ue000",
    "letters outside the basic plane": "𠜎𠜱 𐍈 \U0001d4aa\U0001d4c5",
}

_ASKED = re.compile(r"What colour is the (\w+)\?")
_TOLD = re.compile(r"the (\w+) is (\w+)\.")


@dataclass(frozen=True, slots=True)
class Question:
    """A deployment episode that opens with a cue that some success opened with: who remembers it can say something."""

    cue: str
    episode: Trajectory

    @property
    def later_cues(self) -> Sequence[str]:
        """What the episode asks about after its first cue."""
        return [cue for step in self.episode.steps for cue in _ASKED.findall(step.observation)]

    def query(self, step: int = 0) -> Query:
        """What is asked after so many steps."""
        history = self.episode.steps[:step]
        observation = history[-1].observation if history else self.episode.task.observation
        return Query(self.episode.task, observation, history, step, BUDGET)


@cache
def lessons(count: int) -> tuple[Trajectory, ...]:
    """So many collection episodes: each task is played without memory, and again told what that episode showed."""
    return tuple(islice(_play_twice(), count))


def _play_twice() -> Iterator[Trajectory]:
    from domains.base import Role
    from domains.registry import load as load_domain
    from evolve.agents.registry import load as load_agent

    domain, agent = load_domain(DOMAIN), load_agent(AGENT)
    seed = 0
    while True:
        for spec in domain.tasks(Role.COLLECTION):
            first = play(domain, spec, agent, seed)
            seen = _TOLD.findall(" ".join(step.observation for step in first.steps))
            again = play(domain, spec, agent, seed, [Item.of(f"call the {cue} {colour}") for cue, colour in seen])
            yield first
            yield replace(again, retrieved=())  # no design told it that
        seed += 1


@cache
def questions(taught: int, count: int) -> tuple[Question, ...]:
    """At most so many deployment episodes, each about another cue, for who has had the first `taught` lessons."""
    from domains.base import Role
    from domains.registry import load as load_domain
    from evolve.agents.registry import load as load_agent

    domain, agent = load_domain(DOMAIN), load_agent(AGENT)
    known = {_cue(lesson) for lesson in lessons(taught) if lesson.success}
    found: dict[str, Question] = {}
    for spec in domain.tasks(Role.DEPLOYMENT):
        episode = play(domain, spec, agent, 0)
        if (cue := _cue(episode)) in known:
            found.setdefault(cue, Question(cue, episode))
    return tuple(found.values())[:count]


def _cue(episode: Trajectory) -> str:
    return str(_ASKED.findall(episode.task.observation)[0])


def odd_episodes() -> dict[str, Trajectory]:
    """Episodes that are allowed by the contract and met by no test of an author's own, by what is odd in them."""
    first = lessons(1)[0]
    long_words = ("A long hall with many doors. " * HUGE)[:HUGE]
    return {
        "no steps": replace(first, steps=()),
        "no steps but success": replace(first, steps=(), score=1.0, success=True),
        "300 steps": _episode("walk", ["You walk."] * 300),
        "a huge observation": _episode("look", [long_words]),
        "a huge observation of one word": _episode("look", ["x" * HUGE]),
        "a huge observation of short lines": _episode("look", ["a key\n" * (HUGE // 6)]),
        "a negative reward": _episode("fall", ["You fall."], reward=-1.0),
        **{name: _episode(text, [text] * 3, goal=text) for name, text in ODD_TEXTS.items()},
    }


def _episode(action: str, observations: Sequence[str], goal: str = "Do it.", reward: float = 0.25) -> Trajectory:
    steps = [Step(action, text, reward, False) for text in observations]
    steps[-1] = replace(steps[-1], done=True)
    score = max(0.0, min(1.0, reward * len(steps)))
    return Trajectory(Task("odd", DOMAIN, goal, observations[0]), tuple(steps), score, score == 1.0)
