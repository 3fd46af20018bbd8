"""Generate ALFWorld games: a script of its own, run in a child process with a fixed hash seed.

The package ships the engine's rules, its text grammar, the goals and the receptacles of 120 rooms, but no games. Here
the rooms are furnished anew: things are put where the package says that they may be, so that the goal can be reached,
and the way there is written into the game. Reads one JSON list of requests ({"task", "unseen", "turn", "seed",
"directory"}) from its input. Imports nothing of ours.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

LAMPS = ("DeskLamp", "FloorLamp")
LAMP_PLACES = frozenset({"SideTable", "Desk", "Dresser", "Shelf", "CoffeeTable", "DiningTable"})
BASINS = {"SinkBasin": "Sink|{}|SinkBasin", "BathtubBasin": "Bathtub|{}|BathtubBasin"}
"""What the ids of these receptacles look like in the rooms that have them."""

TREATMENTS = {
    "pick_clean_then_place_in_recep": ("Cleanable", "SinkBasin", "clean"),
    "pick_heat_then_place_in_recep": ("Heatable", "Microwave", "heat"),
    "pick_cool_then_place_in_recep": ("Coolable", "Fridge", "cool"),
}
"""What must be true of a thing that can be treated, by which appliance, and the verb."""
LIGHT, TWO = "look_at_obj_in_light", "pick_two_obj_and_place"

COUNTS = (1, 1, 2, 3)
"""How many there are of a kind: one of these. ALFRED has at most three (MAX_NUM_OF_OBJ_INSTANCES)..."""
WANTED = (1, 2, 3, 4)
"""...and of what the goal is about as many as this (PICKUP_REPEAT_MAX)."""
LYING_OPEN = 0.75
"""The share of things in receptacles that need not be opened, where a thing may be in either."""
BURNERS = 4


class Entity(NamedTuple):
    """A thing or a receptacle, named as in ALFRED: its kind, then where it stands."""

    id: str
    kind: str

    @property
    def symbol(self) -> str:
        """The same as a PDDL symbol."""
        symbol = self.id
        for mark, word in (("|", "bar"), ("-", "minus"), ("+", "plus"), (".", "dot"), (",", "comma")):
            symbol = symbol.replace(mark, f"_{word}_")
        return symbol


class Target(NamedTuple):
    """What the goal is about: kinds, empty where the task has no such part."""

    thing: str
    place: str
    lamp: str


@dataclass(slots=True)
class Room:
    """A room while it is furnished."""

    number: int
    places: list[Entity] = field(default_factory=list)
    things: list[tuple[Entity, Entity]] = field(default_factory=list)
    """Each thing with the receptacle that it is in."""
    kinds: list[str] = field(default_factory=list)
    """Kinds of what may be there."""

    def entity(self, kind: str, rng: random.Random, form: str = "") -> Entity:
        """A new entity; where it stands is invented."""
        taken = {entity.id for entity in (*self.places, *(thing for thing, _ in self.things))}
        while True:
            where = "|".join(f"{rng.uniform(low, high):+06.2f}" for low, high in ((-3, 3), (0, 2), (-3, 3)))
            name = form.format(where) if form else f"{kind}|{where}"
            if name not in taken:
                return Entity(name, kind)

    def homes(self, kind: str) -> list[str]:
        """The kinds of receptacles here that may hold such a thing."""
        allowed = LAMP_PLACES if kind in LAMPS else _holders(kind)
        return sorted({place.kind for place in self.places} & allowed)

    def put(self, kind: str, homes: Sequence[str], rng: random.Random) -> None:
        """Put a new thing into a receptacle of one of these kinds."""
        closed = [home for home in homes if home in _constants().OPENABLE_CLASS_SET]
        shown = [home for home in homes if home not in closed]
        home = rng.choice(shown if shown and (not closed or rng.random() < LYING_OPEN) else closed)
        place = rng.choice([place for place in self.places if place.kind == home])
        self.things.append((self.entity(kind, rng), place))


@cache
def _constants() -> Any:
    return import_module("alfworld.gen.constants")


@cache
def _holders(kind: str) -> frozenset[str]:
    """The kinds of receptacles that may hold such a thing."""
    table = _constants().VAL_RECEPTACLE_OBJECTS
    return frozenset(place for place in table if kind in table[place]) & _receptacles()


@cache
def _receptacles() -> frozenset[str]:
    """The kinds of receptacles, those that are things themselves left out."""
    return frozenset(_constants().VAL_RECEPTACLE_OBJECTS) - frozenset(_constants().MOVABLE_RECEPTACLES_SET)


def empty_room(number: int, rng: random.Random) -> Room:
    """The room with its receptacles: those whose places the package knows, and one of each kind it only names."""
    layouts = Path(str(import_module("alfworld").__file__)).parent / "gen" / "layouts"
    kinds = sorted(json.loads((layouts / f"FloorPlan{number}-objects.json").read_text()))
    known = sorted(json.loads((layouts / f"FloorPlan{number}-openable.json").read_text()))
    room = Room(number)
    for name in known:
        kind = name.split("|")[-1] if name.endswith("Basin") else name.partition("|")[0]
        if kind in _receptacles():
            room.places.append(Entity(name, kind))
    for kind in sorted((_receptacles() & set(kinds)) - {place.kind for place in room.places}):
        for _ in range(BURNERS if kind == "StoveBurner" else 1):
            room.places.append(room.entity(kind, rng, BASINS.get(kind, "")))
    movable = [kind for kind in kinds if kind not in LAMPS and not kind.endswith("Sliced")]
    room.kinds = [kind for kind in (*movable, *LAMPS) if kind in kinds and room.homes(kind)]
    return room


def choose(task: str, room: Room, rng: random.Random) -> Target | None:
    """Something that can be asked for in this room, or nothing."""
    things = [kind for kind in room.kinds if kind not in LAMPS]
    if task == LIGHT:
        lamps = [kind for kind in room.kinds if kind in LAMPS]
        return Target(rng.choice(things), "", rng.choice(lamps)) if things and lamps else None
    appliance = ""
    if task in TREATMENTS:
        ability, appliance, _ = TREATMENTS[task]
        if appliance not in {place.kind for place in room.places}:
            return None
        things = [kind for kind in things if kind in _constants().VAL_ACTION_OBJECTS[ability]]
    places = {kind: [home for home in room.homes(kind) if home != appliance] for kind in things}
    possible = [kind for kind in things if places[kind] and len(room.homes(kind)) > 1]
    if not possible:
        return None
    thing = rng.choice(possible)
    return Target(thing, rng.choice(places[thing]), "")


def furnish(task: str, target: Target, room: Room, rng: random.Random) -> None:
    """Put things into the room; none of what the goal asks for is where it is asked to be."""
    for kind in room.kinds:
        count = 1 if kind in LAMPS else rng.choice(WANTED if kind == target.thing else COUNTS)
        if kind == target.thing and task == TWO:
            count = max(2, count)
        homes = [home for home in room.homes(kind) if kind != target.thing or home != target.place]
        for _ in range(count):
            room.put(kind, homes, rng)


def problem(task: str, target: Target, room: Room, seed: int) -> str:
    """The room and the goal in PDDL."""
    rules = _constants()
    spots = {place: f"loc_{number}" for number, place in enumerate(room.places, 1)}
    facts = ["(= (total-cost) 0)", "(atLocation agent1 loc_0)"]
    for place, spot in spots.items():
        facts += [f"(receptacleType {place.symbol} {place.kind}Type)", f"(receptacleAtLocation {place.symbol} {spot})"]
        facts += [f"(openable {place.symbol})"] if place.kind in rules.OPENABLE_CLASS_SET else []
    kinds, place_kinds = sorted({thing.kind for thing, _ in room.things}), sorted({place.kind for place in room.places})
    facts += [
        f"(canContain {place}Type {kind}Type)"
        for place in place_kinds
        for kind in kinds
        if kind in rules.VAL_RECEPTACLE_OBJECTS[place]
    ]
    for thing, place in room.things:
        facts += [f"(objectType {thing.symbol} {thing.kind}Type)", f"(inReceptacle {thing.symbol} {place.symbol})"]
        facts += [f"(objectAtLocation {thing.symbol} {spots[place]})"]
        facts += [f"({'toggleable' if thing.kind in LAMPS else 'pickupable'} {thing.symbol})"]
        facts += [
            f"({ability.lower()} {thing.symbol})"
            for ability, _, _ in TREATMENTS.values()
            if thing.kind in rules.VAL_ACTION_OBJECTS[ability]
        ]
    goals = import_module("alfworld.gen.goal_library").gdict
    goal = goals[task]["pddl"].format(obj=target.thing, recep=target.place, toggle=target.lamp).replace("#", "-")
    objects = {
        "agent": ["agent1"],
        "object": [thing.symbol for thing, _ in room.things],
        "otype": [f"{kind}Type" for kind in sorted({*kinds, "Knife", "ButterKnife"})],  # the rules name these two
        "rtype": [f"{kind}Type" for kind in sorted({*place_kinds, "SinkBasin", "Microwave", "Fridge"})],  # and these
        "receptacle": [place.symbol for place in room.places],
        "location": ["loc_0", *spots.values()],
    }
    declared = "\n".join(f"    {' '.join(names)} - {kind}" for kind, names in objects.items())
    listed = "\n".join(f"    {fact}" for fact in facts)
    head = f"(define (problem plan_{seed}) (:domain alfred)"
    return f"{head}\n(:objects\n{declared}\n)\n(:init\n{listed}\n)\n{goal.strip()}\n"


class Walk:
    """Writes down the commands of one who knows where everything is."""

    def __init__(self, room: Room) -> None:
        entities = [*room.places, *(thing for thing, _ in room.things)]
        symbols = [entity.symbol.lower() for entity in entities]
        misc = import_module("alfworld.agents.utils.misc")
        names = misc.Demangler(game_infos={symbol: SimpleNamespace(id=symbol) for symbol in symbols})
        self._names = {entity: names.demangle_alfred_name(entity.symbol.lower()) for entity in entities}
        self._at: Entity | None = None
        self._opened: set[Entity] = set()
        self.commands: list[str] = []

    def do(self, verb: str, thing: Entity, word: str = "", place: Entity | None = None) -> None:
        """A command about a thing, and a receptacle where there is one."""
        self.commands.append(" ".join([verb, self._names[thing], *([word, self._names[place]] if place else [])]))

    def go(self, place: Entity) -> None:
        """Go there, unless that is where one is."""
        if place != self._at:
            self.do("go to", place)
        self._at = place

    def reach(self, place: Entity) -> None:
        """Go there and open it."""
        self.go(place)
        if place.kind in _constants().OPENABLE_CLASS_SET and place not in self._opened:
            self.do("open", place)
            self._opened.add(place)


def walkthrough(task: str, target: Target, room: Room) -> list[str]:
    """A way to win."""
    walk = Walk(room)
    wanted = [(thing, place) for thing, place in room.things if thing.kind == target.thing]
    for thing, place in wanted[: 2 if task == TWO else 1]:
        walk.reach(place)
        walk.do("take", thing, "from", place)
        if task == LIGHT:
            lamp, beside = next(pair for pair in room.things if pair[0].kind == target.lamp)
            walk.go(beside)
            walk.do("use", lamp)
            continue
        if task in TREATMENTS:
            _, kind, verb = TREATMENTS[task]
            appliance = next(place for place in room.places if place.kind == kind)
            walk.go(appliance)
            walk.do(verb, thing, "with", appliance)
        goal = next(place for place in room.places if place.kind == target.place)
        walk.reach(goal)
        walk.do("move", thing, "to", goal)
    return walk.commands


def draw(task: str, *, unseen: bool, turn: int, rng: random.Random) -> tuple[Target, Room]:
    """A room that suits the task, of the kinds of rooms in turn, and what is asked for there."""
    rules = _constants()
    suited = [kind for kind in rules.SCENE_TYPE if kind in rules.GOALS_VALID[task]]
    numbers = rules.TEST_SCENE_NUMBERS if unseen else rules.TRAIN_SCENE_NUMBERS
    for kind in (*suited[turn % len(suited) :], *suited[: turn % len(suited)]):
        rooms = [number for number in numbers if number in rules.SCENE_TYPE[kind]]
        for number in rng.sample(rooms, len(rooms)):
            room = empty_room(number, rng)
            target = choose(task, room, rng)
            if target:
                return target, room
    raise LookupError(f"no room suits {task}")


def generate(task: str, unseen: bool, turn: int, seed: int, directory: str) -> None:
    """Write one game: what the engine loads, what the task is about, and a way to win."""
    rng = random.Random(f"{task} {seed}")
    target, room = draw(task, unseen=unseen, turn=turn, rng=rng)
    furnish(task, target, room, rng)
    parameters = {
        "object_target": target.thing,
        "parent_target": target.place,
        "toggle_target": target.lamp,
        "mrecep_target": "",
        "object_sliced": False,
    }
    scene = {"scene_num": room.number, "floor_plan": f"FloorPlan{room.number}"}
    trajectory = {"task_type": task, "pddl_params": parameters, "scene": scene, "turk_annotations": {"anns": []}}
    info, misc = import_module("alfworld.info"), import_module("alfworld.agents.utils.misc")
    random.seed(f"{task} {seed}")  # by which the package picks one of the goal's two wordings
    game = {
        "pddl_domain": Path(info.ALFRED_PDDL_PATH).read_text("utf-8"),
        "grammar": misc.add_task_to_grammar(Path(info.ALFRED_TWL2_PATH).read_text("utf-8"), trajectory),
        "pddl_problem": problem(task, target, room, seed),
        "solvable": True,
        "walkthrough": walkthrough(task, target, room),
    }
    for name, content in (("traj_data.json", trajectory), ("game.tw-pddl", game)):
        (Path(directory) / name).write_text(json.dumps(content, indent=1), "utf-8")


def main() -> None:
    """Make all that the input asks for."""
    for request in json.load(sys.stdin):
        generate(**request)


if __name__ == "__main__":
    main()
