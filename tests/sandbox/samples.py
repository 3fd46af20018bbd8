"""Tiny designs and records that the tests of the sandbox share."""

from __future__ import annotations

from sandbox.guest.design import Item, Query, Retrieved, Step, Task, Trajectory

HEAD = "from sandbox.guest import Item, Memory, MemoryDesign, Query, Step, ToolError, Trajectory\n"


def design(*methods: str, name: str = "Sample", head: str = "") -> str:
    """A module with one design; `update` and `retrieve` are filled in where they are not given."""
    body = list(methods)
    if not any("def update" in each for each in body):
        body.append("def update(self, trajectory): pass")
    if not any("def retrieve" in each for each in body):
        body.append("def retrieve(self, query): return []")
    indented = "\n".join("    " + line for each in body for line in each.splitlines())
    return f"{HEAD}{head}\nclass {name}(MemoryDesign):\n{indented}\n"


REMEMBERS = design(
    "instructions = 'Do what worked.'",
    "phases = frozenset({'begin', 'step'})",
    "def __init__(self, toolkit):\n    super().__init__(toolkit)\n    self.kept = []",
    "def update(self, trajectory):\n"
    "    self.kept += [s.action for s in trajectory.steps if s.reward > 0]\n"
    "    print('kept', len(self.kept))",
    "def retrieve(self, query):\n    return Memory([Item(f'i{n}', text) for n, text in enumerate(self.kept)])",
    "def observe(self, step):\n    self.kept.append(step.action)",
    "def manage(self):\n    self.kept.sort()",
)

TASK = Task("cook-1", "kitchen", "Cook the carrot.", "You are in a kitchen. Café ☕ 🥕.")
STEPS = (Step("take knife", "You hold it.", 0.5, False), Step("look", "A kitchen.", 0, False))
TRAJECTORY = Trajectory(TASK, STEPS, 0.5, False, (Retrieved(0, (Item("a", "b"),)),))


def query(observation: str = "", *, goal: str = "") -> Query:
    task = Task("t", "d", goal, observation) if goal else TASK
    return Query(task, observation or TASK.observation)
