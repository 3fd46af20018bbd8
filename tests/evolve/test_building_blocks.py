"""The building blocks of the guest package, each by what its docstring promises."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from sandbox.guest import (
    SLOT,
    ByReward,
    Capacity,
    Contrast,
    CreditedActions,
    DropDuplicates,
    Encoder,
    Forget,
    FullTextStore,
    Hybrid,
    LayeredDesign,
    Lexical,
    ListStore,
    MergeSimilar,
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
    Trajectory,
    VectorStore,
    count_tokens,
)


class Tools:
    """A toolkit whose vectors count letters."""

    has_llm = False
    rng = Random(0)

    def llm(self, prompt: str, schema: dict[str, Any] | None = None) -> Any:
        raise AssertionError("no building block asks a model")

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        counts = [[text.lower().count(chr(97 + letter)) for letter in range(26)] for text in texts]
        return [[count / max(1.0, sum(c * c for c in row) ** 0.5) for count in row] for row in counts]

    def count_tokens(self, text: str) -> int:
        return count_tokens(text)


def episode(*steps: tuple[str, float] | tuple[str, float, str], score: float = 1.0) -> Trajectory:
    task = Task("t", "d", "Do it.", "A chest stands here. A lamp hangs above.")
    taken = tuple(Step(step[0], step[2] if len(step) == 3 else "Done.", step[1], False) for step in steps)
    return Trajectory(task, taken, score, score == 1.0)


def query(text: str) -> Query:
    return Query(Task("t", "d", text, "Nothing."), "Nothing.")


def filled(store: Store, *texts: str) -> Store:
    store.extend(Record(text, gain=float(at), last=at) for at, text in enumerate(texts))
    return store


def all_records(encoder: Encoder, *episodes: Trajectory) -> dict[str, Record]:
    store = ListStore()
    for each in episodes:
        store.extend(encoder.encode(each))
    store.extend(encoder.finish())
    return dict(store.by_text)


LOOK_TAKE = episode(("look", 0.0), ("take lamp", 0.5), ("look", 0.0), ("rub lamp", 0.5))


def test_raw_steps_keep_actions_with_their_own_reward() -> None:
    found = all_records(RawSteps(limit=3), LOOK_TAKE)
    assert {text: record.gain for text, record in found.items()} == {"look": 0.0, "take lamp": 0.5}
    assert found["look"].position == 0.0


def test_credit_fades_backwards_over_its_window() -> None:
    found = all_records(CreditedActions(window=2, decay=0.5), LOOK_TAKE)
    assert {text: record.gain for text, record in found.items()} == {"look": 0.5, "take lamp": 0.5, "rub lamp": 0.5}
    assert set(all_records(CreditedActions(window=1), LOOK_TAKE)) == {"take lamp", "rub lamp"}


def test_contrast_compares_episodes_with_and_without() -> None:
    good, bad = episode(("open door", 1.0), score=1.0), episode(("sleep", 0.0), score=0.0)
    found = all_records(Contrast(minimum=2), good, good, bad, bad, bad)
    assert found["open door"].mean_gain == pytest.approx(1.0)
    assert found["sleep"].mean_gain == pytest.approx(-1.0)
    assert not all_records(Contrast(minimum=2), good, bad)


def test_a_contrast_with_one_side_only_waits_for_the_other() -> None:
    good, bad = episode(("open door", 1.0), score=1.0), episode(("sleep", 0.0), score=0.0)
    encoder = Contrast(minimum=2)
    told = []
    for each in (good, good, bad, bad):
        encoder.encode(each)
        told.append([(record.text, record.mean_gain) for record in encoder.finish()])
    assert told == [[], [], [("open door", 1.0)], [("sleep", -1.0)]]


def test_object_places_are_lines_that_named_the_thing_first() -> None:
    found = all_records(ObjectPlaces(), episode(("look", 0.0), ("open chest", 1.0)))
    assert set(found) == {"A chest stands here"}


def test_templates_put_a_slot_for_rare_words() -> None:
    episodes = [episode((f"take {name} from fridge", 1.0)) for name in ("egg", "milk", "red apple", "egg")]
    found = all_records(Templates(CreditedActions(), rare=0.6), *episodes)
    assert set(found) == {f"take {SLOT} from fridge"}
    assert found[f"take {SLOT} from fridge"].count == 4


@pytest.mark.parametrize("encoder", [RawSteps, CreditedActions, Contrast, ObjectPlaces])
def test_encoders_give_each_line_once_an_episode_with_its_evidence(encoder: type[Encoder]) -> None:
    for records in (encoder().encode(LOOK_TAKE), all_records(encoder(), LOOK_TAKE, LOOK_TAKE).values()):
        texts = [record.text for record in records]
        assert len(texts) == len(set(texts))
        assert all(0 <= record.position <= 1 and record.count >= 1 for record in records)
    assert encoder().encode(episode(score=0.0)) == []


STORES = [ListStore, FullTextStore, lambda: VectorStore(Tools())]


@pytest.mark.parametrize("make", STORES)
def test_stores_merge_equal_lines_and_survive_json(make: Any) -> None:
    store = filled(make(), "take the lamp", "open the door", "take the lamp")
    assert len(store) == 2
    assert store.by_text["take the lamp"].count == 2
    again = make()
    again.load(json.loads(json.dumps(store.dump())))
    assert list(again) == list(store)


@pytest.mark.parametrize("make", STORES)
@pytest.mark.parametrize("question", ["match", "nearest"])
def test_stores_find_the_line_that_is_asked_for(make: Any, question: str) -> None:
    store = filled(make(), "take the lamp", "open the door", "wash a dish")
    found = getattr(store, question)("the lamp", 2)
    assert found[0][1].text == "take the lamp"
    assert len(found) <= 2
    assert all(0 <= relevance <= 1 + 1e-9 for relevance, _ in found)
    assert [relevance for relevance, _ in found] == sorted((relevance for relevance, _ in found), reverse=True)
    assert getattr(make(), question)("the lamp", 2) == []


def test_full_text_takes_any_text_as_words() -> None:
    store = filled(FullTextStore(), 'say "OR"', "take the lamp")
    for text in ('"', "NEAR(", "lamp AND NOT", "* OR ^", ""):
        store.match(text, 5)
    store.extend([Record("a new lamp")])
    assert {record.text for _, record in store.match("lamp", 5)} == {"take the lamp", "a new lamp"}


RETRIEVERS = [Recent(2), Lexical(2), Semantic(2), ByReward(2), Hybrid([Lexical(5), Recent(5)], 2)]


@pytest.mark.parametrize("retriever", RETRIEVERS, ids=lambda each: type(each).__name__)
def test_retrievers_keep_to_their_limit_and_scale(retriever: Retriever) -> None:
    store = filled(ListStore(), "take the lamp", "open the door", "rub the lamp")
    found = retriever.retrieve(store, query("the lamp"))
    assert 0 < len(found) <= 2
    assert all(0 <= relevance <= 1 + 1e-9 for relevance, _ in found)
    assert retriever.retrieve(ListStore(), query("the lamp")) == []


def test_retrievers_prefer_what_they_say() -> None:
    store = filled(ListStore(), "take the lamp", "open the door", "wash a dish")

    def first(retriever: Retriever) -> str:
        return str(retriever.retrieve(store, query("door"))[0][1].text)

    assert first(Recent(1)) == "wash a dish"
    assert first(ByReward(1)) == "wash a dish"
    assert first(Lexical(1)) == "open the door"
    assert first(Semantic(1)) == "open the door"


def test_fusion_is_by_reciprocal_ranks() -> None:
    store = filled(ListStore(), "take the lamp", "open the door")
    found = Hybrid([Recent(2), Lexical(2)], 2, smoothing=1.0).retrieve(store, query("lamp"))
    assert {record.text: value for value, record in found} == pytest.approx(
        {"take the lamp": (1 / 3 + 1 / 2) / 1.0, "open the door": (1 / 2) / 1.0}
    )


def test_duplicates_and_similar_lines_are_merged() -> None:
    store = filled(ListStore(), "Take the lamp!", "take the lamp", "take the old lamp", "sleep")
    DropDuplicates().manage(store)
    assert [record.text for record in store] == ["Take the lamp!", "take the old lamp", "sleep"]
    MergeSimilar(threshold=0.7).manage(store)
    assert [(record.text, record.count) for record in store] == [("Take the lamp!", 3), ("sleep", 1)]


def test_forgetting_spares_the_useful_and_the_untried() -> None:
    store = ListStore()
    store.extend([Record("useless", gain=0.0, count=4), Record("useful", gain=4.0, count=4), Record("new", count=1)])
    Forget(minimum=0.1, trials=2).manage(store)
    assert [record.text for record in store] == ["useful", "new"]


def test_capacity_keeps_the_largest_gains_in_their_order() -> None:
    store = filled(ListStore(), "a", "b", "c", "d")
    Capacity(limit=2).manage(store)
    assert [record.text for record in store] == ["c", "d"]


def test_a_layered_design_tells_the_worthiest_in_its_order() -> None:
    class Sample(LayeredDesign):
        def __init__(self, toolkit: Tools) -> None:
            super().__init__(toolkit)
            self.encoders = [RawSteps()]
            self.store = ListStore()
            self.retriever = Recent(10)
            self.lines = 2

        def worth(self, record: Record, relevance: float, query: Query) -> float:
            return record.gain

        def place(self, record: Record, relevance: float, query: Query) -> float:
            return record.position

    design = Sample(Tools())
    design.update(episode(("rub lamp", 0.6), ("look", 0.0), ("take lamp", 0.9)))
    design.manage()
    assert [item.text for item in design.retrieve(query("lamp"))] == ["rub lamp", "take lamp"]
