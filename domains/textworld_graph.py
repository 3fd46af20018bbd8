"""A TextWorld game as a graph that grows while it is played, so that nothing is computed twice.

A game is deterministic: an action's outcome depends on the world alone. So positions are kept, each with a snapshot of
the interpreter's memory, and an action taken before from a position is looked up. Two positions are the same where all
this agrees: the interpreter's objects (what lies where, in which order, and every attribute but "visited", which these
games never ask for), the facts that TextWorld tracks, the quests done, and the points. The rest of the memory is turn
counters and what the parser left behind. The tests hold play on the graph against plain play, letter by letter.
"""

from __future__ import annotations

import zlib
from array import array
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from domains.textworld_text import observation, tidy

MOST_GAMES = 64
MOST_POSITIONS = 4000
"""Positions kept of one game; beyond that the graph starts anew."""

_DEFAULTS = 126
_OBJECT = 14
_VISITED = 2, 0x04
"""Z-machine 8: bytes of property defaults and of one object, of which 12 are attributes, parent, sibling and child;
byte and bit of "visited"."""

_LOADING = Lock()


@dataclass(slots=True, eq=False)
class Situation:
    """The facts that hold, as numbers, and what may be done; shared by all positions with these facts."""

    facts: bytes
    actions: list[Any]
    commands: list[str]
    met: frozenset[int]
    """Numbers of the quests whose condition holds here."""


@dataclass(slots=True, eq=False)
class Position:
    """One state of the interpreter, what a player sees there, and the actions tried from it so far."""

    description: str
    inventory: str
    situation: Situation
    done: frozenset[int]
    points: int
    memory: bytes
    registers: tuple[Any, ...]
    outcomes: dict[str, Outcome] = field(default_factory=dict)


class Outcome(NamedTuple):
    """What an action led to; no position where it ended the game."""

    text: str
    points: int
    won: bool
    position: Position | None


class Reply(NamedTuple):
    """What the interpreter answers to a command; `points` is None where it ended the game."""

    text: str
    events: list[str]
    inventory: str
    points: int | None


