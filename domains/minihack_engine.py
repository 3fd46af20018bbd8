"""NetHack under a MiniHack level: seeds, keys and prompts.

Levels come from the MiniHack package, which compiles them; they are played on NLE's engine without MiniHack's own step,
which copies many more observations than are read here. An engine has its state to itself (each loads its own copy of
the library), so that any number may be open, in threads too; one engine is for one thread at a time.
"""

from __future__ import annotations

import threading
import warnings
import weakref
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from domains.base import DomainError
from domains.minihack_text import COLUMNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SPACE, _ESCAPE = ord(" "), 27
_IN_QUESTION, _IN_LINE, _IN_PAGE, _ON_STAIRS = 1, 2, 3, 4
"""Places of NLE's `internal` observation: waits for a letter, a line of text, a space; the player is on stairs down."""
_GAME_RUNS = 3
"""Place of NLE's `program_state` observation: the game takes commands."""
_MOST_PROMPTS = 100


FEWER_RATS = "CorridorBattle-Few"
"""Our own level beside MiniHack's: its corridor battle with three rats, not six, so that it can be won reliably."""

_FEWER_RATS = """
MAZE: "mylevel", ' '
FLAGS:hardfloor
INIT_MAP: solidfill,' '
GEOMETRY:center,center
MAP
-----       ----------------------
|...|       |....................|
|....#######.....................|
|...|       |....................|
-----       ----------------------
ENDMAP
REGION:(0,0,34,5),lit,"ordinary"
BRANCH:(1,1,3,3),(0,0,0,0)
MONSTER:"giant rat",(30,1)
MONSTER:"giant rat",(30,2)
MONSTER:"giant rat",(30,3)
STAIR:(32,2),down
"""


@dataclass(frozen=True, slots=True)
class Variant:
    """A compiled level: what NetHack reads it from, and the options and the character that MiniHack plays it with."""

    data: bytes
    options: tuple[str, ...]
    character: str


@dataclass(frozen=True, slots=True)
class View:
    """What the screen shows after a command."""

    glyphs: NDArray[Any]
    x: int
    y: int
    message: str
    inventory: dict[str, str]
    """What is carried, by letter."""
    hit_points: tuple[int, int]
    condition: int
    """The bits of NLE's `BL_MASK_*`."""
    place: tuple[int, int]
    """Dungeon and level: other than at the start where the player fell out of the level."""
    on_stairs: bool
    over: bool

    @property
    def cell(self) -> int:
        """Where the player is, as an index into the flat map."""
        return self.y * COLUMNS + self.x


