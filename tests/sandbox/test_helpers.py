"""What memories do again and again, as the guest offers it: recaps, likeness, questions to a model, voted insights."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.guest import (
    Insights,
    Key,
    Memory,
    ToolError,
    account,
    ask,
    best_rewards,
    count_tokens,
    key_steps,
    keys,
    nearest,
    rows,
    texts,
    told_in,
)
from sandbox.guest.design import Step, Trajectory
from sandbox.guest.toolkit import GuestToolkit
from tests.sandbox.samples import TASK, TRAJECTORY


def episode(*rewards: float, success: bool = False) -> Trajectory:
    steps = tuple(Step(f"do {at % 4}", "Done.", reward, False) for at, reward in enumerate(rewards))
    return Trajectory(TASK, steps, 0.5, success)


def toolkit(answer: Any = None) -> GuestToolkit:
    """A guest's toolkit whose host answers every call so; None refuses."""

    def host(request: dict[str, Any]) -> Any:
        if request["call"] == "has_llm":
            return True
        if answer is None:
            raise ToolError("refused")
        return answer

    return GuestToolkit(host, 0)


@pytest.mark.parametrize(
    ("trajectory", "limit", "steps"),
    [
        (episode(1, 0, 1, -1), 9, ["do 0", "do 2"]),
        (episode(1, 1, 1), 2, ["do 0", "do 1"]),
        (episode(1, 0, 0, 0, 1), 9, ["do 0"]),
        (episode(0, 0, 0, -1, 1, success=True), 4, ["do 1", "do 2", "do 0"]),
        (episode(0, 0, 1), 4, ["do 2"]),
        (episode(), 4, []),
        (Trajectory(TASK, (Step(" ", "", 1, True), Step("x" * 999, "", 1, True)), 1.0, True), 4, ["x" * 200]),
    ],
)
def test_key_steps_are_what_was_rewarded_or_led_to_a_success(
    trajectory: Trajectory, limit: int, steps: list[str]
) -> None:
    assert key_steps(trajectory, limit) == steps


def test_a_recap() -> None:
    assert best_rewards(episode(0, 1, -1, 0, 1, 0)) == {"do 0": 1, "do 1": 1, "do 2": -1, "do 3": 0}
    assert told_in(TRAJECTORY) == {"a"}
    assert told_in(episode(1)) == set()
    assert account(TRAJECTORY).splitlines() == [
        "Task: Cook the carrot.",
        "Score: 0.50 of 1",
        "Steps:",
        "take knife -> You hold it. (+0.50)",
        "look -> A kitchen. (+0.00)",
    ]
    assert account(TRAJECTORY, longest=9).endswith("\n. (+0.00)")


def test_texts_are_found_by_meaning_or_else_by_words() -> None:
    assert keys(toolkit(), ["a b", ""]) == [Key(frozenset("ab")), Key(frozenset())]
    first, second = keys(toolkit([[1.0, 0.0], [0.6, 0.8]]), ["a b", "c d"])
    assert first.likeness(second) == 0.6
    assert first.likeness(Key(frozenset("b"))) == 0.5
    known = {1: Key(frozenset("z")), 2: Key(frozenset("b")), 3: Key(frozenset("a")), 4: Key(frozenset("ab"))}
    assert list(nearest(first, known, 3)) == [4, 2, 3]
    assert list(nearest(first, known, 3, above=0.5)) == [4]
    assert list(nearest(first, known, 9, above=-1)) == [4, 2, 3, 1]


@pytest.mark.parametrize("answer", [None, 7, [], "x", {"asked": 1}])
def test_a_model_answers_with_an_object_or_with_nothing(answer: Any) -> None:
    assert ask(toolkit(answer), "What?", asked={}) == (answer if isinstance(answer, dict) else {})


@pytest.mark.parametrize("value", [None, 7, "abc", {"a": 1}, [None, 7, [], {}, [["a"]], [1, 2], ["a", 2]]])
def test_what_has_not_the_asked_form_is_nothing(value: Any) -> None:
    assert texts(value, 5) == []
    assert rows(value, 2, 5) == []


def test_insights_are_voted_in_and_out() -> None:
    insights = Insights(most=2)
    for text in ("a", "b", "c", ""):
        insights.apply("ADD", "", text, [len(insights)])
    assert [(name, each.text) for name, each in insights.items()] == [("i1", "a"), ("i2", "b")]
    for operation, name in (("ADD", "i9"), ("AGREE", "i2"), ("EDIT", "i2"), ("AGREE", "i9"), ("DROP", "i1")):
        insights.apply(operation, name, "a" if operation == "ADD" else "", [7])
    assert (insights["i1"].votes, insights["i2"].votes) == (3, 4)
    assert insights["i1"].sources == {0, 7}
    insights.apply("REMOVE", "i1", "")
    assert list(insights) == ["i2"], "in a full list it is worth three votes"
    insights.apply("REMOVE", "i2", "")
    assert insights["i2"].votes == 3
    insights.apply("ADD", "", "c", [9])
    insights.merge("i2", "i3")
    assert (list(insights), insights["i2"].votes, insights["i2"].sources) == (["i2"], 5, {1, 7, 9})


@pytest.mark.parametrize(("budget", "kept"), [(0, 0), (1, 0), (2, 2), (4, 2), (5, 3), (9, 4)])
def test_a_memory_is_cut_where_the_budget_ends(budget: int, kept: int) -> None:
    told = Memory(["go on", "", "look at it", "a"])
    within = told.within(budget)
    assert [item.text for item in within] == ["go on", "", "look at it", "a"][:kept]
    assert sum(count_tokens(item.text) for item in within) <= budget
