"""Which tasks and agent seeds a run uses: a fixed draw by its seed within each role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evolve.errors import InputError
from evolve.jobs import EpisodeOrder, episode_key
from sandbox.guest import Item

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from domains.base import Domain, Role, TaskSpec
    from evolve.agents.base import Agent
    from evolve.config import RunConfig

COLLECTION_SEEDS = 50
"""Agent seeds of collection start here within a run's hundred, those of scored episodes at 0."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run's draw of tasks. Episodes are addressed by `facts`, so equal ones are shared across runs."""

    facts: tuple[str, ...]
    reads_instructions: bool
    first_seed: int
    collection: tuple[TaskSpec, ...]
    collection_repeats: int

    def collect(self) -> list[EpisodeOrder]:
        """The episodes that fill a memory, in the order in which designs take them in."""
        repeats = range(COLLECTION_SEEDS, COLLECTION_SEEDS + self.collection_repeats)
        return [self.order(spec, repeat) for repeat in repeats for spec in self.collection]

    def order(
        self, spec: TaskSpec, repeat: int, items: tuple[Item, ...] = (), instructions: str = "", design: str = ""
    ) -> EpisodeOrder:
        """One episode, addressed by all that it depends on; what the agent does not read is left out."""
        told = instructions if self.reads_instructions else ""
        seed = self.first_seed + repeat
        return EpisodeOrder(episode_key(self.facts, spec, seed, items, told), spec, seed, items, told, design)


def make_plan(config: RunConfig, domain: Domain, agent: Agent) -> Plan:
    """Draw a run's collection tasks."""
    from domains.base import Role

    facts = facts_of(domain, agent)
    collection = draw(domain, Role.COLLECTION, config.collection, config.seed)
    return Plan(facts, agent.reads_instructions, 100 * config.seed, collection, config.collection_repeats)


def facts_of(domain: Domain, agent: Agent) -> tuple[str, ...]:
    """What every episode of a domain by an agent depends on."""
    return domain.name, domain.version, agent.name, agent.version


def draw(domain: Domain, role: Role, count: int, seed: int, apart: Collection[str] = ()) -> tuple[TaskSpec, ...]:
    """A subset of a role's tasks drawn by the seed, in the domain's order, which lets families take turns.

    Those of the ids in `apart` are drawn only where there are too few others.
    """
    import numpy as np

    tasks: Sequence[TaskSpec] = domain.tasks(role)
    if count > len(tasks):
        raise InputError(f"{domain.name} has {len(tasks)} {role} tasks; {count} were asked for")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(list(type(role)).index(role),)))
    order = sorted(rng.permutation(len(tasks)), key=lambda place: tasks[place].id in apart)
    return tuple(tasks[place] for place in sorted(order[:count]))