class GameGraph:
    """One game with its interpreter; safe to share between environments and threads."""

    def __init__(self, path: Path) -> None:
        import textworld
        from jericho import FrotzEnv
        from textworld.generator.inform7 import Inform7Game

        self._lock = Lock()
        self._game = textworld.Game.load(str(path.with_suffix(".json")))
        self._inform = Inform7Game(self._game)
        self._interpreter = FrotzEnv(str(path), seed=1)
        self._facts: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._situations: dict[bytes, Situation] = {}
        self._positions: dict[tuple[Situation, frozenset[int], int, bytes], Position] = {}
        self.goal = tidy(self._game.objective)
        self.most_points = int(self._game.max_score)
        self.walkthrough: list[str] = list(self._game.walkthrough or ())
        """Commands that win, which the generator wrote down; some may not be listed when their turn comes."""
        self._conditions = [
            (number, event.condition)
            for number, quest in enumerate(self._game.quests)
            for event in (*quest.win_events, *quest.fail_events)
        ]
        self._interpreter.reset()
        self._say("tw-trace-actions")
        self._say("tw-extra-infos score")
        inventory = self._say("tw-extra-infos inventory").inventory
        self._base = self._interpreter.get_state()[0]
        situation = self._situation(self._game.world.state)
        self.start = self._arrive(situation, situation.met, 0, inventory)

    def play(self, position: Position, action: str) -> Outcome:
        """What `action` leads to from `position`."""
        outcome = position.outcomes.get(action)
        if outcome is None:
            with self._lock:
                outcome = position.outcomes[action] = self._play(position, action)
        return outcome

    def _say(self, command: str) -> Reply:
        """Type a command."""
        from textworld.envs.wrappers.tw_inform7 import _detect_extra_infos, _detect_i7_events_debug_tags

        tags, text = _detect_extra_infos(self._interpreter.step(command)[0], ["inventory", "score", "moves"])
        events, text = _detect_i7_events_debug_tags(text)
        points = int(tags["score"].split("\n")[0]) if tags["score"] else None
        return Reply(text, events, tidy(tags["inventory"] or ""), points)

    def _play(self, position: Position, action: str) -> Outcome:
        self._restore(position)
        reply = self._say(action)
        points = position.points if reply.points is None else reply.points
        won = "*** The End ***" in reply.text
        if won or "*** You lost! ***" in reply.text:
            return Outcome(observation(reply.text), points, won, None)
        situation, done = self._follow(position, reply.events)
        text = tidy(reply.text)
        room = text if text.startswith("-= ") and points == position.points else None
        arrived = self._arrive(situation, done, points, reply.inventory, room)
        return Outcome(observation(text, arrived.description, arrived.inventory), points, False, arrived)

    def _follow(self, position: Position, events: list[str]) -> tuple[Situation, frozenset[int]]:
        """The situation after what the interpreter says that it did, and the quests done by then."""
        situation = position.situation
        for event in events:
            action = self._inform.detect_action(event, situation.actions)
            if action is not None and (action.added or action.removed):
                facts = [self._facts[number] for number in array("H", situation.facts)]
                state = type(self._game.world.state)(self._game.kb.logic, facts)
                state.apply(action)
                situation = self._situation(state)
        return situation, position.done | situation.met

    def _situation(self, state: Any) -> Situation:
        for fact in state.facts:
            if fact not in self._numbers:
                self._numbers[fact] = len(self._facts)
                self._facts.append(fact)
        key = array("H", sorted(self._numbers[fact] for fact in state.facts)).tobytes()
        situation = self._situations.get(key)
        if situation is None:
            kb = self._game.kb
            actions = list(state.all_applicable_actions(kb.rules.values(), kb.types.constants_mapping))
            commands = sorted(set(self._inform.gen_commands_from_actions(actions)))
            met = frozenset(number for number, condition in self._conditions if state.is_applicable(condition))
            situation = self._situations[key] = Situation(key, actions, commands, met)
        return situation

    def _arrive(
        self, situation: Situation, done: frozenset[int], points: int, inventory: str, room: str | None = None
    ) -> Position:
        """The position that the interpreter is in; `room` is its description where that was just printed."""
        memory, stack, *registers = self._interpreter.get_state()
        key = situation, done, points, self._objects(memory)
        position = self._positions.get(key)
        if position is None:
            if len(self._positions) >= MOST_POSITIONS:
                self._positions.clear()
                self._situations.clear()
                self.start.outcomes.clear()
            delta = zlib.compress((memory ^ self._base).tobytes() + stack.tobytes(), 1)
            room = room or tidy(self._say("look").text)
            position = Position(room, inventory, situation, done, points, delta, tuple(registers))
            self._positions[key] = position
        return position

    def _objects(self, memory: Any) -> bytes:
        """A digest of the interpreter's objects: their attributes, and the tree of what holds what."""
        start = int.from_bytes(memory[10:12].tobytes()) + _DEFAULTS
        end = int.from_bytes(memory[start + 12 : start + 14].tobytes())  # the first object's properties follow the last
        objects = memory[start : start + (end - start) // _OBJECT * _OBJECT].reshape(-1, _OBJECT)[:, :12].copy()
        byte, bit = _VISITED
        objects[:, byte] &= 255 - bit
        return blake2b(objects.tobytes(), digest_size=16).digest()

    def _restore(self, position: Position) -> None:
        import numpy as np

        content = np.frombuffer(zlib.decompress(position.memory), dtype=np.uint8)
        size = len(self._base)
        self._interpreter.set_state((content[:size] ^ self._base, content[size:].copy(), *position.registers))


@lru_cache(maxsize=MOST_GAMES)
def graph(path: Path) -> GameGraph:
    """The graph of a game, kept between episodes."""
    with _LOADING:  # for all games share TextWorld's parser
        return GameGraph(path)
