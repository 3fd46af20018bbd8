"""Blocks that link, diversify, fade, look up by context, overwrite, and merge by meaning."""

from __future__ import annotations

import pytest

from sandbox.guest import (
    ByReward,
    Capacity,
    Decay,
    Diverse,
    DropDuplicates,
    ForgetFaded,
    FullTextStore,
    GraphStore,
    Hybrid,
    LatestByKey,
    Lexical,
    ListStore,
    MergeNear,
    MergeSimilar,
    NextActions,
    NGramLookup,
    Query,
    RawSteps,
    Recent,
    Record,
    Semantic,
    Step,
    Store,
    Task,
    Vectors,
    VectorStore,
    words,
)
from sandbox.guest.decay import strength
from tests.evolve.test_building_blocks import Tools, episode, filled, query


def texts(found: list[tuple[float, Record]]) -> list[str]:
    return [record.text for _, record in found]


def linked(*episodes: str, store: GraphStore | None = None) -> GraphStore:
    """Episodes of actions that are parted by commas."""
    store = store or GraphStore()
    encoder = RawSteps()
    for actions in episodes:
        store.extend(encoder.encode(episode(*((action, 0.0) for action in actions.split(", ")))))
    return store


def test_a_graph_spreads_relevance_one_hop() -> None:
    store = linked("open fridge, take milk, sleep", "take milk, wait", "open fridge, take milk")
    assert store.graph.edges["open fridge", "take milk"] == {"beside": 2}
    found = {record.text: relevance for relevance, record in store.match("fridge", 5)}
    assert found == pytest.approx({"open fridge": 1 / 2, "take milk": 1 / 2 * 2 / 3 * 0.7})


@pytest.mark.parametrize("question", ["match", "nearest"])
def test_a_graph_follows_the_heaviest_edges_within_its_limit(question: str) -> None:
    store = linked("a lamp, b", "a lamp, c", "a lamp, b", "a lamp, d", store=GraphStore(neighbours=2))
    found = texts(getattr(store, question)("lamp", 10))
    assert [text for text in found if text in "bcd"][:2] == ["b", "c"]
    assert len(getattr(store, question)("lamp", 2)) == 2


def test_a_graph_links_nothing_across_episodes_and_forgets_with_its_records() -> None:
    store = linked("a, b", "c, d")
    assert set(store.graph.edges) == {("a", "b"), ("c", "d")}
    store.remove("a")
    store.replace([record for record in store if record.text != "c"])
    assert not store.graph.edges
    assert set(store.graph) <= set(store.by_text) == {"b", "d"}


def test_merged_lines_hand_their_links_on() -> None:
    store = linked("go, take the lamp", "take the lamp!, rub it", "go, take the lamp!")
    DropDuplicates().manage(store)
    assert {frozenset(edge): n for *edge, n in store.graph.edges(data="beside")} == {
        frozenset({"go", "take the lamp"}): 2,
        frozenset({"take the lamp", "rub it"}): 1,
    }


def test_diversity_is_by_marginal_relevance() -> None:
    store = filled(ListStore(), "take the red lamp", "take the old lamp", "open the door")
    question = query("take the red lamp door")
    assert texts(Lexical(2).retrieve(store, question)) == ["take the red lamp", "take the old lamp"]
    found = Diverse(Lexical(9), 2, balance=0.5).retrieve(store, question)
    assert texts(found) == ["take the red lamp", "open the door"]
    plain = {record.text: relevance for relevance, record in Lexical(9).retrieve(store, question)}
    alike = 1 / 6  # "the", of six words
    expected = [0.5 * plain[texts(found)[0]] + 0.5, 0.5 * plain["open the door"] + 0.5 * (1 - alike)]
    assert [relevance for relevance, _ in found] == pytest.approx(expected)


def test_without_diversity_the_order_is_the_inner_one() -> None:
    store = filled(ListStore(), "take the red lamp", "take the old lamp", "open the door")
    found = Diverse(Lexical(9), 9, balance=1.0).retrieve(store, query("the old door"))
    assert found == Lexical(9).retrieve(store, query("the old door"))


