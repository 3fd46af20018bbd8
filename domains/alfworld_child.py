"""The process of one ALFWorld environment: plays games for its parent, who speaks JSON lines to it.

    python -m domains.alfworld_child [stock]

`{"reset": path}` begins a game and is answered with `text`, `commands`, `won` and `facts`; `{"step": command}` goes on
in it, and is answered with `changes` in place of `facts`. With `stock`, the unchanged engine plays, and tells no facts.
It ends with its input, and when its parent is gone.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import OrderedDict
from importlib import import_module
from pathlib import Path
from typing import Any

MOST_GAMES = 128
"""Games kept translated, at 2 MB each; what was used longest ago goes first."""


class Fast:
    """Plays on the engine of `alfworld_fast`."""

    def __init__(self) -> None:
        from domains.alfworld_fast import FastGame

        self._load = FastGame
        self._games: OrderedDict[str, FastGame] = OrderedDict()

    def reset(self, path: str) -> dict[str, Any]:
        """Begin a game, which is loaded first where need be."""
        game = self._games.pop(path, None) or self._load(Path(path))
        self._games[path] = self._game = game
        if len(self._games) > MOST_GAMES:
            self._games.popitem(last=False)
        text, facts = game.reset()
        return {"text": text, "commands": game.commands, "won": game.won, "facts": facts}

    def step(self, command: str) -> dict[str, Any]:
        """Go on."""
        text, changes = self._game.step(command)
        return {"text": text, "commands": self._game.commands, "won": self._game.won, "changes": changes}


class Stock:
    """Plays on the engine as it is: the reference."""

    def __init__(self) -> None:
        self._path = ""
        self._game: Any = None

    def reset(self, path: str) -> dict[str, Any]:
        """Begin a game."""
        if path != self._path:
            textworld: Any = import_module("textworld")
            engine = import_module("textworld.envs").PddlEnv(textworld.EnvInfos(won=True, admissible_commands=True))
            wrapper = import_module("alfworld.agents.environment.alfred_tw_env").AlfredDemangler
            self._game, self._path = wrapper(engine, shuffle=False), path
            self._game.load(path)
        return self._shown(self._game.reset())

    def step(self, command: str) -> dict[str, Any]:
        """Go on."""
        state, _, _ = self._game.step(command)
        return self._shown(state)

    def _shown(self, state: Any) -> dict[str, Any]:
        return {"text": state["feedback"], "commands": state["admissible_commands"], "won": bool(state["won"])}


def end_with(parent: int) -> None:
    """End when the parent is gone, whatever the engine is busy with."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main(kind: str = "fast") -> None:
    """Serve until the input ends."""
    threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()
    replies, sys.stdout = sys.stdout, sys.stderr  # what the engine says must not be taken for a reply
    player = Stock() if kind == "stock" else Fast()
    for line in sys.stdin:
        request = json.loads(line)
        reply = player.reset(request["reset"]) if "reset" in request else player.step(request["step"])
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
