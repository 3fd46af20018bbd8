"""Play a MiniHack level as a text environment, scored by progress."""

from __future__ import annotations

import re
from typing import Any

from domains.base import TextEnvironment
from domains.minihack_actions import Command, commands
from domains.minihack_engine import ENGINES, Engine
from domains.minihack_level import Level, read
from domains.minihack_quests import Quest
from domains.minihack_text import seen

_LIES = re.compile("You see here|Things that are here")


class MiniHackEnvironment(TextEnvironment):
    """One level. The task fixes the level, the character and the start; the seed of `reset` what happens later.

    The score is half of how far the way to the goal was covered at best, and 1 when the task is done.
    """

    def __init__(self, quest: Quest, level: str, seed: int, max_steps: int) -> None:
        self.quest = quest
        self.max_steps = max_steps
        self._level = level
        self._seed = seed
        self._engine: Engine | None = None
        self._commands: dict[str, Command] = {}
        self._under = 0
        self._steps = 0
        self._score = 0.0
        self._won = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin at the start of the level."""
        super().reset(seed=seed)
        self._engine = self._engine or ENGINES.borrow(self._level)
        self.view = self._engine.reset(self._seed, int(self.np_random.integers(2**32)))
        self._under = 0
        self._steps, self._score, self._won = 0, 0.0, False
        self._track = self.quest.track(self.level(), self.view)
        self._list()
        return self._text(), self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take a listed action."""
        command = self._commands.get(action)
        if command is None or self._engine is None:
            raise ValueError(f"{action!r} is not among the listed actions {list(self._commands)}")
        before, self.view = self.view, self._engine.press(*command)
        if self.view.cell != before.cell:
            self._under = int(before.glyphs.flat[self.view.cell])
        self._steps += 1
        self._track.follow(self.view)
        self._won = self._track.won
        score = 1.0 if self._won else max(self._score, self._track.progress / 2)
        reward, self._score = score - self._score, score
        terminated = self._won or self._track.lost or self.view.over
        truncated = not terminated and self._steps >= self.max_steps
        if terminated or truncated:
            self._commands = {}
        else:
            self._list()
        return self._text(), reward, terminated, truncated, self._info()

    def close(self) -> None:
        """Give the engine back."""
        if self._engine is not None:
            ENGINES.give_back(self._level, self._engine)
        self._engine = None
        self._commands = {}

    def level(self) -> Level:
        """What is true of the level now: for scores and experts."""
        if self._engine is None:
            raise RuntimeError("the environment is closed")
        return read(self._engine, self.view)

    def _list(self) -> None:
        self._commands = commands(self.view, self._under, self._on_thing(), self.quest.verbs)

    def _on_thing(self) -> bool:
        """Whether something lies under the player: the game is asked, which takes no time in it."""
        return bool(self.quest.handles_things and self._engine and _LIES.search(self._engine.press(b":").message))

    def _text(self) -> str:
        view = self.view
        lines = [view.message] if view.message else []
        if not view.over:
            lines += seen(view.glyphs, view.x, view.y)
        health, full = view.hit_points
        if health < full:
            lines.append(f"hit points {health} of {full}")
        if self.quest.shows_inventory:
            lines += [f"carried: {text}" for text in view.inventory.values()]
        return "\n".join(lines) or "Nothing is in sight."

    def _info(self) -> dict[str, Any]:
        return {
            "goal": self.quest.goal,
            "actions": list(self._commands),
            "score": self._score,
            "won": self._won,
        }
