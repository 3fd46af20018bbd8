"""Play an ALFWorld game as a text environment; the engine runs in a process of its own."""

from __future__ import annotations

import atexit
import re
import weakref
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from domains.alfworld_engine import Engine, Engines
from domains.alfworld_goal import Fact, Goal, World, met
from domains.base import TextEnvironment

_WELCOME = re.compile(r"\A-= Welcome to TextWorld, ALFRED! =-\s*")
_TASK = re.compile(r"\s*Your task is to: (.*?)\s*\Z", re.DOTALL)
_CONTROL = re.compile(r"[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@cache
def engines() -> Engines:
    """The idle engines of this process."""
    idle = Engines()
    atexit.register(idle.close)
    return idle


class AlfWorldEnvironment(TextEnvironment):
    """One game; nothing in it is random once it is made, so the seed of `reset` changes nothing.

    The engine says only whether the goal is met. The score is 1 then, and before that the largest share of ALFRED's
    goal conditions met so far, of those that were open at the start; so it never falls.
    """

    def __init__(self, game: Path, max_steps: int) -> None:
        self.game = game
        self._max_steps = max_steps
        self.goal = Goal.read(game)
        self.facts: set[Fact] = set()
        """All that holds now: nothing that a player may see."""
        self._engine: Engine | None = None
        self._release: weakref.finalize[..., Any] | None = None
        self._text = ""
        self._actions: list[str] = []
        self._at_start = 0
        self._steps = 0
        self._score = 0.0
        self._won = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin the game."""
        super().reset(seed=seed)
        if self._engine is None or not self._engine.alive:
            self.close()
            self._engine = engines().take(self.game)
            self._release = weakref.finalize(self, engines().give_back, self._engine)
            self._release.atexit = False  # it ends with this process anyway
        reply = self._engine.reset(self.game)
        text = _tidy(reply["text"])
        self._text = " ".join(_TASK.findall(text))
        self.facts = set(map(tuple, reply["facts"]))
        self._actions = list(reply["commands"])
        self._at_start = met(self.goal, World.of(self.facts))
        self._steps, self._score, self._won = 0, 0.0, False
        return _TASK.sub("", _WELCOME.sub("", text)), self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take a listed command."""
        if self._engine is None or action not in self._actions:
            raise ValueError(f"{action!r} is not among the listed actions {self._actions}")
        reply = self._engine.step(action)
        self._change(map(tuple, reply["changes"]))
        self._won = bool(reply["won"])
        self._steps += 1
        before, self._score = self._score, self._reached()
        truncated = not self._won and self._steps >= self._max_steps
        self._actions = [] if self._won or truncated else list(reply["commands"])
        return _tidy(reply["text"]), self._score - before, self._won, truncated, self._info()

    def close(self) -> None:
        """Give the engine back."""
        self._actions = []
        self._engine = None
        if self._release is not None:
            self._release()

    def _change(self, changes: Iterable[Fact]) -> None:
        for predicate, *names in changes:
            if predicate.startswith("not_"):
                self.facts.discard((predicate.removeprefix("not_"), *names))
            else:
                self.facts.add((predicate, *names))

    def _reached(self) -> float:
        if self._won:
            return 1.0
        open_at_start = max(1, self.goal.conditions - self._at_start)
        share = (met(self.goal, World.of(self.facts)) - self._at_start) / open_at_start
        return max(self._score, min(share, 1 - 1 / open_at_start))  # the engine alone says that all is met

    def _info(self) -> dict[str, Any]:
        return {"goal": self._text, "actions": list(self._actions), "score": self._score, "won": self._won}


def _tidy(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()
