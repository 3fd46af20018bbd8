"""Models behind designs' toolkits, and in workers that do several jobs at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archive.ledger import Ledger
from domains import registry as domains
from domains.base import Role
from evolve.evaluator import Evaluator
from evolve.executor import ThreadExecutor, batch_for, builds_for, designs_for, threads_for
from evolve.jobs import BuildJob, Built, EpisodeOrder, Lived, LiveJob, MachineTrouble, Played, PlayJob, Recipe, Result
from evolve.llm.base import ModelAwayError, Settings, SpentError
from evolve.llm.wire import Models
from evolve.serving import Brokers
from sandbox.backends import make
from sandbox.broker import Broker
from sandbox.embedding import Embedder
from tests.evolve.models import plays, serving
from tests.model_server import Ask, Fault, Response, Say, Script

DOMAIN = domains.load("recall")
SPECS = tuple(DOMAIN.tasks(Role.DEPLOYMENT)[:8])
STATIC = Embedder()

ASKS = '''
from sandbox.guest import Memory, MemoryDesign, ToolError


class Asks(MemoryDesign):
    """Has the model sum up each episode, and asks it again when it is asked."""

    phases = frozenset({PHASES})

    def __init__(self, toolkit):
        super().__init__(toolkit)
        self.notes = []

    def update(self, trajectory):
        self.notes.append(str(self.toolkit.llm("Sum up: " + trajectory.task.observation)))
        self.toolkit.embed([trajectory.task.observation])

    def retrieve(self, query):
        return Memory([*self.notes, f"step {query.step}"])
'''


@pytest.fixture(scope="module")
def sandbox() -> str:
    return "bubblewrap" if make("bubblewrap").available() is None else "process"


def answer(folder: Path, script: Script, request: dict[str, Any], tokens: int = 10_000) -> tuple[Any, Broker]:
    """What a design's request is answered, and the broker that answered it."""
    with serving(folder, script, memory_model=True, embedder=True, memory_tokens=tokens) as (_, gateway):
        broker = Brokers(STATIC, gateway.serve(), gateway).of("d1")
        found = broker.answer(request)
    return found.get("result", found.get("error")), broker


