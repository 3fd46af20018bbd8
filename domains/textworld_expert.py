"""Wins TextWorld games by the walkthrough that their generator wrote down."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from domains.textworld_graph import GameGraph, Position
from domains.textworld_play import TextWorldEnvironment

MOST_TRIED = 300
"""Actions that are tried for a way back to the walkthrough."""


class WalkthroughExpert:
    """Follows the walkthrough, and from beside it takes the shortest way back."""

    def __init__(self, environment: TextWorldEnvironment) -> None:
        self._environment = environment
        self._graph: GameGraph = environment.graph
        self._next = _plan(self._graph)

    def act(self, observation: str, info: Mapping[str, Any]) -> str:
        """The walkthrough's next action; where there is no near way back to it, the first that is listed."""
        position = self._environment.position
        action = self._way(position) if position is not None else None
        return action or str(info["actions"][0])

    def _way(self, start: Position) -> str | None:
        """The first action of the shortest way to where the walkthrough goes on."""
        if start in self._next:
            return self._next[start]
        met, ways, tried = {start}, deque([(start, "")]), 0
        while ways:
            position, first = ways.popleft()
            for action in position.situation.commands:
                if (tried := tried + 1) > MOST_TRIED:
                    return None
                reached = self._graph.play(position, action).position
                if reached in self._next:
                    return first or action
                if reached is not None and reached not in met:
                    met.add(reached)
                    ways.append((reached, first or action))
        return None


def _plan(graph: GameGraph) -> dict[Position, str]:
    """The action of the walkthrough at each position on it; what changes nothing, or goes in a circle, is left out."""
    found: dict[Position, str] = {}
    position: Position | None = graph.start
    for action in graph.walkthrough:
        if position is None:
            break
        if action in position.situation.commands:
            found[position] = action
            position = graph.play(position, action).position
    return found
