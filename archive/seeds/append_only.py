"""Tells all that was said in this episode, oldest first, whether it still holds or not."""

from collections.abc import Iterator

from sandbox.guest import Memory, MemoryDesign, Query, Step, Toolkit, Trajectory, lines


class AppendOnly(MemoryDesign):
    """Notes every statement, which is a line of the form "name: value", and never drops one.

    Where the value of one names another ("goal: lamp", "lamp: ..."), only what is so pointed at is told.
    """

    phases = frozenset({"begin", "step"})

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.noted: list[tuple[str, str]] = []

    def update(self, trajectory: Trajectory) -> None:
        """Learn nothing for other episodes."""

    def observe(self, step: Step) -> None:
        """Append."""
        self.noted.extend(statements(step.observation))

    def retrieve(self, query: Query) -> Memory:
        """Everything, or all that is pointed at."""
        noted = [*statements(query.task.observation), *self.noted]
        pointed = {name for name, _ in noted} & {value for _, value in noted}
        return Memory(f"{name}: {value}" for name, value in dict.fromkeys(noted) if name in pointed or not pointed)


def statements(text: str) -> Iterator[tuple[str, str]]:
    """Names and values, in lower case."""
    for line in lines(text.lower()):
        name, colon, value = line.partition(": ")
        if colon:
            yield name, value