def test_a_mixture_of_rates_fades_fast_and_then_slowly() -> None:
    assert strength(0) == 1.0
    assert strength(1) < 0.5 ** (1 / 8)  # at first faster than the middling trace,
    assert strength(100) > 0.5 ** (100 / 8)  # in the end slower
    assert strength(3, [3.0]) == 0.5


def test_decay_weighs_relevance_by_age() -> None:
    store = ListStore()
    store.extend([Record("the lamp", last=1), Record("the lamp here", last=9)])
    assert texts(Lexical().retrieve(store, query("the lamp"))) == ["the lamp", "the lamp here"]
    assert texts(Decay(Lexical()).retrieve(store, query("the lamp"))) == ["the lamp here", "the lamp"]
    assert texts(Decay(Lexical(), half_lives=(1e9,)).retrieve(store, query("the lamp"))) == [
        "the lamp",
        "the lamp here",
    ]


def test_what_faded_is_forgotten_unless_it_was_seen_often() -> None:
    store = ListStore()
    store.extend([Record("old", last=1), Record("often", count=9, last=1), Record("new", last=200)])
    ForgetFaded(minimum=0.1).manage(store)
    assert [record.text for record in store] == ["often", "new"]


HALL = Task("t", "d", "Leave.", "A hall. It is cold.")


def walked(*actions: str, rewards: tuple[float, ...] = ()) -> tuple[Step, ...]:
    gains = (*rewards, *(0.0 for _ in actions))
    return tuple(Step(action, f"You {action}.", gain, False) for action, gain in zip(actions, gains, strict=False))


def known(*episodes: tuple[Step, ...]) -> Store:
    store, encoder = ListStore(), NextActions(order=2, window=3)
    for steps in episodes:
        store.extend(encoder.encode(episode(*((step.action, step.reward, step.observation) for step in steps))))
    return store


def ask(store: Store, history: tuple[Step, ...], observation: str | None = None) -> list[str]:
    seen = observation or (history[-1].observation if history else "A chest stands here. A lamp hangs above.")
    return texts(NGramLookup(order=2).retrieve(store, Query(HALL, seen, history, len(history))))


def test_the_longest_context_that_matches_comes_first() -> None:
    store = known(
        walked("east", "north", "open door", rewards=(0.0, 0.0, 1.0)),
        walked("west", "north", "sleep", rewards=(0.0, 0.0, 1.0)),
    )
    assert ask(store, walked("east", "north")) == ["open door", "sleep"]
    assert ask(store, walked("west", "north")) == ["sleep", "open door"]
    assert ask(store, walked("west", "North!")) == ["sleep", "open door"]
    assert ask(store, walked("jump", "north"), "Something else.") == ["sleep", "open door"]
    assert ask(store, walked("jump", "jump"), "Something else.") == []


def test_at_the_start_the_first_observation_is_the_context() -> None:
    store = known(walked("open chest", rewards=(1.0,)), walked("rub lamp", rewards=(2.0,)))
    assert ask(store, ()) == ["rub lamp", "open chest"]
    assert ask(store, (), "A chest stands here! It is shut.") == ["rub lamp", "open chest"]
    assert ask(store, (), "A door.") == []


def test_what_cost_points_is_not_told_as_what_to_do() -> None:
    store = known(walked("east", "fall", rewards=(0.0, -1.0)), walked("east", "wait", rewards=(0.0, 0.2)))
    assert ask(store, walked("east")) == ["wait"]


def test_relevance_falls_from_context_to_context() -> None:
    store = known(walked("east", "north", "open door", rewards=(0.1, 0.1, 1.0)))
    found = NGramLookup(order=2).retrieve(store, Query(HALL, "You north.", walked("east", "north"), 2))
    assert [(relevance, record.text) for relevance, record in found] == [(1.0, "open door")]
    assert NGramLookup(order=2).retrieve(ListStore(), query("lamp")) == []


