"""Blocks survive JSON at any moment of their life, and their indices answer as a look at every line would."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sandbox.guest import (
    Capacity,
    Contrast,
    CreditedActions,
    Decay,
    Diverse,
    DropDuplicates,
    Encoder,
    Forget,
    ForgetFaded,
    FullTextStore,
    GraphStore,
    Hybrid,
    LatestByKey,
    LayeredDesign,
    Lexical,
    ListStore,
    Manager,
    MergeNear,
    MergeSimilar,
    NextActions,
    NGramLookup,
    ObjectPlaces,
    Query,
    RawSteps,
    Recent,
    Record,
    Retriever,
    Semantic,
    Step,
    Store,
    Task,
    Templates,
    Toolkit,
    Trajectory,
    VectorStore,
    words,
)
from sandbox.guest.store import trigrams
from tests.evolve.test_building_blocks import Tools

VERBS, THINGS = (
    st.sampled_from(["take", "open", "Take", "cook"]),
    st.sampled_from(["the lamp", "old lamp", "door", "é", ""]),
)
LINES = st.builds("{} {}".format, VERBS, THINGS)
REWARDS = st.sampled_from([0.0, 0.1, 0.7, -0.3])
STEP = st.builds(Step, LINES, st.builds("A {}. It is {}.".format, LINES, THINGS), REWARDS, st.just(False))
STEPS = st.lists(STEP, max_size=5)
TASKS = st.builds(Task, st.just("t"), st.just("d"), LINES, LINES)
SCORES = st.sampled_from([0.0, 1 / 3, 1.0])
EPISODES = st.lists(st.builds(Trajectory, TASKS, STEPS.map(tuple), SCORES, st.booleans()), max_size=4)

Layers = tuple[list[Encoder], Store, Retriever, list[Manager]]


def of_vectors(toolkit: Toolkit) -> Layers:
    store = VectorStore(toolkit)
    return [RawSteps(), ObjectPlaces()], store, Semantic(5), [MergeNear(store.vectors, 0.95), Forget()]


def of_graph(toolkit: Toolkit) -> Layers:
    store = GraphStore(FullTextStore(), neighbours=2)
    return [RawSteps(), CreditedActions(3)], store, Hybrid([Lexical(), Semantic()]), [MergeSimilar(0.5), ForgetFaded()]


def of_ngrams(toolkit: Toolkit) -> Layers:
    encoders = [NextActions(2), Templates(CreditedActions(2), 0.5)]
    return encoders, ListStore(), Hybrid([NGramLookup(), Lexical()]), [Capacity(9)]


def of_latest(toolkit: Toolkit) -> Layers:
    return [RawSteps()], LatestByKey(VectorStore(toolkit)), Diverse(Decay(Recent())), [DropDuplicates()]


def of_contrast(toolkit: Toolkit) -> Layers:
    return [Contrast(2), Templates(Contrast(1))], LatestByKey(GraphStore(), separator="the "), Semantic(), []


COMPOSITIONS: list[Callable[[Toolkit], Layers]] = [of_vectors, of_graph, of_ngrams, of_latest, of_contrast]


class Composed(LayeredDesign):
    """A design of some layers, with a memory of its own."""

    def __init__(self, toolkit: Toolkit, compose: Callable[[Toolkit], Layers]) -> None:
        super().__init__(toolkit)
        self.encoders, self.store, self.retriever, self.managers = compose(toolkit)
        self.goals: dict[str, int] = {}

    def update(self, trajectory: Trajectory) -> None:
        super().update(trajectory)
        self.goals[trajectory.task.goal] = self.goals.get(trajectory.task.goal, 0) + 1

    def again(self, compose: Callable[[Toolkit], Layers]) -> Composed:
        """A new instance that takes over the memory as JSON text."""
        other = Composed(Tools(), compose)
        other.load(json.loads(json.dumps(self.dump())))
        return other

    def answers(self, episodes: Sequence[Trajectory]) -> list[Any]:
        """What is retrieved at every step of the episodes, to the last bit; and the memory itself."""
        told: list[Any] = [json.dumps(self.dump())]
        for each in episodes:
            for at in range(len(each.steps) + 1):
                history = each.steps[:at]
                query = Query(each.task, history[-1].observation if at else each.task.observation, history, at)
                told.append([(relevance, r.text) for relevance, r in self.retriever.retrieve(self.store, query)])
                told.append(list(self.retrieve(query)))
        return told


@pytest.mark.parametrize("compose", COMPOSITIONS)
@given(before=EPISODES, after=EPISODES, managed=st.booleans())
@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_a_dump_is_the_whole_memory(
    compose: Callable[[Toolkit], Layers], before: list[Trajectory], after: list[Trajectory], managed: bool
) -> None:
    straight = Composed(Tools(), compose)
    resumed = straight
    for part in (before, after):
        resumed = resumed.again(compose)
        for design in (straight, resumed):
            for each in part:
                design.update(each)
                if managed:
                    design.manage()
        assert resumed.answers(before) == straight.answers(before)
    for design in (straight, resumed):
        design.manage()
    told = straight.answers([*before, *after])
    assert resumed.answers([*before, *after]) == told
    assert straight.again(compose).answers([*before, *after]) == told


@pytest.mark.parametrize("value", [{1: 2}, (1, 2), {1}, object(), float("nan")])
def test_a_design_that_keeps_what_json_cannot_has_no_dump(value: object) -> None:
    design = Composed(Tools(), of_ngrams)
    assert design.dump() is not None
    design.goals = value  # type: ignore[assignment]
    assert design.dump() is None


CHANGES = st.lists(
    st.one_of(
        st.builds(lambda lines: ("extend", lines), st.lists(LINES, min_size=1, max_size=4)),
        st.tuples(st.sampled_from(["drop", "reverse", "remove"]), st.integers(1, 3)),
    ),
    max_size=8,
)


def change(store: Store, kind: str, value: Any) -> None:
    if kind == "extend":
        store.extend(Record(line) for line in value)
    elif kind == "reverse":
        store.replace(list(store)[::-1])
    elif kind == "drop":
        store.replace([record for at, record in enumerate(store) if at % (value + 1)])
    elif len(store):
        store.remove(list(store.by_text)[value % len(store)])


def word_set(text: str) -> set[str]:
    return set(words(text))


@given(CHANGES, LINES, st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_indices_answer_as_a_look_at_every_line_would(changes: list[tuple[str, Any]], text: str, limit: int) -> None:
    store = ListStore()

    def by(relevance: Callable[[str], float]) -> list[tuple[float, str]]:
        return sorted(((relevance(line), line) for line in store.by_text), key=lambda pair: -pair[0])[:limit]

    def jaccard(line: str) -> float:
        return len(word_set(text) & word_set(line)) / len(word_set(text) | word_set(line))

    def trigram_overlap(line: str) -> float:
        mine, its = trigrams(text), trigrams(line)
        return len(mine & its) / max(1, min(len(mine), len(its)))

    for kind, value in changes:
        change(store, kind, value)
        matched = [(relevance, record.text) for relevance, record in store.match(text, limit)]
        assert matched == [pair for pair in by(jaccard) if pair[0] > 0]
        assert [(relevance, record.text) for relevance, record in store.nearest(text, limit)] == by(trigram_overlap)


@given(CHANGES, LINES)
@settings(max_examples=40, deadline=None)
def test_a_full_text_table_follows_every_change(changes: list[tuple[str, Any]], text: str) -> None:
    followed, anew = FullTextStore(), FullTextStore()
    for kind, value in changes:
        change(followed, kind, value)
        anew.load(followed.dump())
        anew._table = None
        assert followed.match(text, 4) == anew.match(text, 4)


@given(st.lists(st.lists(st.sampled_from("abcdefg"), max_size=5)), st.sampled_from([0.2, 1 / 3, 0.5, 0.7, 0.75, 1.0]))
@settings(max_examples=150, deadline=None)
def test_similar_lines_are_merged_as_by_comparing_each_with_each(lines: list[list[str]], threshold: float) -> None:
    store = ListStore()
    store.extend(Record(" ".join(line), gain=float(at)) for at, line in enumerate(lines))
    kept: list[tuple[set[str], list[float]]] = []
    for record in sorted(store, key=lambda record: -record.count):
        mine = word_set(record.text)
        for theirs, gains in kept:
            if mine and len(mine & theirs) / len(mine | theirs) >= threshold:
                gains.append(record.gain)
                break
        else:
            kept.append((mine, [record.gain]))
    MergeSimilar(threshold).manage(store)
    assert [(word_set(record.text), record.gain) for record in store] == [(mine, sum(g)) for mine, g in kept]
