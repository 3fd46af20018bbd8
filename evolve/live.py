"""Live episodes: the agent plays beside the design's guest, which is asked while it plays, and taught after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from evolve.building import Faults, Memories, attempt, check_purity, fill, load, patiently
from evolve.jobs import Lived, LivedEpisode, LiveJob, Played, episode_key
from evolve.plan import facts_of
from evolve.play import cut, play
from sandbox.backend import DesignFault
from sandbox.guest import Item, Query, Retrieved, Step, Task, Trajectory

if TYPE_CHECKING:
    from domains.base import Domain, TaskSpec
    from evolve.agents.base import Agent
    from sandbox.pool import Pool
    from sandbox.session import DesignSession, EpisodeSession, Loaded


class Asked:
    """Tells what a design retrieves, cut to the budget, and keeps account of one episode of it."""

    def __init__(self, episode: EpisodeSession, budget: int, *, each_step: bool) -> None:
        self._episode = episode
        self._budget = budget
        self._each_step = each_step
        self._items: tuple[Item, ...] = ()
        self._task: Task | None = None
        self.retrieved: list[Retrieved] = []
        self.answered: list[tuple[Query, Sequence[Item]]] = []
        """Every query with what was delivered for it."""
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
        pool: Pool,
        job: LiveJob,
        collection: Sequence[Trajectory],
        memories: Memories,
    ) -> None:
        self._domain = domain
        self._agent = agent
        self._pool = pool
        self._job = job
        self._collection = collection
        self._memories = memories
        self._faults = Faults.of(job.specs, job.smoke)
        self._queries: list[tuple[Query, Sequence[Item]]] = []
        """What the present guest was asked, and what was delivered."""

    def run(self) -> Lived:
        """All episodes: in dynamic mode a guest for each pass, else one for all."""
        everyone = self._job.rounds
        lived = Lived()
        for repeats in [(repeat,) for repeat in everyone] if self._job.dynamic else [everyone]:
            done = attempt(self._pool, partial(self._sit, repeats))
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
        self._queries = []
        episodes = []
        for repeat in repeats:
            for spec in self._job.specs:
                episode, trajectory = self._episode(session, loaded, spec, repeat)
                episodes.append(episode)
                if self._job.dynamic and trajectory is not None:
                    session.update(trajectory)
                    session.manage()
        if self._job.check_purity and not self._job.dynamic:
            check_purity(self._pool, session, recipe, self._queries)
        return episodes

    def _episode(
        self, session: DesignSession, loaded: Loaded, spec: TaskSpec, repeat: int
    ) -> tuple[LivedEpisode, Trajectory | None]:
        """One episode; without its trajectory where a retrieval failed, for then it was not played to its end."""
        lived = LivedEpisode(spec.id, repeat)
        seed = self._job.first_seed + repeat

        def once() -> Trajectory:
            nonlocal lived
            with session.episode() as episode:
                asked = Asked(episode, self._job.budget, each_step="step" in loaded.phases)
                try:
                    trajectory = play(self._domain, spec, self._agent, seed, asked, loaded.instructions)
                    self._queries += asked.answered
                    return trajectory
                finally:
                    lived = replace(lived, told=tuple(asked.retrieved), tokens=asked.tokens, was_cut=asked.was_cut)

        try:
            trajectory = patiently(session, once)
        except DesignFault as fault:
            return replace(lived, fault=self._faults.forgive(fault, spec.id, session)), None
        key = self._key(spec, seed, lived.told, loaded.instructions)
        played = Played(key, spec.id, seed, trajectory.score, trajectory.success, len(trajectory.steps))
        return replace(lived, played=played), trajectory

    def _key(self, spec: TaskSpec, seed: int, told: Sequence[Retrieved], instructions: str) -> bytes:
        """The address of an episode, the same as `Plan.order` would give it."""
        items = told[0].items if told and told[0].step == 0 else ()
        read = instructions if self._agent.reads_instructions else ""
        later = [change for change in told if change.step]
        return episode_key(facts_of(self._domain, self._agent), spec, seed, items, read, later)
