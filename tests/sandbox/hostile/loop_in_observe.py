"""Never finishes to look at a step of an episode that was asked to attack."""

from sandbox.guest import Memory, MemoryDesign, Query, Step, Trajectory


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def observe(self, step: Step) -> None:
        while step.action == "attack":
            pass

    def retrieve(self, query: Query) -> Memory:
        return Memory(["calm"])
