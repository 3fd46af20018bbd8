"""An episode in short: the actions that counted, what they earned, what was told in it, and how it went."""

from __future__ import annotations

from sandbox.guest.design import Trajectory

LONGEST = 200
"""Characters of an action that are kept."""


def key_steps(trajectory: Trajectory, limit: int) -> list[str]:
    """The distinct actions that were rewarded; where a success was rewarded once only, the last ones without harm."""
    chosen = [step for step in trajectory.steps if step.reward > 0]
    if trajectory.success and len(chosen) < 2:
        chosen = [step for step in trajectory.steps[-limit:] if step.reward >= 0]
    return list(dict.fromkeys(step.action[:LONGEST] for step in chosen if step.action.strip()))[:limit]


def best_rewards(trajectory: Trajectory) -> dict[str, float]:
    """Each action, in the order of their first use, with the best reward that it had."""
    best: dict[str, float] = {}
    for step in trajectory.steps:
        action = step.action[:LONGEST]
        best[action] = max(step.reward, best.get(action, step.reward))
    return best


def told_in(trajectory: Trajectory) -> set[str]:
    """The ids of all items that the agent was given in the episode."""
    return {item.id for retrieved in trajectory.retrieved for item in retrieved.items}


def account(trajectory: Trajectory, longest: int = 8000) -> str:
    """Goal, score and steps as a prompt shows them to a model; where they are too long, the last steps."""
    steps = [f"{s.action[:100]} -> {s.observation[:150]} ({s.reward:+.2f})" for s in trajectory.steps]
    shown = "\n".join(steps)[-longest:]
    return f"Task: {trajectory.task.goal[:500]}\nScore: {trajectory.score:.2f} of 1\nSteps:\n{shown}"
