"""The steps of the nearest successful episode (Trajectory Retrieval, the strongest simple baseline of ALMA's paper)."""

from sandbox.guest import Memory, MemoryDesign, Query, Toolkit, Trajectory, words


class NearestTrajectory(MemoryDesign):
    """Tells the actions of the success whose goal and first observation share most words with the query's.

    Where no episode succeeded, the nearest of those with the highest score stands in.
    """

    def __init__(self, toolkit: Toolkit) -> None:
        super().__init__(toolkit)
        self.episodes: list[tuple[set[str], Trajectory]] = []

    def update(self, trajectory: Trajectory) -> None:
        """Keep the episode as it is."""
        task = trajectory.task
        self.episodes.append((set(words(f"{task.goal} {task.observation}")), trajectory))

    def retrieve(self, query: Query) -> Memory:
        """The actions of one episode in their order."""
        if not self.episodes:
            return Memory()
        asked = set(words(f"{query.task.goal} {query.observation}"))
        best = max(trajectory.score for _, trajectory in self.episodes)
        candidates = [pair for pair in self.episodes if pair[1].success or pair[1].score == best]
        _, nearest = max(candidates, key=lambda pair: len(asked & pair[0]) / max(1, len(asked | pair[0])))
        return Memory(dict.fromkeys(step.action for step in nearest.steps))
