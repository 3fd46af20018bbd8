"""The benchmark's own games, where `$ALFWORLD_DATA` has them: `json_2.1.1/{train,valid_seen,valid_unseen}`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

from domains.alfworld_games import FIRST_SEEDS, SIZES
from domains.alfworld_goal import FAMILIES
from domains.base import DomainError, Role, TaskSpec

VARIABLE = "ALFWORLD_DATA"
RELEASE = "json_2.1.1"
SPLITS = {
    "train": (Role.COLLECTION, Role.DEPLOYMENT, Role.REFLECTION),
    "valid_seen": (Role.CONFIRMATION,),
    "valid_unseen": (Role.TEST,),
}
"""Which roles take their games from which split."""

Games = dict[Role, dict[str, tuple[Path, ...]]]


def data_directory() -> Path | None:
    """Where the benchmark's games are, if the environment says so; raises `DomainError` where they are not there."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    root = Path(named)
    if root == Path.home() / ".cache" / "alfworld" and not (root / RELEASE).exists():
        return None  # the package's default, which an import of alfworld sets: nobody asked for it
    missing = [split for split in SPLITS if not (root / RELEASE / split).is_dir()]
    if missing:
        raise DomainError(
            f"{VARIABLE} is {named}, but {root / RELEASE} lacks {', '.join(missing)}; download the games with "
            f"`alfworld-download`, or unset {VARIABLE} to play games that are made here"
        )
    return root


class Published:
    """The benchmark's games. Train serves collection, deployment and reflection, seen rooms confirmation, unseen test.

    Families take turns, so of each split as many games of a family are used as the smallest family has.
    """

    def __init__(self, root: Path) -> None:
        self._games = found(root)
        paths = [path for games in self._games.values() for kept in games.values() for path in kept]
        names = [path.relative_to(root).as_posix() for path in paths]
        self.version = f"data-{hashlib.blake2b(json.dumps(names).encode(), digest_size=4).hexdigest()}"

    def sizes(self, families: Sequence[str]) -> dict[Role, int]:
        """Tasks of each family in each role."""
        return {role: min(len(self._games[role][family]) for family in families) for role in Role}

    def prepare(self, specs: Sequence[TaskSpec]) -> None:
        """Nothing is missing."""

    def path(self, spec: TaskSpec) -> Path:
        """The game file of a task."""
        return self._games[spec.role][spec.family][spec.seed - FIRST_SEEDS[spec.role]]


@cache
def found(root: Path) -> Games:
    """By role and family the games to play, in an order that is the same on every machine."""
    games: Games = {role: {} for role in Role}
    for split, roles in SPLITS.items():
        most = sum(SIZES[role] for role in roles)
        for family in FAMILIES:
            kept = list(islice(solvable(root / RELEASE / split, family), most))
            if len(kept) < len(roles):
                raise DomainError(
                    f"{root / RELEASE / split} has {len(kept)} solvable games of {FAMILIES[family]}, and {len(roles)} "
                    "are the least; is the download complete? `alfworld-download -f` repeats it"
                )
            shares = _shares(len(kept), [SIZES[role] for role in roles])
            for role, share in zip(roles, shares, strict=True):
                games[role][family], kept = tuple(kept[:share]), kept[share:]
    return games


def solvable(split: Path, family: str) -> Iterator[Path]:
    """The games of a family that the benchmark uses (alfworld's AlfredTWEnv), mixed; each is read when asked for."""
    trials = sorted(split.glob(f"{FAMILIES[family]}-*/*/game.tw-pddl"), key=lambda path: path.relative_to(split).parts)
    Random(f"{split.name} {family}").shuffle(trials)
    for path in trials:
        name = str(path.relative_to(split))
        if "movable" in name or "Sliced" in name or not path.with_name("traj_data.json").exists():
            continue
        if json.loads(path.read_text("utf-8")).get("solvable"):
            yield path


def _shares(count: int, sizes: Sequence[int]) -> list[int]:
    """Split a number as these sizes, each share at least one.

    >>> _shares(150, [60, 60, 30]), _shares(5, [60, 60, 30]), _shares(13, [60])
    ([60, 60, 30], [2, 2, 1], [13])
    """
    shares = [max(1, count * size // sum(sizes)) for size in sizes]
    return [*shares[:-1], count - sum(shares[:-1])]