@pytest.mark.parametrize(
    ("said", "schema", "heard"),
    [
        (Say("hello"), None, "hello"),
        (Say(value={"a": 1}), {"type": "object"}, {"a": 1}),
        (Say("no json"), {"type": "object"}, "the model's answer is no JSON of the form that was asked for"),
        (Say("No.", finish="refusal"), None, "the model refuses to answer this"),
        (Say(""), None, "the model gave no answer"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_design_pays_for_every_answer_on_its_own_account(
    tmp_path: Path, said: Say, schema: dict[str, Any] | None, heard: Any
) -> None:
    heard_now, broker = answer(
        tmp_path,
        lambda ask: replace(said, tokens_in=5, tokens_out=7),
        {"call": "llm", "prompt": "hi", "schema": schema},
    )
    assert heard_now == heard
    assert broker.bucket.used == 12
    assert broker.bucket.reserved == 0
    assert broker.dollars is None, "nobody knows what this model costs"
    with closing(Ledger(tmp_path / "a.db")) as ledger:
        (cost,) = ledger.costs(1)
    assert (cost.group[0], cost.calls, cost.tokens_in, cost.tokens_out) == ("memory", 1, 5, 7)


def test_an_answer_is_no_longer_than_the_design_may_have(tmp_path: Path) -> None:
    def script(ask: Ask) -> Response:
        return Say(str(ask.body["max_tokens"]))

    assert answer(tmp_path, script, {"call": "llm", "prompt": "hi"})[0] == "1024"


@pytest.mark.parametrize("fault", [Fault(400), Fault(manner="overflow"), Fault(manner="empty")], ids=str)
@pytest.mark.parametrize("request_", [{"call": "llm", "prompt": "hi"}, {"call": "embed", "texts": ["hi"]}])
def test_what_a_model_will_not_answer_the_design_is_told(
    tmp_path: Path, fault: Fault, request_: dict[str, Any]
) -> None:
    heard, _ = answer(tmp_path, lambda ask: fault, request_)
    assert isinstance(heard, str)
    assert heard


def test_a_model_that_is_away_is_no_answer_at_all(tmp_path: Path) -> None:
    with pytest.raises(ModelAwayError):
        answer(tmp_path, lambda ask: Fault(500), {"call": "llm", "prompt": "hi"})


def test_vectors_come_from_the_embedding_model(tmp_path: Path) -> None:
    vectors, broker = answer(tmp_path, plays, {"call": "embed", "texts": ["a", "", "a b"]})
    assert [round(sum(number**2 for number in vector), 3) for vector in vectors] == [1, 0, 1]
    assert broker.embedded_texts == 3
    assert answer(tmp_path / "none", plays, {"call": "embed", "texts": []})[0] == []


def test_without_models_designs_have_the_static_embedder_and_no_model() -> None:
    broker = Brokers(STATIC).of("d1")
    assert broker.answer({"call": "has_llm"}) == {"result": False}
    assert len(broker.answer({"call": "embed", "texts": ["a"]})["result"][0]) == 256


# --- in workers


@pytest.fixture
def evaluator(request: pytest.FixtureRequest, tmp_path: Path, sandbox: str) -> Iterator[Evaluator]:
    script: Script = getattr(request, "param", plays)
    with serving(tmp_path, script, agent=True, memory_model=True, embedder=True) as (server, gateway):
        made = Evaluator("recall", server.spec(), sandbox, models=gateway.serve())
        yield made
        made.close()


def recipe(phases: str = '"begin"') -> Recipe:
    return Recipe(ASKS.replace("PHASES", phases), 0, design="d1")


def live(dynamic: bool = False) -> LiveJob:
    return LiveJob(recipe('"begin", "step"'), SPECS, 1, 0, smoke=2, budget=100, dynamic=dynamic, check_purity=True)


@pytest.fixture
def collection(evaluator: Evaluator) -> Any:
    orders = tuple(EpisodeOrder(bytes([number]), spec, 50) for number, spec in enumerate(SPECS[:3]))
    played = evaluator.run(PlayJob(orders, record=True), ())
    assert isinstance(played, list)
    return [each.trajectory for each in played]


def test_a_design_that_asks_models_is_built_and_charged(evaluator: Evaluator, collection: Any) -> None:
    built = evaluator.run(BuildJob(recipe(), SPECS, 2, 200, check_purity=True), collection)
    assert isinstance(built, Built)
    assert not built.failure
    assert built.deliveries[0].items[0].text.startswith("a note on 'Sum up: What colour is")
    assert built.effort.calls == 6
    assert built.effort.llm_tokens > 0
    assert built.effort.dollars is None


@pytest.mark.parametrize("dynamic", [False, True])
def test_live_episodes_in_threads_are_as_one_after_the_other(
    evaluator: Evaluator, collection: Any, dynamic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = evaluator.run(live(dynamic), collection)
    monkeypatch.setattr("evolve.evaluator.LIVE_AT_ONCE", 1)
    alone = evaluator.run(live(dynamic), collection)
    assert isinstance(together, Lived)
    assert isinstance(alone, Lived)
    assert not together.failure
    assert together.episodes == alone.episodes
    assert [episode.task_id for episode in together.episodes] == [spec.id for spec in SPECS]
    assert all(episode.played and episode.played.tokens_in for episode in together.episodes)


@pytest.mark.parametrize("evaluator", [lambda ask: Fault(500)], indirect=True)
@pytest.mark.parametrize("job", [PlayJob((EpisodeOrder(b"", SPECS[0], 0),)), live()], ids=["play", "live"])
def test_a_model_that_is_away_is_the_machines_trouble(evaluator: Evaluator, job: PlayJob | LiveJob) -> None:
    result = evaluator.run(job, ())
    assert isinstance(result, MachineTrouble)
    assert result.waited
    assert not result.away


def test_a_spent_budget_ends_the_work(tmp_path: Path, sandbox: str) -> None:
    with serving(tmp_path, plays, agent=True, budget_tokens=2000) as (server, gateway):
        worker = Evaluator("recall", server.spec(), sandbox, models=gateway.serve())
        with pytest.raises(SpentError), closing(worker):
            worker.run(PlayJob((EpisodeOrder(b"", SPECS[0], 0),)), ())


def test_episodes_wait_for_the_model_side_by_side(tmp_path: Path, sandbox: str) -> None:
    """As many calls as are allowed are made at once: each waits until all of them are there."""
    together = threading.Barrier(6)

    def script(ask: Ask) -> Response:
        together.wait(20)
        return plays(ask)

    with serving(tmp_path, script, agent=True, concurrency=6, deadline=60) as (server, gateway):
        models = gateway.serve()
        threads = threads_for(models, 1)
        with closing(ThreadExecutor("recall", server.spec(), sandbox, models=models, threads=threads)) as executor:
            assert (executor.slots, executor.batch) == (9, 1)
            results: dict[int, Result] = {}
            for ticket, lane in enumerate(list(executor.free())[:6]):
                order = EpisodeOrder(bytes([ticket]), SPECS[ticket], seed=ticket)  # else some calls are equal
                executor.submit(ticket, PlayJob((order,)), lane)
            assert len(executor.free()) == 3
            while len(results) < 6:
                results.update(executor.collect())
        played = [each for result in results.values() if isinstance(result, list) for each in result]
        assert all(isinstance(each, Played) and each.tokens_out for each in played)
        assert len(played) == 6
        assert server.most_in_flight == 6


@pytest.mark.parametrize(
    ("models", "threads", "batch", "builds", "designs"),
    [
        (None, 1, 8, 1, 1),
        (Models("", 0, "", agent="m", concurrency=32), 24, 1, 3, 3),
        (Models("", 0, "", memory="m", concurrency=8), 6, 8, 6, 6),
        (Models("", 0, "", embedder="m", concurrency=8), 1, 8, 1, 1),
        (Models("", 0, "", agent="m", memory="m", memory_settings=Settings(), concurrency=1), 2, 1, 2, 1),
    ],
)
def test_how_much_a_worker_does_at_once(
    models: Models | None, threads: int, batch: int, builds: int, designs: int
) -> None:
    assert threads_for(models, 2) == threads
    assert batch_for(models) == batch
    assert builds_for(models, threads) == builds
    assert designs_for(threads, batch) == designs