@pytest.mark.parametrize("store", [ListStore(), FullTextStore(), VectorStore(Tools()), GraphStore()])
def test_a_record_with_a_key_is_found_by_its_key_alone(store: Store) -> None:
    store.extend([Record("take lamp", 1.0, key="k"), Record("take lamp", 1.0, key="l"), Record("a lamp", 1.0)])
    for retriever in (Lexical(), Semantic(), Recent(), ByReward(), Hybrid([Lexical(), Recent()])):
        assert texts(retriever.retrieve(store, query("take lamp"))) == ["a lamp"]
    MergeSimilar(0.1).manage(store)
    DropDuplicates().manage(store)
    assert [[record.text for record in rung] for rung in store.under(["l", "none", "k"])] == [
        ["take lamp"],
        [],
        ["take lamp"],
    ]
    Capacity(1).manage(store)
    assert len(store) == 1


@pytest.mark.parametrize("make", [LatestByKey, lambda: LatestByKey(GraphStore()), lambda: LatestByKey(FullTextStore())])
def test_a_later_line_replaces_the_one_with_its_key(make: type[LatestByKey]) -> None:
    store = make()
    store.extend([Record("the cue is left", 5.0), Record("wait"), Record("the cue is right")])
    store.extend([Record("sleep"), Record("the cue is right")])
    assert [(record.text, record.count, record.gain) for record in store] == [
        ("wait", 1, 0.0),
        ("sleep", 1, 0.0),
        ("the cue is right", 2, 0.0),
    ]
    store.extend([Record("the cue is left")])
    assert texts(store.match("cue", 5)) == ["the cue is left"]
    store.remove("the cue is left")
    store.extend([Record("the cue is up")])
    assert [record.text for record in store] == ["wait", "sleep", "the cue is up"]


def test_a_key_may_end_at_a_separator() -> None:
    store = filled(LatestByKey(separator=": "), "red cube: 3, 4", "goal: red", "red cube: at the wall now", "go on")
    assert [record.text for record in store] == ["goal: red", "red cube: at the wall now", "go on"]
    store = filled(LatestByKey(changing=2), "cube at 3 4", "cube at 5 6", "go on")
    assert [record.text for record in store] == ["cube at 5 6", "go on"]


def test_lines_near_in_meaning_are_merged_into_the_more_frequent() -> None:
    store = VectorStore(Tools())
    store.extend([Record("act"), Record("cat", count=3), Record("dog"), Record("god"), Record("tac")])
    MergeNear(store.vectors, 0.99).manage(store)
    assert [(record.text, record.count) for record in store] == [("cat", 5), ("dog", 2)]
    MergeNear(Vectors(Tools())).manage(ListStore())


def test_merging_by_meaning_is_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def merged() -> list[tuple[str, int]]:
        store = filled(ListStore(), *(f"{a}{b}{c}" for a in "abcde" for b in "bcdf" for c in "acgh"))
        MergeNear(Vectors(Tools()), 0.8).manage(store)
        return [(record.text, record.count) for record in store]

    at_once = merged()
    monkeypatch.setattr("sandbox.guest.manage._BLOCK", 3)
    assert merged() == at_once
    assert len(at_once) < 80 == sum(count for _, count in at_once)


def test_embedding_takes_lines_of_any_length() -> None:
    store = filled(VectorStore(Tools()), "x" * 400_000, "lamp")
    assert texts(store.nearest("lamp " * 100_000, 1)) == ["lamp"]


@pytest.mark.parametrize("store", [ListStore(), FullTextStore()])
def test_a_question_may_be_huge(store: Store) -> None:
    filled(store, "take lamp 7", "open door")
    question = " ".join(f"word{number}" for number in range(30_000)) + " lamp"
    assert texts(store.match(question, 3)) == ["take lamp 7"]
    assert len(words(question)) == 30_001