@lru_cache(maxsize=64)
def compiled(name: str) -> Variant:
    """The level of a registered MiniHack environment, `name` without prefix and version, or our own one."""
    settings: dict[str, Any] = {}
    if name == FEWER_RATS:
        name, settings = "Navigation-Custom", {"des_file": _FEWER_RATS, "character": "kni-hum-law-fem"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = _made(f"MiniHack-{name}-v0", settings)
    try:
        data = Path(made.nethack._vardir, "nhdat")
        if data.is_symlink():  # still NetHack's own levels
            raise DomainError(
                f"MiniHack could not compile the level {name}; its compiler needs bash: apt-get install bash"
            )
        *options, player = made.nethack.options
        return Variant(data.read_bytes(), tuple(options), player.removeprefix("name:"))
    finally:
        made.close()


def _made(name: str, settings: dict[str, Any]) -> Any:
    """A MiniHack environment."""
    try:
        import gymnasium
        import minihack.envs  # noqa: F401  (registers them)
    except ImportError as broken:
        raise DomainError(
            f"MiniHack does not load ({broken}): pip install --force-reinstall 'palimpsest[minihack]'"
        ) from broken
    return gymnasium.make(name, disable_env_checker=True, **settings).unwrapped


class Engine:
    """One game of NetHack, played by its keys."""

    KEYS = ("glyphs", "blstats", "message", "inv_strs", "inv_letters", "internal", "program_state")

    def __init__(self, variant: Variant) -> None:
        from nle import nethack

        self._game = nethack.Nethack(
            observation_keys=self.KEYS,
            playername=variant.character,
            ttyrec=None,
            options=variant.options,
            spawn_monsters=False,
            fix_moon_phase=True,  # else luck depends on the day
        )
        data = Path(self._game._vardir, "nhdat")
        data.unlink()  # a link to NetHack's own levels
        data.write_bytes(variant.data)
        self._glyphs, self._stats, self._message, self._carried, self._letters, self._internal, self._state = (
            self._game._obs_buffers[key] for key in self.KEYS
        )
        self._over = False
        self._free = weakref.finalize(self, self._game.close)

    @property
    def library(self) -> str:
        """Where this engine's copy of the library was loaded from."""
        return str(self._game.dlpath)

    def reset(self, level_seed: int, play_seed: int) -> View:
        """Begin: the first seed fixes level, character and start, the second what happens later."""
        first = Random(f"level {level_seed}")
        core, display, level = (first.getrandbits(31) for _ in range(3))
        self._game.set_initial_seeds(core, display, False, level)
        self._game.reset()
        self._over = False
        said: list[str] = []
        for _ in range(_MOST_PROMPTS):
            if self._state[_GAME_RUNS]:
                break
            self._key(_SPACE, said)
        later = Random(f"play {level_seed} {play_seed}")
        self._game.set_current_seeds(later.getrandbits(31), later.getrandbits(31), False)
        return self._view([])

    def press(self, command: bytes, answers: bytes = b"") -> View:
        """Type a command, and answer as long as it asks; what it asks beyond that is declined."""
        said: list[str] = []
        *prefixes, last = command
        for key in prefixes:
            self._key(key, [])  # what is on the screen then was said before
        self._key(last, said)
        for key in answers:
            if not (self._internal[_IN_QUESTION] or self._internal[_IN_PAGE]):
                break
            self._key(key, said)
        for _ in range(_MOST_PROMPTS):
            if self._over or not self._internal[_IN_QUESTION : _IN_PAGE + 1].any():
                break
            self._key(_SPACE if self._internal[_IN_PAGE] else _ESCAPE, said)
        return self._view(said)

    def close(self) -> None:
        """End the game and free its copy of the library."""
        self._free()

    def _key(self, key: int, said: list[str]) -> None:
        if self._over:
            return
        _, self._over = self._game.step(key)
        if not self._internal[_IN_QUESTION]:
            message = _text(self._message)
            if message and message not in said:
                said.append(message)

    def _view(self, said: list[str]) -> View:
        from nle import nethack

        stats = self._stats.tolist()
        return View(
            glyphs=self._glyphs.copy(),
            x=stats[nethack.NLE_BL_X],
            y=stats[nethack.NLE_BL_Y],
            message=" ".join(said),
            inventory=self._inventory(),
            hit_points=(stats[nethack.NLE_BL_HP], stats[nethack.NLE_BL_HPMAX]),
            condition=stats[nethack.NLE_BL_CONDITION],
            place=(stats[nethack.NLE_BL_DNUM], stats[nethack.NLE_BL_DLEVEL]),
            on_stairs=bool(self._internal[_ON_STAIRS]),
            over=self._over,
        )

    def _inventory(self) -> dict[str, str]:
        letters = _text(self._letters)
        return {letter: _text(line) for letter, line in zip(letters, self._carried[: len(letters)], strict=True)}


def _text(line: NDArray[Any]) -> str:
    """A line that NetHack ended with a zero."""
    text = line.tobytes().partition(b"\0")[0].decode("latin-1").strip()
    return text if text.isprintable() else "".join(char for char in text if char.isprintable())


class _Engines:
    """Engines that no episode has now, by level: making one takes longer than most episodes."""

    IDLE = 2
    """How many of a level are kept."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Engine]] = {}
        self._lock = threading.Lock()

    def borrow(self, level: str) -> Engine:
        """An idle engine, or a new one."""
        with self._lock:
            idle = self._idle.get(level)
            return idle.pop() if idle else Engine(compiled(level))

    def give_back(self, level: str, engine: Engine) -> None:
        """Keep an engine for the next episode, or close it."""
        with self._lock:
            idle = self._idle.setdefault(level, [])
            if len(idle) < self.IDLE:
                idle.append(engine)
                return
        engine.close()


ENGINES = _Engines()
