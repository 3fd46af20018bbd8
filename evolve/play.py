"""One episode: an agent plays a task of a domain, told by a memory what to remember."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from sandbox.guest import Item, Retrieved, Step, Task, Trajectory, count_tokens

if TYPE_CHECKING:
    from domains.base import Domain, TaskSpec
    from evolve.agents.base import Account, Agent


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


class Teller(Protocol):
    """What tells an agent, during one episode, which items are in force."""

    @property
    def retrieved(self) -> Sequence[Retrieved]:
        """What it told so far: the items it began with, if any, and each change of them with its step."""

    def begin(self, task: Task) -> Sequence[Item]:
        """The items in force before the first action."""

    def after(self, steps: Sequence[Step]) -> Sequence[Item]:
        """The items in force after these steps, before the next action."""


class Fixed:
    """Tells the same items all the time: the teller of static play."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self.retrieved = (Retrieved(0, tuple(items)),) if items else ()

    def begin(self, task: Task) -> Sequence[Item]:
        """The items."""
        return self._items

    def after(self, steps: Sequence[Step]) -> Sequence[Item]:
        """The same items."""
        return self._items


def play(
    domain: Domain,
    spec: TaskSpec,
    agent: Agent,
    seed: int,
    told: Teller | Sequence[Item] = (),
    instructions: str = "",
    account: Account | None = None,
) -> Trajectory:
    """Play one episode with a memory: items that stay in force, or what tells them as it goes on.

    Equal arguments give equal trajectories, where a teller's answers are equal too. What the agent's own calls of a
    model take is added to the account.
    """
    teller = Fixed(told) if isinstance(told, Sequence) else told
    environment = domain.environment(spec)
    try:
        observation, info = environment.reset(seed=seed)
        task = Task(spec.id, domain.name, info["goal"], observation)
        player = agent.begin(task.goal, instructions, seed, account)
        items = teller.begin(task)
        steps: list[Step] = []
        done = False
        while not done:
            action = player.act(observation, info["actions"], items)
            observation, reward, terminated, truncated, info = environment.step(action)
            done = terminated or truncated
            steps.append(Step(action, observation, float(reward), done))
            if not done:
                items = teller.after(steps)
        return Trajectory(task, tuple(steps), float(info["score"]), bool(info["won"]), tuple(teller.retrieved))
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
