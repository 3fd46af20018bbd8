"""Tells what last held of each thing in this episode, also where a change was seen without a name."""

from collections import Counter
from collections.abc import Iterator

from sandbox.guest import Memory, MemoryDesign, Query, Step, Toolkit, Trajectory, lines, overlap


class Elimination(MemoryDesign):
    """Keeps for each name the latest statement, which is a line of the form "name: value".

    A name that stands more than once in a view is a kind, and tells no two things apart. Whatever has a value that is
    still in view has kept it; a thing whose value is gone has taken one that nothing had before.
    Where the value of one names another ("goal: lamp", "lamp: ..."), only what is so pointed at is told.
    """

    phases = frozenset({"begin", "step"})

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.views: list[str] = []

    def update(self, trajectory: Trajectory) -> None:
        """Learn nothing for other episodes."""

    def observe(self, step: Step) -> None:
        """Keep what was in view."""
        self.views.append(step.observation)

    def retrieve(self, query: Query) -> Memory:
        """Everything that still holds, or what of it is pointed at."""
        kept: dict[str, str] = {}
        for view in (query.task.observation, *self.views):
            revise(kept, list(statements(view)))
        pointed = kept.keys() & set(kept.values())
        return Memory(f"{name}: {value}" for name, value in kept.items() if name in pointed or not pointed)


def revise(kept: dict[str, str], stated: list[tuple[str, str]]) -> None:
    """Overwrite what is named, then find out whose the nameless values are."""
    times = Counter(name for name, _ in stated)
    named = {name: value for name, value in stated if times[name] == 1}
    nameless = [value for name, value in stated if times[name] > 1]
    kept.update(named)
    if nameless:
        hidden = [name for name, value in kept.items() if name not in named and overlap(value, nameless[0]) >= 0.5]
        held = {kept[name] for name in hidden}
        gone = [name for name in hidden if kept[name] not in nameless]
        new = [value for value in nameless if value not in held]
        kept.update(zip(gone, new, strict=False))


def statements(text: str) -> Iterator[tuple[str, str]]:
    """Names and values, in lower case."""
    for line in lines(text.lower()):
        name, colon, value = line.partition(": ")
        if colon:
            yield name, value
