"""Is a design's retrieval a function of its built memory and the query? Checked in a fresh guest, not believed.

Forked children share pages and a tmpfs with each other, so a design may carry something from one episode to the next,
and then its score is not that of its memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from random import Random

from sandbox.backend import DesignFault
from sandbox.guest.design import Item, Memory, Query
from sandbox.journal import AsBefore, Journal, replay
from sandbox.session import DesignSession

Lease = Callable[[], AbstractContextManager[DesignSession]]
"""Gives a session in a fresh guest, as `Pool.lease` does."""
Asked = tuple[Query, Sequence[Item]]
"""A query with the items that the host delivered for it."""
Cut = Callable[[Sequence[Item], int], Sequence[Item]]
"""What the host delivers of an answer within a budget in tokens."""

_MAX_SHOWN = 200


def check(lease: Lease, source: str, journal: Journal, asked: Sequence[Asked], cut: Cut | None = None) -> None:
    """Ask a memory, rebuilt from its journal in a fresh guest, the same in another order; `cut` as it was cut then.

    `asked` are queries to the memory as the journal leaves it, in the order of asking; those of one step-phase episode
    stand together, and are asked again in one episode. Calls of the toolkit are answered as they were, so that a model
    which answers anew each time is not held against the design, nor paid twice; a call that was not made before goes
    to the fresh guest's own broker. Raises `DesignFault`, of kind "Impure" where an answer differs.
    """
    episodes = _episodes(asked)
    with lease() as session:
        replay(session, source, journal)
        with session.answered_by(AsBefore(journal.asides, session.broker.answer)):
            for at in _another_order(len(episodes), source):
                _ask_again(session, episodes[at], cut)


def _episodes(asked: Sequence[Asked]) -> list[list[Asked]]:
    """Queries by episode: a later step of the same task belongs to the episode of the query before it."""
    episodes: list[list[Asked]] = []
    for query, items in asked:
        before = episodes[-1][-1][0] if episodes else None
        if before is not None and query.step > before.step and query.task == before.task:
            episodes[-1].append((query, items))
        else:
            episodes.append([(query, items)])
    return episodes


def _another_order(count: int, source: str) -> list[int]:
    """A shuffled order in which none keeps its place, the same for a source whenever it is checked."""
    order = list(range(count))
    random = Random(hashlib.sha256(source.encode()).digest())
    while count > 1 and any(place == at for place, at in enumerate(order)):
        random.shuffle(order)
    return order


def _ask_again(session: DesignSession, episode: Sequence[Asked], cut: Cut | None) -> None:
    shown = 0
    with session.episode() as opened:
        for query, delivered in episode:
            for step in query.history[shown:]:
                opened.observe(step)
            shown = len(query.history)
            answer: Sequence[Item] = opened.retrieve(query)
            _compare(query, Memory(delivered), Memory(cut(answer, query.budget) if cut else answer))


def _compare(query: Query, delivered: Memory, again: Memory) -> None:
    pairs = zip([*delivered, None], [*again, None], strict=False)
    for number, (first, second) in enumerate(pairs):
        if first != second:
            raise DesignFault(
                "retrieve",
                "Impure",
                f"the same memory, asked for task {query.task.id} at step {query.step} in another order, "
                f"told otherwise: item {number} was {_shown(first)} and is {_shown(second)}",
            )


def _shown(item: Item | None) -> str:
    return f"{item.id!r}: {item.text[:_MAX_SHOWN]!r}" if item is not None else "not there"
