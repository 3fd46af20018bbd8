"""What an ALFWorld task asks for, how much of it is met, and what one who knows everything would do next."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Fact = tuple[str, ...]
"""A predicate, in small letters, and the names of what it holds of."""

FAMILIES = {
    "pick": "pick_and_place_simple",
    "light": "look_at_obj_in_light",
    "clean": "pick_clean_then_place_in_recep",
    "heat": "pick_heat_then_place_in_recep",
    "cool": "pick_cool_then_place_in_recep",
    "two": "pick_two_obj_and_place",
}
"""Our names of ALFRED's task types, in the order in which they take turns."""


class Treatment(NamedTuple):
    """What is done to a thing: what is true of it then, and the kind of receptacle that it takes."""

    state: str
    appliance: str


TREATMENTS = {
    "clean": Treatment("isclean", "sinkbasin"),
    "heat": Treatment("ishot", "microwave"),
    "cool": Treatment("iscool", "fridge"),
}
"""By family, which is also the verb."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked for; kinds of things, in small letters, and empty where the task has no such part."""

    family: str
    thing: str
    place: str
    lamp: str

    @classmethod
    def read(cls, game: Path) -> Goal:
        """The goal of a game file, from the description of the task that lies beside it."""
        task = json.loads(game.with_name("traj_data.json").read_text("utf-8"))
        family = next(name for name, kind in FAMILIES.items() if kind == task["task_type"])
        parts = (str(task["pddl_params"][part]) for part in ("object_target", "parent_target", "toggle_target"))
        return cls(family, *(part.lower() for part in parts))

    @property
    def conditions(self) -> int:
        """Of how many conditions it is made, counted as ALFRED does (alfworld.env.tasks)."""
        return 3 if self.family in TREATMENTS else 2 if self.family in ("light", "two") else 1


@dataclass(slots=True)
class World:
    """The facts that goals and plans ask for."""

    kinds: dict[str, str] = field(default_factory=dict)
    inside: dict[str, str] = field(default_factory=dict)
    spots: dict[str, str] = field(default_factory=dict)
    states: dict[str, set[str]] = field(default_factory=dict)
    allowed: set[tuple[str, ...]] = field(default_factory=set)
    spot: str = ""
    held: str = ""

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> World:
        """The world in which these facts hold."""
        world = cls()
        for predicate, *names in facts:
            match predicate:
                case "objecttype" | "receptacletype":
                    world.kinds[names[0]] = names[1].removesuffix("type")
                case "inreceptacle":
                    world.inside[names[0]] = names[1]
                case "receptacleatlocation":
                    world.spots[names[0]] = names[1]
                case "cancontain":
                    world.allowed.add(tuple(name.removesuffix("type") for name in names))
                case "atlocation":
                    world.spot = names[1]
                case "holds":
                    world.held = names[1]
                case _:
                    world.states.setdefault(predicate, set()).add(names[0])
        return world

    def are(self, state: str) -> set[str]:
        """All of which a state is true, such as `isclean`."""
        return self.states.get(state, set())

    def of_kind(self, kind: str) -> list[str]:
        """All things or receptacles of a kind, what one stands at first."""
        names = [name for name, its in self.kinds.items() if its == kind]
        return sorted(names, key=lambda name: (not self.is_here(self.inside.get(name) or name), name))

    def is_here(self, place: str) -> bool:
        """Whether one stands at a receptacle."""
        return self.spots.get(place) == self.spot

    def kind_at(self, thing: str) -> str:
        """The kind of receptacle that a thing is in, if any."""
        return self.kinds.get(self.inside.get(thing, ""), "")


def met(goal: Goal, world: World) -> int:
    """How many of the goal's conditions hold: ALFRED's goal conditions, asked of the engine's facts."""
    things = world.of_kind(goal.thing)
    placed = [thing for thing in things if world.kind_at(thing) == goal.place]
    if goal.family in TREATMENTS:
        treated = world.are(TREATMENTS[goal.family].state)
        return bool(placed) + (not treated.isdisjoint(things)) + (not treated.isdisjoint(placed))
    if goal.family == "light":
        lit = world.are("istoggled")
        lamps = [lamp for lamp in world.of_kind(goal.lamp) if lamp in lit and world.is_here(world.inside.get(lamp, ""))]
        return (world.held in things) + bool(lamps)
    most = max(Counter(world.inside[thing] for thing in placed).values(), default=0)
    return min(most, goal.conditions)


class Knowing(Protocol):
    """An environment that tells what is hidden from players."""

    @property
    def goal(self) -> Goal:
        """What is asked for."""

    @property
    def facts(self) -> set[Fact]:
        """All that holds now."""


class HouseholdExpert:
    """Wins by the facts, from wherever it is; it keeps nothing, so that it may also advise one who does otherwise."""

    def __init__(self, environment: Knowing) -> None:
        self._environment = environment

    def act(self, observation: str, info: Mapping[str, Any]) -> str:
        """The next command on a way to win."""
        wanted = plan(self._environment.goal, World.of(self._environment.facts))
        actions: list[str] = info["actions"]
        return wanted if wanted in actions else actions[0]


def plan(goal: Goal, world: World) -> str:
    """The next command on a way to win."""
    if not world.held:
        thing = _next_thing(goal, world)
        place = world.inside[thing]
        return _reach(world, place) or f"take {thing} from {place}"
    if world.kinds[world.held] != goal.thing:
        return _put(world, _nearest(world, [place for place in world.spots if _fits(world, place)] or world.spots))
    if goal.family == "light":
        lamp = world.of_kind(goal.lamp)[0]
        place = world.inside[lamp]
        return f"use {lamp}" if world.is_here(place) else f"go to {place}"
    treatment = TREATMENTS.get(goal.family)
    if treatment and world.held not in world.are(treatment.state):
        appliance = _nearest(world, world.of_kind(treatment.appliance))
        return f"{goal.family} {world.held} with {appliance}" if world.is_here(appliance) else f"go to {appliance}"
    return _put(world, _target(goal, world))


def _next_thing(goal: Goal, world: World) -> str:
    """The thing to take next: one that is ready to be placed, if any, and for two none that is in place already."""
    ready = world.are(TREATMENTS[goal.family].state) if goal.family in TREATMENTS else set()
    done = _target(goal, world) if goal.family == "two" else ""
    things = [thing for thing in world.of_kind(goal.thing) if thing in world.inside and world.inside[thing] != done]
    return min(things, key=lambda thing: thing not in ready)


def _target(goal: Goal, world: World) -> str:
    """Where to put things: where most of them are already."""
    there = Counter(world.inside[thing] for thing in world.of_kind(goal.thing) if thing in world.inside)
    return max(world.of_kind(goal.place), key=lambda place: there[place])


def _nearest(world: World, places: Iterable[str]) -> str:
    return min(sorted(places), key=lambda place: not world.is_here(place))


def _fits(world: World, place: str) -> bool:
    return (world.kinds[place], world.kinds[world.held]) in world.allowed


def _put(world: World, place: str) -> str:
    return _reach(world, place) or f"move {world.held} to {place}"


def _reach(world: World, place: str) -> str:
    """The next command on the way into a receptacle, or nothing where it is open to one's hand."""
    if not world.is_here(place):
        return f"go to {place}"
    return f"open {place}" if place in world.are("openable") - world.are("opened") else ""
