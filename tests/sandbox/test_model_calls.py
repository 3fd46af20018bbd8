"""`toolkit.llm` from inside a guest to a scripted model behind the broker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.backend import Backend, DesignFault, MachineFault
from sandbox.broker import LONGEST_ANSWER, MAX_ANSWER, Broker
from sandbox.guest import count_tokens
from sandbox.metering import Completion, RefusedError
from sandbox.pool import Pool
from sandbox.session import DesignSession
from tests.sandbox.conftest import LIMITS
from tests.sandbox.samples import TRAJECTORY, design, query

ALLOWANCE = 5 * LONGEST_ANSWER


def scripted(prompt: str, schema: dict[str, Any] | None, longest: int) -> Completion:
    """A model whose answer its prompt asks for."""
    answers = {
        "refuse": RefusedError("it is against the rules"),
        "down": MachineFault("the model is down"),
        "broken": ZeroDivisionError("a bug of ours"),
        "nan": float("nan"),
        "deep": [[]],
        "long": "x" * (MAX_ANSWER + 1),
        "all": "x",
    }
    answer = answers.get(prompt, f"told: {prompt}" if schema is None else {"told": prompt})
    if isinstance(answer, Exception):
        raise answer
    if prompt == "deep":
        for _ in range(40):
            answer = [answer]
    if prompt == "slow":
        time.sleep(LIMITS.retrieve_seconds + LIMITS.grace_seconds + 0.2)
    return Completion(answer, count_tokens(prompt), longest if prompt == "all" else 3)


@pytest.fixture(scope="module")
def models(backend: Backend) -> Iterator[Pool]:
    with Pool(backend, LIMITS, llm=scripted, llm_allowance=ALLOWANCE) as made:
        yield made


@pytest.fixture
def asking(models: Pool) -> Iterator[DesignSession]:
    with models.lease() as session:
        yield session


ASKS = design(
    "def update(self, trajectory):\n"
    "    self.said = [self.toolkit.has_llm, self.toolkit.llm('hello'), self.toolkit.llm('hello', {'type': 'object'})]",
    "def retrieve(self, query):\n"
    "    try:\n"
    "        return [str(self.said), str(self.toolkit.llm(query.observation))]\n"
    "    except ToolError as error:\n"
    "        return [str(error)]",
)


def told(session: DesignSession, prompt: str) -> list[str]:
    with session.episode() as episode:
        return [item.text for item in episode.retrieve(query(prompt))]


def test_a_design_asks_the_model(asking: DesignSession) -> None:
    asking.load(ASKS, seed=1)
    assert not asking.asked_llm
    asking.update(TRAJECTORY)
    assert asking.asked_llm
    assert told(asking, "more") == ["[True, 'told: hello', {'told': 'hello'}]", "told: more"]
    assert asking.tokens_llm == 3 * (1 + 3)
    assert asking.toolkit_calls == 4


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("refuse", "against the rules"),
        ("nan", "cannot be passed on"),
        ("deep", "nested deeper"),
        ("long", f"at most {MAX_ANSWER} are passed on"),
        ("x " * 50_001, "at most 100000 characters"),
    ],
    ids=lambda value: value[:10],
)
def test_what_is_not_answered_is_said(asking: DesignSession, prompt: str, reason: str) -> None:
    asking.load(ASKS, seed=1)
    asking.update(TRAJECTORY)
    assert reason in told(asking, prompt)[0]
    assert told(asking, "on")[1] == "told: on"


def test_waiting_for_the_model_is_not_the_designs_time(asking: DesignSession) -> None:
    asking.load(ASKS, seed=1)
    asking.update(TRAJECTORY)
    assert told(asking, "slow")[1] == "told: slow"


@pytest.mark.parametrize(("prompt", "error"), [("down", MachineFault), ("broken", ZeroDivisionError)])
def test_a_model_that_is_not_there_blames_nobody(asking: DesignSession, prompt: str, error: type[Exception]) -> None:
    asking.load(ASKS, seed=1)
    asking.update(TRAJECTORY)
    with pytest.raises(error):
        told(asking, prompt)
    assert not asking.alive


@pytest.mark.parametrize("patient", [False, True], ids=["raises", "goes on"])
def test_a_drain_ends_with_the_bucket(asking: DesignSession, patient: bool) -> None:
    ask = "self.toolkit.llm('all')"
    if patient:
        ask = f"try:\n            {ask}\n        except ToolError: pass"
    asking.load(design(f"def update(self, trajectory):\n    while True:\n        {ask}"), seed=1)
    with pytest.raises(DesignFault) as caught:
        asking.update(TRAJECTORY)
    if patient:
        assert caught.value.kind in ("Protocol", "Timeout")
    else:
        assert caught.value.kind == "ToolError"
        assert f"of the design's {ALLOWANCE} are left" in caught.value.message
    assert ALLOWANCE - LONGEST_ANSWER <= asking.tokens_llm <= ALLOWANCE


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("pass", False),
        ("self.toolkit.embed([])", False),
        ("self.toolkit.has_llm", True),
        ("try:\n        self.toolkit.llm('x')\n    except ToolError:\n        pass", True),
    ],
)
def test_a_design_that_would_have_used_a_model_is_known(session: DesignSession, method: str, asked: bool) -> None:
    session.load(design(f"def retrieve(self, query):\n    {method}\n    return []"), seed=1)
    told(session, "")
    assert session.asked_llm is asked


@pytest.mark.parametrize(
    "request_",
    [{"prompt": 1}, {}, {"prompt": "x", "schema": []}, {"prompt": "x", "schema": {"enum": ["x" * 20_000]}}],
)
def test_what_is_no_question_is_refused(request_: dict[str, Any]) -> None:
    broker = Broker(llm=scripted)
    assert "error" in broker.answer({"call": "llm", **request_})
    assert (broker.bucket.used, broker.bucket.reserved) == (0, 0)


def test_a_refused_call_gives_its_reservation_back() -> None:
    broker = Broker(llm=scripted, llm_allowance=LONGEST_ANSWER + 1)
    assert "error" in broker.answer({"call": "llm", "prompt": "refuse"})
    assert "result" in broker.answer({"call": "llm", "prompt": "hello"})
    assert "1025 tokens (1 of prompt, 1024 of answer); 1021 of" in broker.answer({"call": "llm", "prompt": "a"}).get(
        "error", ""
    )
