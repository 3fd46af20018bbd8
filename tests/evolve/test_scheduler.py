"""The scheduler over real jobs on `recall`: what is equal is played once, and what the machine spoils is done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

from archive.utilisation import Stretch
from domains import registry
from domains.base import Role, TaskSpec
from evolve.errors import StandstillError
from evolve.evaluation import Episodes, Thought
from evolve.executor import BATCH, SerialExecutor
from evolve.jobs import EpisodeOrder, Job, MachineTrouble, Played, PrepareJob, Result, episode_key
from evolve.scheduler import PATIENCE, TRIES, Activity, Scheduler
from evolve.utilisation import SPAN, Meter
from sandbox.guest import Item

SPECS = registry.load("recall").tasks(Role.DEPLOYMENT)


def order(number: int, text: str = "call the drum amber") -> EpisodeOrder:
    items = (Item.of(text),)
    return EpisodeOrder(episode_key(("recall", "test"), SPECS[number], 0, items, ""), SPECS[number], 0, items)


class Desk:
    """A scheduler with a memory of what it was told to keep, over an executor that fails as often as it is told to."""

    def __init__(self, fail: Callable[[Job], bool] = lambda job: False, absences: Sequence[str | None] = ()) -> None:
        self.kept: dict[bytes, float] = {}
        self.batches: list[int] = []
        self.said: list[str] = []
        self.stretches: list[Stretch] = []
        self.absences = list(absences)
        """What `absence` answers in turn; while there are any, a failure is that of a sandbox that is away."""
        self.jobs: list[Job] = []
        self._inner = SerialExecutor("recall", "lexical", "process")
        self._fail = fail
        self.slots = self._inner.slots
        self.batch = self._inner.batch
        self.designs = self._inner.designs
        self.scheduler = Scheduler(self, self.known, self.keep, self.said.append, Meter(self.stretches.append))

    def known(self, keys: Iterable[bytes]) -> Mapping[bytes, float]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    def keep(self, results: Sequence[Played]) -> None:
        self.batches.append(len(results))
        self.kept.update((played.key, played.score) for played in results)

    def share(self, collection: Sequence[Any]) -> None:
        self._inner.share(collection)

    def free(self) -> Sequence[int]:
        return self._inner.free()

    def submit(self, ticket: int, job: Job, lane: int) -> None:
        self.jobs.append(job)
        self._inner.submit(ticket, job, lane)

    def collect(self, patience: float | None = None) -> list[tuple[int, Result]]:
        found = self._inner.collect(patience)
        if self._fail(self.jobs[-1]):
            return [(ticket, MachineTrouble("the engine went away", bool(self.absences))) for ticket, _ in found]
        return found

    def builds(self, lane: int) -> bool:
        return True

    def absence(self, lane: int) -> str | None:
        return self.absences.pop(0)

    def news(self) -> Sequence[str]:
        return ()

    def close(self) -> None:
        self._inner.close()


def wants(orders: Sequence[EpisodeOrder], answers: list[Mapping[bytes, float]]) -> Activity:
    answers.append((yield Episodes(orders)))


def prepares(spec: TaskSpec, done: list[str]) -> Activity:
    yield PrepareJob((spec,))
    done.append(spec.id)


def drain(scheduler: Scheduler) -> None:
    while scheduler.active:
        scheduler.step()


def test_scores_come_back_by_key() -> None:
    desk, answers = Desk(), list[Mapping[bytes, float]]()
    orders = [order(number) for number in range(12)]
    desk.scheduler.start(wants(orders, answers))
    drain(desk.scheduler)
    assert answers == [{each.key: desk.kept[each.key] for each in orders}]
    assert (desk.scheduler.played, desk.scheduler.reused) == (12, 0)
    assert max(desk.batches) <= BATCH


def test_equal_episodes_are_played_once() -> None:
    desk, answers = Desk(), list[Mapping[bytes, float]]()
    for numbers in ((0, 1, 2), (1, 2, 3), (2, 2)):
        desk.scheduler.start(wants([order(number) for number in numbers], answers))
    drain(desk.scheduler)
    desk.scheduler.start(wants([order(0), order(4)], answers))
    drain(desk.scheduler)
    assert desk.scheduler.played == len(desk.kept) == 5
    assert desk.scheduler.reused == 5  # 1 and 2 in flight, 2 in flight twice, 0 from the archive
    assert sorted(len(answer) for answer in answers) == [1, 2, 3, 3]


def test_what_was_told_makes_another_episode() -> None:
    desk, answers = Desk(), list[Mapping[bytes, float]]()
    desk.scheduler.start(wants([order(0), order(0, "call the drum black")], answers))
    drain(desk.scheduler)
    assert desk.scheduler.played == 2


def test_nothing_wanted_is_answered_at_once() -> None:
    desk, answers = Desk(), list[Mapping[bytes, float]]()
    desk.scheduler.start(wants([], answers))
    assert answers == [{}]
    assert desk.scheduler.active == 0


def test_trouble_of_the_machine_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    left = [2]

    def fails(job: Job) -> bool:
        left[0] -= 1
        return left[0] >= 0

    desk, answers, done = Desk(fails), list[Mapping[bytes, float]](), list[str]()
    desk.scheduler.start(wants([order(0)], answers))
    desk.scheduler.start(prepares(SPECS[0], done))
    drain(desk.scheduler)
    assert (len(answers), done) == (1, [SPECS[0].id])
    assert desk.said == ["the machine failed, trying again: the engine went away"] * 2
    assert waits == sorted(waits)
    assert desk.scheduler.played == 1


def test_a_sandbox_that_is_away_is_waited_for_and_that_is_no_try(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    away = "the engine does not answer (refused); start it"
    desk = Desk(lambda job: bool(desk.absences), [*[away] * (TRIES + 3), None, None, away, None])
    answers = list[Mapping[bytes, float]]()
    desk.scheduler.start(wants([order(0)], answers))
    drain(desk.scheduler)
    gone, back = "the engine does not answer (refused); waiting for it", "it is back after 0 s; the run goes on"
    assert desk.said == [gone, back, gone, back], "one that is back already is not worth a sentence"
    assert waits == [PATIENCE] * (TRIES + 2)
    assert (len(answers), desk.scheduler.played) == (1, 1)


def test_a_lost_worker_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("the next worker's start is wait enough"))
    lost = [MachineTrouble("a worker died", lost=True)]
    desk, done = Desk(), list[str]()
    collect = desk.collect
    monkeypatch.setattr(desk, "collect", lambda: [(t, lost.pop() if lost else r) for t, r in collect()])
    desk.scheduler.start(prepares(SPECS[0], done))
    drain(desk.scheduler)
    assert done == [SPECS[0].id]
    assert desk.said == ["the machine failed, trying again: a worker died"]


def test_while_others_build_a_sandbox_that_is_away_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("others build meanwhile"))
    desk, done = Desk(lambda job: bool(desk.absences), ["no engine"]), list[str]()
    monkeypatch.setattr(desk, "builds", lambda lane: False)
    desk.scheduler.start(prepares(SPECS[0], done))
    drain(desk.scheduler)
    assert (done, desk.said) == ([SPECS[0].id], [])


def test_a_machine_that_keeps_failing_ends_the_run_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    desk = Desk(lambda job: True)
    desk.scheduler.start(wants([order(0)], []))
    with pytest.raises(StandstillError, match=f"failed {TRIES} times at the same work, last: the engine went away"):
        drain(desk.scheduler)
    assert len(desk.jobs) == TRIES
    assert not desk.kept


def test_older_activities_go_first() -> None:
    desk, done = Desk(), list[str]()
    for spec in SPECS[:6]:
        desk.scheduler.start(prepares(spec, done))
    drain(desk.scheduler)
    assert done == [spec.id for spec in SPECS[:6]]


def test_thoughts_run_beside_jobs_and_their_errors_arrive_where_they_were_yielded() -> None:
    desk, heard = Desk(), list[Any]()

    def thinks_long() -> str:
        time.sleep(0.05)
        return "an idea"

    def fails() -> None:
        raise ValueError("no idea")

    def thinks() -> Activity:
        heard.append((yield Thought(thinks_long)))
        heard.append((yield PrepareJob(tuple(SPECS[:1]))))
        try:
            yield Thought(fails)
        except ValueError as error:
            heard.append(str(error))

    desk.scheduler.start(thinks())
    desk.scheduler.start(wants([order(0)], heard))
    while desk.scheduler.active:
        desk.scheduler.step()
    desk.scheduler.close()
    desk.close()
    assert [each for each in heard if not isinstance(each, dict)] == ["an idea", None, "no idea"]
    assert any(isinstance(each, dict) for each in heard)


def test_how_busy_the_workers_were_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    told: list[Stretch] = []
    meter = Meter(told.append)
    meter.note(busy=2, workers=2)
    now += 3
    meter.note(busy=1, workers=2)
    now += 2
    meter.note(busy=0, workers=2)
    assert not told
    now += SPAN
    meter.note(busy=0, workers=2)
    assert [each[1:] for each in told] == [(5 + SPAN, 8, 2 * (5 + SPAN))]
    meter.end()
    assert len(told) == 1  # no time has passed


def test_jobs_count_as_work() -> None:
    desk = Desk()
    desk.scheduler.start(wants([order(0)], []))
    while desk.scheduler.active:
        desk.scheduler.step()
    desk.scheduler.close()
    (stretch,) = desk.stretches
    assert 0 < stretch.busy <= stretch.available <= stretch.seconds
