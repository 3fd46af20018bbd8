from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.guest import frames
from sandbox.guest.design import Item, Memory, Query, Step, Task, Trajectory
from tests.sandbox.samples import TASK, TRAJECTORY

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
TASKS = st.builds(Task, TEXT, TEXT, TEXT, TEXT)
STEPS = st.lists(st.builds(Step, TEXT, TEXT, NUMBER, st.booleans()), max_size=4).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_values_come_back_as_they_went(value: Any) -> None:
    assert frames.decode(frames.encode(value)) == value


@given(st.builds(Query, TASKS, TEXT, STEPS, st.integers(0, 100), st.integers(0, 10_000)))
def test_queries_come_back_as_they_went(query: Query) -> None:
    assert frames.unpack(Query, frames.decode(frames.encode(frames.pack(query)))) == query


def test_a_trajectory_comes_back_as_it_went() -> None:
    assert frames.unpack(Trajectory, frames.decode(frames.encode(frames.pack(TRAJECTORY)))) == TRAJECTORY


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    try:
        value = frames.decode(payload)
    except frames.FrameError:
        return
    assert frames.decode(frames.encode(value)) == value


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"\xff",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b"9" * 5000,
        b"[" * 33 + b"]" * 33,
        b"[" * 1_000_000,
        b'{"a":' * 33 + b"1" + b"}" * 33,
        b"[1] [2]",
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_what_is_no_claim_is_refused(payload: bytes) -> None:
    with pytest.raises(frames.FrameError):
        frames.decode(payload)


def test_nesting_counts_brackets_outside_of_text_only() -> None:
    value = ['[[{{"\\' * 50] * 50
    assert frames.decode(json.dumps(value).encode()) == value
    assert frames.decode(b"[" * 32 + b"]" * 32)
    assert frames.decode(b"[" + b",".join([b"[]"] * 100) + b"]")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1, 2}, b"bytes"])
def test_what_is_no_json_is_not_sent(value: Any) -> None:
    with pytest.raises(frames.FrameError):
        frames.encode(value)


def test_size_is_checked_before_the_bytes_are_read() -> None:
    with pytest.raises(frames.FrameError, match="4294967295 bytes"):
        frames.length(b"\xff\xff\xff\xff")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": 7}, "Task.id: expected str"),
        ({"extra": 1}, "expected an object with id, domain, goal, observation"),
    ],
)
def test_records_are_read_strictly(change: dict[str, Any], message: str) -> None:
    with pytest.raises(frames.FrameError, match=message):
        frames.unpack(Task, frames.pack(TASK) | change)


@pytest.mark.parametrize("reward", [True, "1", None, 10**400])
def test_a_reward_is_a_number(reward: Any) -> None:
    value = {"action": "look", "observation": "", "reward": reward, "done": False}
    with pytest.raises(frames.FrameError, match=r"Step\.reward"):
        frames.unpack(Step, value)


@pytest.mark.parametrize("claim", [None, {}, [["a"]], [["a", 1]], [{"id": "a", "text": "b"}], [["x" * 201, ""]]])
def test_a_memory_is_read_strictly(claim: Any) -> None:
    with pytest.raises(frames.FrameError):
        frames.unpack_memory(claim)


def test_a_memory_comes_back_as_it_went() -> None:
    memory = Memory(["take the knife", Item("i7", "open the fridge")])
    assert list(frames.unpack_memory(frames.pack_memory(memory))) == list(memory)
