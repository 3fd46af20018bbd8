"""N-gram lookup: what to do next is what once paid after the same last few actions and observations."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sandbox.guest.design import Query, Step, Trajectory
from sandbox.guest.encode import Encoder, credited
from sandbox.guest.records import Record, lines, record_of, words
from sandbox.guest.retrieve import Retriever
from sandbox.guest.store import Scored, Store


def contexts(history: Sequence[Step], observation: str, order: int) -> list[str]:
    """Keys of a situation, the most specific first.

    They are the last `order`, ..., 1, 0 actions with the whole of the latest observation; then these actions with any
    observation; then the observation's first line alone. Words count, not case and punctuation.

    >>> [len(contexts([Step("go east", "A hall.", 0.0, False)] * steps, "A hall. Cold.", 2)) for steps in (0, 1, 5)]
    [2, 4, 6]
    """
    actions = [step.action for step in history[-order:]] if order else []
    seen = _tidy(observation)
    longest_first = [actions[at:] for at in range(len(actions))]
    situations = [
        *(["seen", seen, *map(_tidy, last)] for last in [*longest_first, []]),
        *(["done", *map(_tidy, last)] for last in longest_first),
        ["line", _tidy(next(lines(observation), ""))],
    ]
    return [_digest(situation) for situation in situations]


def _tidy(text: str) -> str:
    return " ".join(words(text))


def _digest(situation: list[str]) -> str:
    """A key of constant size: an observation may be long, and is kept once for every context that it ends."""
    return hashlib.blake2b("\n".join(situation).encode("utf-8", "replace"), digest_size=9).hexdigest()


class NextActions(Encoder):
    """For each context of at most `order` actions, the action that came next, with what it earned.

    A reward is credited to its step and, fading, to the `window - 1` before it; a step that earned nothing is not kept.
    """

    def __init__(self, order: int = 2, window: int = 8, decay: float = 0.7) -> None:
        super().__init__()
        self.order = order
        self.window = window
        self.decay = decay

    def records(self, trajectory: Trajectory) -> list[Record]:
        """One record for each context of a credited step."""
        steps = trajectory.steps
        found = []
        for at, credit in enumerate(credited(steps, self.window, self.decay)):
            if credit != 0.0:
                observation = steps[at - 1].observation if at else trajectory.task.observation
                keys = contexts(steps[max(0, at - self.order) : at], observation, self.order)
                action = steps[at].action
                found += [record_of(action, trajectory, at, credit, self.episodes, key) for key in keys]
        return found


class NGramLookup(Retriever):
    """What paid next after the same last actions and observation: the longest match first, then back-off.

    It looks up what `NextActions` of the same `order` kept, at the start of an episode by the first observation. Within
    a context the action that earned most an episode comes first, then the latest.
    """

    def __init__(self, limit: int = 20, order: int = 2) -> None:
        super().__init__(limit)
        self.order = order

    def retrieve(self, store: Store, query: Query) -> Scored:
        """By the context that matched, the most specific near 1; each action once, where it matches best."""
        rungs = store.under(contexts(query.history, query.observation, self.order))
        found: dict[str, tuple[float, Record]] = {}
        for at, rung in enumerate(rungs):
            paid = sorted((r for r in rung if r.gain > 0), key=lambda r: (-r.mean_gain, -r.last, r.text))
            for rank, record in enumerate(paid):
                relevance = (len(rungs) - at - rank / len(paid)) / len(rungs)
                found.setdefault(record.text, (relevance, record))
        return list(found.values())[: self.limit]
