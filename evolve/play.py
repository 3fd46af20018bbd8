"""One episode: an agent plays a task of a domain, told by a memory what to remember."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sandbox.guest import Item, Retrieved, Step, Task, Trajectory, count_tokens

if TYPE_CHECKING:
    from domains.base import Domain, TaskSpec
    from evolve.agents.base import Agent


LONGEST_TOKEN = 16
"""Characters for which one token is charged at the least, so that blanks are not free."""


def introduce(domain: Domain, spec: TaskSpec) -> Task:
    """The task as a query may know it: its goal and its first observation."""
    environment = domain.environment(spec)
    try:
        observation, info = environment.reset(seed=0)
        return Task(spec.id, domain.name, info["goal"], observation)
    finally:
        environment.close()


def play(
    domain: Domain, spec: TaskSpec, agent: Agent, seed: int, items: Sequence[Item] = (), instructions: str = ""
) -> Trajectory:
    """Play one episode with `items` as the memory retrieved before it; equal arguments give equal trajectories."""
    environment = domain.environment(spec)
    try:
        observation, info = environment.reset(seed=seed)
        task = Task(spec.id, domain.name, info["goal"], observation)
        player = agent.begin(task.goal, instructions, seed)
        steps: list[Step] = []
        done = False
        while not done:
            action = player.act(observation, info["actions"], items)
            observation, reward, terminated, truncated, info = environment.step(action)
            done = terminated or truncated
            steps.append(Step(action, observation, float(reward), done))
        retrieved = (Retrieved(0, tuple(items)),) if items else ()
        return Trajectory(task, tuple(steps), float(info["score"]), bool(info["won"]), retrieved)
    finally:
        environment.close()


def cut(items: Sequence[Item], budget: int) -> tuple[tuple[Item, ...], int, bool]:
    """The leading items that fit a budget in tokens, what they cost, and whether any was left out."""
    kept: list[Item] = []
    spent = 0
    for item in items:
        cost = max(1, count_tokens(item.text), len(item.text) // LONGEST_TOKEN)
        if spent + cost > budget:
            return tuple(kept), spent, True
        kept.append(item)
        spent += cost
    return tuple(kept), spent, False
