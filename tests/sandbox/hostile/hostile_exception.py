"""Raises an exception that fights back: its name, its text and its traceback all fail when they are read."""

from sandbox.guest import Memory, MemoryDesign, Query, Trajectory


class Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError


class Trap(Exception, metaclass=Nameless):  # noqa: N818
    def __str__(self) -> str:
        raise SystemExit

    def __getattribute__(self, name: str) -> object:
        raise KeyboardInterrupt


class Hostile(MemoryDesign):
    def update(self, trajectory: Trajectory) -> None:
        return

    def retrieve(self, query: Query) -> Memory:
        if query.observation == "attack":
            raise Trap
        return Memory(["calm"])
