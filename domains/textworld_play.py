"""Play a TextWorld game as a text environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from domains.base import TextEnvironment
from domains.textworld_graph import GameGraph, Position, graph
from domains.textworld_text import observation


class TextWorldEnvironment(TextEnvironment):
    """One game; nothing in it is random once it is made, so the seed of `reset` changes nothing."""

    def __init__(self, path: Path, max_steps: int) -> None:
        self.graph: GameGraph = graph(path)
        self._max_steps = max_steps
        self.position: Position | None = None
        """Where the player is; none before the game and after it."""
        self._steps = 0
        self._score = 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin the game."""
        super().reset(seed=seed)
        self.position = start = self.graph.start
        self._steps = 0
        self._score = 0.0
        return observation("", start.description, start.inventory), self._info(won=False)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Play a listed action."""
        position = self.position
        if position is None or action not in position.situation.commands:
            raise ValueError(f"{action!r} is not among the listed actions {self._info(won=False)['actions']}")
        outcome = self.graph.play(position, action)
        score = 1.0 if outcome.won else outcome.points / self.graph.most_points
        reward = score - self._score
        self._steps += 1
        self._score = score
        terminated = outcome.position is None
        truncated = not terminated and self._steps >= self._max_steps
        self.position = None if truncated else outcome.position
        return outcome.text, reward, terminated, truncated, self._info(won=outcome.won)

    def _info(self, *, won: bool) -> dict[str, Any]:
        return {
            "goal": self.graph.goal,
            "actions": list(self.position.situation.commands) if self.position else [],
            "score": self._score,
            "won": won,
        }
