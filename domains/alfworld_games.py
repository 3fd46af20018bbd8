"""ALFWorld games that we make, for machines without the benchmark's: same engine, rules and rooms, other households."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata, util
from pathlib import Path

from domains.alfworld_goal import FAMILIES
from domains.base import DomainError, Role, TaskSpec
from domains.textworld_games import cache_directory as textworld_cache
from domains.textworld_games import engine_version as textworld_version
from domains.textworld_games import move_in

SIZES = {Role.COLLECTION: 60, Role.DEPLOYMENT: 60, Role.REFLECTION: 30, Role.CONFIRMATION: 60, Role.TEST: 100}
"""Tasks of a family in each role."""

FIRST_SEEDS = {role: 10_000 * (number + 1) for number, role in enumerate(Role)}
"""Game seeds of a role count up from here, so that no game is in two roles."""

ENGINE = "alfworld"
LIBRARY = "libdownward.so"
MEND = 'install it with `pip install "palimpsest[alfworld]"`, which needs cmake and a C++ compiler'
START_SECONDS, GAME_SECONDS = 120, 60
"""How long the generator may take: to start, and for each game; it takes a fraction of that."""


@cache
def engine_version() -> str:
    """The versions of the installed engine; raises `DomainError` where it is missing or broken."""
    try:
        version = metadata.version(ENGINE)
    except metadata.PackageNotFoundError:
        raise DomainError(f"ALFWorld is not installed; {MEND}") from None
    found = util.find_spec("fast_downward")
    if found is None or not Path(str(found.origin)).with_name(LIBRARY).exists():
        raise DomainError(f"ALFWorld is installed without its planner's library (fast-downward-textworld); {MEND}")
    return f"{version}-{textworld_version()}"


def cache_directory() -> Path:
    """Where games are kept: beside TextWorld's."""
    return textworld_cache().with_name(ENGINE)


@dataclass(frozen=True, slots=True)
class Game:
    """Everything that a game is made from; equal games have equal files."""

    task: str
    unseen: bool
    """Whether its room is one of those that ALFRED keeps for tests."""
    turn: int
    """By which kinds of rooms take turns."""
    seed: int

    def key(self) -> str:
        """A hash of the content and of what makes it, so that a change never meets an old file."""
        content = json.dumps([asdict(self), engine_version(), _script().read_text("utf-8")])
        return hashlib.blake2b(content.encode(), digest_size=12).hexdigest()

    def path(self) -> Path:
        """The game file; what the task is about lies beside it."""
        return cache_directory() / f"{self.task}-{self.key()}" / "game.tw-pddl"


def generate(games: Sequence[Game]) -> None:
    """Make the games that are not in the cache yet, in one child process, and move each into place whole."""
    missing = {game.key(): game for game in games if not game.path().exists()}
    if not missing:
        return
    cache_directory().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_directory(), prefix=".new-") as scratch:
        requests = []
        for key, game in missing.items():
            directory = Path(scratch) / key
            directory.mkdir()
            requests.append({**asdict(game), "directory": str(directory)})
        _run(requests, scratch)
        for key, game in missing.items():
            move_in(Path(scratch) / key, game.path().parent)


def _script() -> Path:
    return Path(__file__).with_name("alfworld_make.py")


def _run(requests: Sequence[dict[str, object]], scratch: str) -> None:
    settings = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "ALFWORLD_DATA": scratch}
    longest = START_SECONDS + GAME_SECONDS * len(requests)
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(_script())],
            input=json.dumps(requests),
            capture_output=True,
            text=True,
            env={**os.environ, **settings},
            timeout=longest,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DomainError(
            f"ALFWorld's games could not be made: the generator took longer than {longest} s for {len(requests)}"
        ) from None
    if done.returncode:
        raise DomainError(
            f"ALFWorld's games could not be made: the generator ended with {done.returncode} and said:\n"
            f"{done.stderr[-2000:].strip()}"
        )


class Generated:
    """Our own games: every family has the same number, test rooms are in no other role."""

    version = "generated-1"

    def sizes(self, families: Sequence[str]) -> dict[Role, int]:
        """Tasks of each family in each role."""
        return SIZES

    def game(self, spec: TaskSpec) -> Game:
        """What the task's game is made from."""
        turn = spec.seed - FIRST_SEEDS[spec.role]
        return Game(FAMILIES[spec.family], spec.role is Role.TEST, turn, spec.seed)

    def prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Make the games that are missing."""
        generate([self.game(spec) for spec in specs])

    def path(self, spec: TaskSpec) -> Path:
        """The game file of a task."""
        return self.game(spec).path()
