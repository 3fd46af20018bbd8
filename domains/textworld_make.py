"""Generate TextWorld games: a script of its own, run in a child process with a fixed hash seed.

TextWorld's files depend on PYTHONHASHSEED, which a running process cannot change. Reads one JSON request a line
({"family", "settings", "seed", "path"}) and answers each with one JSON line. Imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
from typing import Any

ATTEMPTS = 20
"""Some seeds admit no quest of the asked length; then the next seed of a fixed sequence is tried."""


def generate(family: str, settings: dict[str, Any], seed: int, path: str) -> None:
    """Write the game to `path` (.z8) and its twin (.json)."""
    from textworld import GameOptions
    from textworld.challenges import CHALLENGES
    from textworld.generator import QuestGenerationError, compile_game

    make = CHALLENGES[f"tw-{family}"][1]
    for attempt in range(ATTEMPTS):
        options = GameOptions()
        options.seeds = seed + attempt * 1_000_003
        options.path = path
        options.grammar.only_last_action = True  # else a treasure's goal spells out the whole way to it
        options.force_recompile = True
        try:
            game = make(settings, options)
        except QuestGenerationError:
            continue
        compile_game(game, options)
        return
    raise QuestGenerationError(f"no {family} game with {settings} from seed {seed} in {ATTEMPTS} attempts")


def main() -> None:
    """Serve requests until the input ends."""
    replies = sys.stdout
    sys.stdout = sys.stderr  # what TextWorld says must not be taken for a reply
    for line in sys.stdin:
        generate(**json.loads(line))
        replies.write("{}\n")
        replies.flush()


if __name__ == "__main__":
    main()
