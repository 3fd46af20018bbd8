"""Tells what was last said of each thing in this episode: a new value replaces the old one."""

from collections.abc import Iterator

from sandbox.guest import Memory, MemoryDesign, Query, Step, Toolkit, Trajectory, lines


class Overwriting(MemoryDesign):
    """Keeps for each name the latest statement, which is a line of the form "name: value".

    Where the value of one names another ("goal: lamp", "lamp: ..."), only what is so pointed at is told.
    """

    phases = frozenset({"begin", "step"})

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.kept: dict[str, str] = {}

    def update(self, trajectory: Trajectory) -> None:
        """Learn nothing for other episodes."""

    def observe(self, step: Step) -> None:
        """Overwrite."""
        self.kept.update(statements(step.observation))

    def retrieve(self, query: Query) -> Memory:
        """Everything that still holds, or what of it is pointed at."""
        kept = {**dict(statements(query.task.observation)), **self.kept}
        pointed = kept.keys() & set(kept.values())
        return Memory(f"{name}: {value}" for name, value in kept.items() if name in pointed or not pointed)


def statements(text: str) -> Iterator[tuple[str, str]]:
    """Names and values, in lower case."""
    for line in lines(text.lower()):
        name, colon, value = line.partition(": ")
        if colon:
            yield name, value
