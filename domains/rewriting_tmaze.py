"""Endless T-Maze as text (arXiv 2601.15086, section 2): each corridor's sign makes the one before it void."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from domains.base import TextEnvironment

TURNS = ("L", "R")
"""Single letters, so that an agent which notes the longer words of what it sees does not note the cue by itself."""

EMBLEMS = (
    *("acorn", "anchor", "badger", "basket", "candle", "camel", "dolphin", "dragon", "eagle", "engine", "falcon"),
    *("feather", "goblet", "goose", "hammer", "heron", "ibis", "island", "jackal", "jasmine", "kettle", "kite"),
    *("lantern", "lily", "magpie", "mirror", "needle", "nettle", "otter", "oyster", "pillar", "plough", "quail"),
    *("quilt", "raven", "ribbon", "sickle", "spider", "tortoise", "tulip", "urchin", "urn", "violin", "viper"),
)
"""What is painted on a sign beside its cue, another in each corridor, so that no two signs of an episode read alike."""

CORRIDORS = 20
LONGEST = 3
"""Steps through a corridor: always this many in the fixed regime, from 1 to this many in the uniform one."""
MAX_STEPS = CORRIDORS * (LONGEST + 1)

WALK = "walk on"


class Corridor(NamedTuple):
    """What is drawn for one corridor."""

    turn: str
    emblem: str
    length: int

    @property
    def sign(self) -> str:
        """The cue as it is shown, at the corridor's start only."""
        return f"Sign: {self.emblem}, turn {self.turn}"


class EndlessTMaze(TextEnvironment):
    """A chain of corridors. The task draws the first, which is seen at once; the seed of `reset` draws the others.

    The score is the share of right turns. The paper gives +1 for a right and -1 for a wrong turn: the sum of n turns
    is n (2 score - 1). Its small penalty for delay has no counterpart: there is one way to walk, and no time to lose.
    """

    def __init__(self, seed: int, *, uniform: bool) -> None:
        self._seed = seed
        self._uniform = uniform
        self._corridors: list[Corridor] = []
        self._number = 0
        self._walked = 0
        self._right = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin in front of the first sign."""
        super().reset(seed=seed)
        first, later = Random(f"tmaze {self._seed}"), Random(f"tmaze {self._seed} {self.np_random.integers(2**32)}")
        emblems = first.sample(EMBLEMS, CORRIDORS)
        self._corridors = [self._draw(later if number else first, emblem) for number, emblem in enumerate(emblems)]
        self._number = self._walked = self._right = 0
        return f"A corridor begins.\n{self._corridors[0].sign}", self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Walk on, or turn at a junction into the next corridor."""
        listed = self._info()["actions"]
        if action not in listed:
            raise ValueError(f"{action!r} is not among the listed actions {listed}")
        if action == WALK:
            self._walked += 1
            return self._view(), 0.0, False, False, self._info()
        right = action == self._turn(self._corridors[self._number].turn)
        self._right += right
        self._number += 1
        self._walked = 0
        text = f"That was {'correct' if right else 'wrong'}.\n{self._view()}"
        return text, right / CORRIDORS, self._over, False, self._info()

    def truth(self) -> list[str]:
        """What a perfect memory would tell now: the sign of the corridor that one is in."""
        return [] if self._over else [self._corridors[self._number].sign]

    @property
    def _over(self) -> bool:
        return self._number == CORRIDORS

    def _draw(self, rng: Random, emblem: str) -> Corridor:
        return Corridor(rng.choice(TURNS), emblem, rng.randint(1, LONGEST) if self._uniform else LONGEST)

    def _turn(self, turn: str) -> str:
        return f"turn {turn} at junction {self._number + 1}"

    def _view(self) -> str:
        if self._over:
            return "The maze ends."
        corridor = self._corridors[self._number]
        if self._walked == 0:
            return f"A corridor begins.\n{corridor.sign}"
        return "The corridor ends at a junction." if self._walked == corridor.length else "The corridor goes on."

    def _info(self) -> dict[str, Any]:
        actions = [WALK]
        if self._over:
            actions = []
        elif self._walked == self._corridors[self._number].length:
            actions = [self._turn(turn) for turn in TURNS]
        return {
            "goal": "At the end of each corridor, turn L or R as the sign at its beginning said.",
            "actions": actions,
            "score": self._right / CORRIDORS,
            "won": self._right == CORRIDORS,
        }
