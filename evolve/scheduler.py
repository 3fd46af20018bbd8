"""Runs many conversations over one executor: each waits only for what it needs, and equal episodes are played once."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

from evolve.errors import StandstillError
from evolve.evaluation import Episodes, Need, Thought
from evolve.executor import Executor
from evolve.jobs import BuildJob, EpisodeOrder, Job, Lived, LiveJob, MachineTrouble, Played, PlayJob, Result
from evolve.lanes import Lanes
from evolve.utilisation import Meter

TRIES = 4
"""Times that a job is handed out before its machine trouble ends the run; waiting for a sandbox does not count."""
PATIENCE = 2.0
"""Seconds between two looks at whether a sandbox that went away is back."""
THOUGHTS = 64
"""Threads that wait for answers at once."""
REST = 1.0
"""Seconds of waiting for a thought where there is nothing else to wait for, so that progress is shown."""
GLANCE = 0.05
"""Seconds between two looks at whether a thought is done while jobs are under way too."""

Activity = Generator[Need, Any, None]


@dataclass(slots=True)
class _Running:
    """An activity with what it waits for."""

    activity: Activity
    number: int
    scores: dict[bytes, float] = field(default_factory=dict)
    """Of the episodes that it waits for, as far as they are known."""
    missing: int = 0


@dataclass(slots=True)
class _Handed:
    """A job in line or under way; `answers` where its result goes to its owner, not to those who await its episodes."""

    job: Job
    owner: _Running
    answers: bool
    lane: int | None = None
    """The lane that should do it."""
    at: int = 0
    """The lane that does it."""
    tries: int = 1


class Scheduler:
    """Single-threaded. Older activities go first, so that results come in about the order of the requests."""

    def __init__(
        self,
        executor: Executor,
        known: Callable[[Iterable[bytes]], Mapping[bytes, float]],
        keep: Callable[[Sequence[Played]], None],
        say: Callable[[str], None],
        meter: Meter,
    ) -> None:
        self._executor = executor
        self._known = known
        self._keep = keep
        self._say = say
        self._meter = meter
        self._under_way = 0
        """Jobs that workers have."""
        self._numbers = count()
        self._tickets = count()
        self._lanes = Lanes(executor.slots)
        self._jobs: dict[int, _Handed] = {}
        self._awaited: dict[bytes, list[_Running]] = {}
        self._thinkers = ThreadPoolExecutor(THOUGHTS, thread_name_prefix="thought")
        self._thoughts: SimpleQueue[tuple[_Running, Future[Any]]] = SimpleQueue()
        """Those that are done."""
        self._thinking = 0
        self.active = 0
        self.reused = 0
        self.played = 0

    def start(self, activity: Activity) -> None:
        """Begin an activity; it runs until its first need."""
        self.active += 1
        self._advance(_Running(activity, next(self._numbers)), None)

    def step(self) -> None:
        """Hand out jobs to all free workers, wait for a result, and let the activities go on."""
        self._lanes.widen(self._executor.slots)
        for lane in self._executor.free():
            if (ticket := self._lanes.pop(lane, builds=self._executor.builds(lane))) is not None:
                self._jobs[ticket].at = lane
                self._executor.submit(ticket, self._jobs[ticket].job, lane)
                self._under_way += 1
        self._meter.note(busy=self._under_way, workers=self._executor.slots)
        results = self._collect()
        self._under_way -= len(results)
        self._meter.note(busy=self._under_way, workers=self._executor.slots)
        for sentence in self._executor.news():
            self._say(sentence)
        for ticket, result in results:
            handed = self._jobs.pop(ticket)
            if isinstance(result, MachineTrouble):
                self._again(handed, result)
                continue
            if played := _played(result):
                self._keep(played)
                self.played += len(played)
                self._tell(played)
            if handed.answers:
                self._advance(handed.owner, result)

    def close(self) -> None:
        """Wait for no thought any more; those that have not begun never do."""
        self._thinkers.shutdown(wait=False, cancel_futures=True)
        self._meter.end()

    def _collect(self) -> list[tuple[int, Result]]:
        """The results of jobs; activities whose thoughts are done go on meanwhile."""
        if not self._thinking:
            return self._executor.collect()
        results = self._executor.collect(GLANCE) if self._jobs else []
        wait = 0.0 if self._jobs else REST
        while self._thinking:
            try:
                running, thought = self._thoughts.get(timeout=wait) if wait else self._thoughts.get_nowait()
            except Empty:
                break
            self._thinking -= 1
            wait = 0.0
            if (error := thought.exception()) is not None:
                self._advance(running, error)
            else:
                self._advance(running, thought.result())
        return results

    def _think(self, running: _Running, thought: Thought) -> None:
        self._thinking += 1
        future = self._thinkers.submit(thought.work)
        future.add_done_callback(lambda done: self._thoughts.put((running, done)))

    def _advance(self, running: _Running, value: Any) -> None:
        try:
            send = running.activity.throw if isinstance(value, BaseException) else running.activity.send
            need = send(value)
        except StopIteration:
            self.active -= 1
            return
        if isinstance(need, Episodes):
            self._want(running, need.orders, record=need.record)
        elif isinstance(need, Thought):
            self._think(running, need)
        else:
            self._line_up(_Handed(need, running, answers=True))

    def _want(self, running: _Running, orders: Sequence[EpisodeOrder], *, record: bool) -> None:
        unique = {order.key: order for order in orders}
        running.scores = dict(self._known(unique)) if not record else {}
        missing = {key: order for key, order in unique.items() if key not in running.scores}
        unseen = [order for key, order in missing.items() if key not in self._awaited]
        self.reused += len(orders) - len(unseen)
        running.missing = len(missing)
        for key in missing:
            self._awaited.setdefault(key, []).append(running)
        size = min(self._executor.batch, -(-len(unseen) // self._executor.slots))
        lanes: dict[int, list[EpisodeOrder]] = {}
        for order in unseen:
            lanes.setdefault(self._lanes.lane_of(order.spec.id), []).append(order)
        for lane, mine in lanes.items():
            for start in range(0, len(mine), size):
                job = PlayJob(tuple(mine[start : start + size]), record)
                self._line_up(_Handed(job, running, answers=False, lane=lane))
        if not missing:
            self._advance(running, running.scores)

    def _tell(self, results: Sequence[Played]) -> None:
        for played in results:
            for waiting in self._awaited.pop(played.key, ()):
                waiting.scores[played.key] = played.score
                waiting.missing -= 1
                if waiting.missing == 0:
                    self._advance(waiting, waiting.scores)

    def _line_up(self, handed: _Handed) -> None:
        ticket = next(self._tickets)
        self._jobs[ticket] = handed
        builds = isinstance(handed.job, BuildJob | LiveJob)
        self._lanes.push(handed.owner.number, ticket, handed.lane, builds=builds)

    def _again(self, handed: _Handed, trouble: MachineTrouble) -> None:
        """Hand a job out again, not for ever: where the sandbox is away once it is back, or where there is another."""
        if trouble.away:
            self._wait_for_sandbox(handed.at)
        else:
            if not trouble.waited:  # else it was said while it was tried
                self._say(f"the machine failed, trying again: {trouble.reason}")
            if handed.tries >= TRIES:
                failed = "a model was asked" if trouble.waited else "the machine failed"
                raise StandstillError(f"{failed} {TRIES} times at the same work, last: {trouble.reason}")
            if not (trouble.lost or trouble.waited):  # else the next worker's start is wait enough
                time.sleep(2.0 ** (handed.tries - 1))
            handed.tries += 1
        self._line_up(handed)

    def _wait_for_sandbox(self, lane: int) -> None:
        reason = self._executor.absence(lane)
        if reason is None or not self._executor.builds(lane):
            return  # it is back, or others go on building
        self._say(f"{reason.partition(';')[0]}; waiting for it")
        began = time.monotonic()
        while self._executor.absence(lane) is not None:
            time.sleep(PATIENCE)
        self._say(f"it is back after {time.monotonic() - began:.0f} s; the run goes on")


def _played(result: Result) -> list[Played]:
    """The episodes that a job played."""
    if isinstance(result, Lived):
        return [episode.played for episode in result.episodes if episode.played is not None]
    return result if isinstance(result, list) else []
