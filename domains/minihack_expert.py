"""Experts for MiniHack: they see the whole level as it is, and plan the way with the fewest actions."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, NamedTuple

from domains.base import Expert
from domains.minihack_actions import SEARCH, Kind, kind, ray
from domains.minihack_level import (
    CLOSED,
    DOOR,
    LIQUIDS,
    LOCKED,
    SECRET_CORRIDOR,
    SECRET_DOOR,
    SQUEAKY_BOARD,
    Level,
)
from domains.minihack_play import MiniHackEnvironment
from domains.minihack_quests import FAR
from domains.minihack_text import COLUMNS, COMPASS, names

PASSIVE = ("floating eye", "jelly", "mold", "acid blob")
"""Creatures that harm only who touches them."""
FAILED = 4
"""What each vain try to enter a cell adds to the cost of the next."""


class Plan(NamedTuple):
    """A way to a goal: its directions, whether each is run or walked, the cells they end at, and what it costs."""

    moves: tuple[tuple[str, bool, int], ...]
    cost: float


class Walker:
    """Goes to the stairs, opens what is closed, searches what is hidden, fights what is in the way."""

    fights: ClassVar[bool] = True

    def __init__(self, environment: MiniHackEnvironment) -> None:
        self.environment = environment
        self.level: Level = environment.level()
        self._vain: Counter[int] = Counter()
        self._before: tuple[int, str] = (-1, "")

    def act(self, observation: str, info: Mapping[str, Any]) -> str:
        """Pick the action that is best by what is true of the level."""
        view = self.environment.view
        actions: list[str] = info["actions"]
        self.level = self.environment.level()
        cell, tried = self._before
        if cell == view.cell and tried.startswith(("go ", "far ", "push ")):
            self._vain[self._beside(tried.split()[-1])] += FAILED
        action = self._fight(actions) or self.choose(actions)
        self._before = view.cell, action
        return action

    def choose(self, actions: list[str]) -> str:
        """What to do where there is nobody to fight."""
        return self.go(self.goals(), actions)

    def goals(self) -> Collection[int]:
        """Where to go."""
        return () if self.level.stairs is None else (self.level.stairs,)

    def avoided(self) -> Collection[int]:
        """Cells that must not be entered."""
        return ()

    def go(self, goals: Collection[int], actions: list[str]) -> str:
        """The first action on the way to the nearest goal."""
        plan = self.plan(goals)
        return self.take(plan, actions) if plan else SEARCH

    def take(self, plan: Plan, actions: list[str]) -> str:
        """The listed action that does the first move of a plan, or makes way for it."""
        name, runs, _ = plan.moves[0]
        ahead = self._beside(name)
        locked = self.level.kinds[ahead] == DOOR and self.level.doors[ahead] & LOCKED
        wanted = [f"far {name}"] if runs and not self._vain[ahead] else []
        wanted += [f"go {name}"]
        wanted += [f"unlock {name}", f"kick {name}"] if locked else [f"open {name}"]
        wanted += [f"push {name}", f"fight {name}"]
        return next((action for action in wanted if action in actions), SEARCH)

    def plan(self, goals: Collection[int]) -> Plan | None:
        """The cheapest way from here to a goal, in actions (Dijkstra's algorithm over walks and runs)."""
        start = self.environment.view.cell
        avoided = set(self.avoided()) - set(goals)
        costs = self._costs(avoided)
        best: dict[int, float] = {start: 0}
        came: dict[int, tuple[int, str, bool]] = {}
        queue: list[tuple[float, int]] = [(0, start)]
        while queue:
            cost, cell = heapq.heappop(queue)
            if cell in goals and cell != start:
                return self._trace(start, cell, came, cost)
            if cost > best[cell]:
                continue
            for name, there in self.level.steps(cell):
                if there in avoided:
                    continue
                run = self._run(cell, name, avoided)
                for runs, stop in ((False, there), (True, there if run is None else run)):
                    new = cost + (1 + costs.get(there, 0) if stop == there else 1.01)
                    if new < best.get(stop, float("inf")):
                        best[stop] = new
                        came[stop] = cell, name, runs
                        heapq.heappush(queue, (new, stop))
        return None

    def _trace(self, start: int, goal: int, came: dict[int, tuple[int, str, bool]], cost: float) -> Plan:
        moves: list[tuple[str, bool, int]] = []
        cell = goal
        while cell != start:
            before, name, runs = came[cell]
            moves.insert(0, (name, runs, cell))
            cell = before
        return Plan(tuple(moves), cost)

    def _run(self, cell: int, name: str, avoided: Collection[int]) -> int | None:
        """Where a run from a cell ends, if it passes nothing that would stop it earlier."""
        dx, dy = COMPASS[name]
        stop, length = cell, 0
        while True:
            there = stop + dy * COLUMNS + dx
            if not self._plain(there) or (dx and dy and self._blocks_diagonal(stop, there)):
                break
            if there in avoided:
                return None
            stop, length = there, length + 1
        return stop if length > 1 else None

    def _plain(self, cell: int) -> bool:
        level = self.level
        closed = level.kinds[cell] == DOOR and level.doors[cell] & (CLOSED | LOCKED)
        hidden = level.kinds[cell] in (SECRET_DOOR, SECRET_CORRIDOR)
        stands = cell in level.monsters or self._boulder(cell)
        return level.open(cell) and level.kinds[cell] not in LIQUIDS and not (closed or hidden or stands)

    def _blocks_diagonal(self, cell: int, there: int) -> bool:
        return there not in (beside for _, beside in self.level.steps(cell))

    def _boulder(self, cell: int) -> bool:
        return cell in self.level.objects and kind(int(self.environment.view.glyphs.flat[cell])) is Kind.BOULDER

    def _costs(self, avoided: Collection[int]) -> dict[int, float]:
        """What entering a cell costs beyond one action."""
        level = self.level
        costs: dict[int, float] = {}
        for cell, what in enumerate(level.kinds):
            if what in (SECRET_DOOR, SECRET_CORRIDOR):
                costs[cell] = 4
            elif what == DOOR and level.doors[cell] & (CLOSED | LOCKED):
                costs[cell] = 1 if level.doors[cell] & CLOSED else 4
            elif what in LIQUIDS:
                costs[cell] = 30
        for cell in level.monsters:
            costs[cell] = costs.get(cell, 0) + 3
        for cell in level.traps:
            costs[cell] = costs.get(cell, 0) + 20
        for cell in filter(self._boulder, level.objects):
            costs[cell] = costs.get(cell, 0) + 3
        for cell, vain in self._vain.items():
            costs[cell] = costs.get(cell, 0) + vain
        return costs

    def _fight(self, actions: list[str]) -> str:
        for action in actions:
            if self.fights and action.startswith("fight "):
                cell = self._beside(action.split()[1])
                name = names().anywhere[int(self.environment.view.glyphs.flat[cell])]
                if self._vain[cell] < 10 * FAILED and not name.endswith(PASSIVE):
                    self._vain[cell] += self._before == (self.environment.view.cell, action)
                    return action
        return ""

    def _beside(self, name: str) -> int:
        dx, dy = COMPASS[name]
        return self.environment.view.cell + dy * COLUMNS + dx


class KeyBearer(Walker):
    """Fetches the key first."""

    def choose(self, actions: list[str]) -> str:
        """The key, then the stairs."""
        if "pick up" in actions:
            return "pick up"
        carries_key = any("key" in text for text in self.environment.view.inventory.values())
        return self.go(self.goals() if carries_key else self.level.objects, actions)


class Hunter(Walker):
    """Goes to the grid bug by the way without a squeaky board."""

    def goals(self) -> Collection[int]:
        """The creatures that can be walked to."""
        within = self.level.distances([self.environment.view.cell])
        return [cell for cell in self.level.monsters if cell in within]

    def avoided(self) -> Collection[int]:
        """The boards."""
        return [cell for cell, what in self.level.traps.items() if what == SQUEAKY_BOARD]


class Gatherer(Walker):
    """Eats apples as long as there is time to reach the stairs afterwards."""

    def __init__(self, environment: MiniHackEnvironment) -> None:
        super().__init__(environment)
        self._left = environment.max_steps

    def choose(self, actions: list[str]) -> str:
        """The nearest apple, or the stairs when it is time."""
        self._left -= 1
        if "eat apple" in actions and self._left > 1:
            return "eat apple"
        home = self.plan(self.goals())
        apples = self.plan(self.level.objects)
        if home and (apples is None or self._left < home.cost + 4):
            return self.take(home, actions)
        return self.take(apples, actions) if apples else SEARCH

    def avoided(self) -> Collection[int]:
        """The stairs, unless they are the goal."""
        return self.goals()


class Fighter(Walker):
    """Waits where only one can attack at a time, until nobody is left."""

    PATIENCE = 3
    """How often it waits for nothing before it goes to look."""
    RESTS = 40
    """How often it may wait to get well, beyond that."""

    def __init__(self, environment: MiniHackEnvironment) -> None:
        super().__init__(environment)
        self._waited = 0
        self._rested = 0

    def choose(self, actions: list[str]) -> str:
        """To the narrow place and wait there, unless nobody comes."""
        view = self.environment.view
        narrow = {cell for cell in self.level.distances([view.cell]) if sum(1 for _ in self.level.steps(cell)) == 2}
        inner = [cell for cell in narrow if all(there in narrow for _, there in self.level.steps(cell))]
        if not self.level.monsters or not inner:
            return super().choose(actions)
        if self._near():
            self._waited = 0
        hurt = view.hit_points[0] < 0.8 * view.hit_points[1] and self._rested < self.RESTS
        if self._waited >= self.PATIENCE and not hurt:
            return super().choose(actions)
        if view.cell not in inner:
            return self.go(inner, actions)
        self._waited += 1
        self._rested += hurt
        return SEARCH

    def _near(self) -> bool:
        """Whether a creature is within a few steps."""
        to_here = self.level.distances([self.environment.view.cell])
        return any(to_here.get(cell, FAR) < 6 for cell in self.level.monsters)


class Freezer(Walker):
    """Freezes the lava that the way crosses."""

    def choose(self, actions: list[str]) -> str:
        """A zap, where lava is near and straight ahead."""
        plan = self.plan(self.goals())
        if plan is None:
            return SEARCH
        name = plan.moves[0][0]
        if Kind.LIQUID in list(ray(self.environment.view, name))[:4]:
            zaps = [action for action in (f"zap wand {name}", f"play horn {name}") if action in actions]
            if zaps:
                return zaps[0]
        return self.take(plan, actions)


def expert(family: str, environment: MiniHackEnvironment) -> Expert:
    """The expert of a family."""
    if family == "river":
        from domains.minihack_river import Bridger

        return Bridger(environment)
    kinds = {"key": KeyBearer, "memento": Hunter, "explore": Gatherer, "quest": Freezer, "battle": Fighter}
    return kinds.get(family, Walker)(environment)
