"""Live episodes: the agent plays beside the design's guest, which is asked while it plays, and taught after it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from evolve.agents.base import Account
from evolve.building import Faults, Memories, attempt, check_purity, fill, load, patiently
from evolve.jobs import Lived, LivedEpisode, LiveJob, episode_key, played_of
from evolve.plan import facts_of
from evolve.play import cut, play
from sandbox.backend import DesignFault
from sandbox.guest import Item, Query, Retrieved, Step, Task, Trajectory

if TYPE_CHECKING:
    from domains.base import Domain, TaskSpec
    from evolve.agents.base import Agent
    from sandbox.purity import Lease
    from sandbox.session import DesignSession, EpisodeSession, Loaded


Answered = tuple[Query, Sequence[Item]]
"""A query with what was delivered for it."""


class Asked:
    """Tells what a design retrieves, cut to the budget, and keeps account of one episode of it."""

    def __init__(self, episode: EpisodeSession, budget: int, *, each_step: bool) -> None:
        self._episode = episode
        self._budget = budget
        self._each_step = each_step
        self._items: tuple[Item, ...] = ()
        self._task: Task | None = None
        self.retrieved: list[Retrieved] = []
        self.answered: list[Answered] = []
        """All that it was asked."""
        self.tokens = 0
        self.was_cut = False

    def begin(self, task: Task) -> Sequence[Item]:
        """What the design tells before the first action."""
        self._task = task
        return self._retrieve(Query(task, task.observation, budget=self._budget))

    def after(self, steps: Sequence[Step]) -> Sequence[Item]:
        """Show the design the last step and ask it again, where it wants that."""
        if not self._each_step or self._task is None:
            return self._items
        self._episode.observe(steps[-1])
        return self._retrieve(Query(self._task, steps[-1].observation, tuple(steps), len(steps), self._budget))

    def _retrieve(self, query: Query) -> Sequence[Item]:
        items, tokens, was_cut = cut(self._episode.retrieve(query), self._budget)
        self.was_cut |= was_cut
        self.answered.append((query, items))
        if items != self._items:
            self._items = items
            self.tokens += tokens
            self.retrieved.append(Retrieved(query.step, items))
        return items


class LivePlay:
    """Plays the episodes of one `LiveJob`. Each is served by a fork of the memory, so only `update` can change it."""

    def __init__(
        self,
        domain: Domain,
        agent: Agent,
        lease: Lease,
        job: LiveJob,
        collection: Sequence[Trajectory],
        memories: Memories,
        at_once: int = 1,
    ) -> None:
        self._domain = domain
        self._agent = agent
        self._lease = lease
        self._job = job
        self._collection = collection
        self._memories = memories
        self._at_once = at_once
        self._faults = Faults.of(job.specs, job.smoke)

    def run(self) -> Lived:
        """All episodes: in dynamic mode a guest for each pass, else one for all."""
        everyone = self._job.rounds
        lived = Lived()
        for repeats in [(repeat,) for repeat in everyone] if self._job.dynamic else [everyone]:
            done = attempt(self._lease, partial(self._sit, repeats))
            effort = lived.effort + done.effort
            if done.result is None:
                return Lived(effort=effort, failure=done.failure)
            lived = Lived((*lived.episodes, *done.result), effort)
        return lived

    def _sit(self, repeats: Sequence[int], session: DesignSession) -> list[LivedEpisode]:
        """Build the design and play."""
        recipe = self._job.recipe
        loaded = load(session, recipe.source, recipe.seed)
        fill(session, recipe, self._collection, self._memories)
        play_one = partial(self._episode, session, loaded)
        tasks = [(spec, repeat) for repeat in repeats for spec in self._job.specs]
        if self._job.dynamic:
            return [self._lesson(session, *play_one(task)) for task in tasks]
        with ThreadPoolExecutor(self._at_once) as threads:
            done = list(threads.map(play_one, tasks)) if self._at_once > 1 else list(map(play_one, tasks))
        if self._job.check_purity:
            asked = [query for _, _, queries in done for query in queries]
            check_purity(self._lease, session, recipe, asked)
        return [episode for episode, _, _ in done]

    def _lesson(
        self, session: DesignSession, episode: LivedEpisode, trajectory: Trajectory | None, _: Sequence[Answered]
    ) -> LivedEpisode:
        """Have the design take in an episode before the next."""
        if trajectory is not None:
            session.update(trajectory)
            session.manage()
        return episode

    def _episode(
        self, session: DesignSession, loaded: Loaded, task: tuple[TaskSpec, int]
    ) -> tuple[LivedEpisode, Trajectory | None, Sequence[Answered]]:
        """One episode, and all that was asked; without its trajectory where a retrieval failed and so ended it."""
        spec, repeat = task
        account = Account(self._job.recipe.design)
        answered: list[Answered] = []
        lived = LivedEpisode(spec.id, repeat)
        seed = self._job.first_seed + repeat

        def once() -> Trajectory:
            nonlocal lived
            with session.episode() as episode:
                asked = Asked(episode, self._job.budget, each_step="step" in loaded.phases)
                try:
                    trajectory = play(self._domain, spec, self._agent, seed, asked, loaded.instructions, account)
                    answered.extend(asked.answered)
                    return trajectory
                finally:
                    lived = replace(lived, told=tuple(asked.retrieved), tokens=asked.tokens, was_cut=asked.was_cut)

        try:
            trajectory = patiently(session, once)
        except DesignFault as fault:
            return replace(lived, fault=self._faults.forgive(fault, spec.id, session)), None, ()
        key = self._key(spec, seed, lived.told, loaded.instructions)
        played = played_of(key, spec, seed, trajectory, account, record=self._job.record)
        return replace(lived, played=played), trajectory, answered

    def _key(self, spec: TaskSpec, seed: int, told: Sequence[Retrieved], instructions: str) -> bytes:
        """The address of an episode, the same as `Plan.order` would give it."""
        items = told[0].items if told and told[0].step == 0 else ()
        read = instructions if self._agent.reads_instructions else ""
        later = [change for change in told if change.step]
        return episode_key(facts_of(self._domain, self._agent), spec, seed, items, read, later)
