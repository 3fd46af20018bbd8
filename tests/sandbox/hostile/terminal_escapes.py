"""Puts what steers a terminal, markup and a script into everything that somebody may print of it."""

from sandbox.guest import Item, Memory, MemoryDesign, Query, Trajectory

TEXT = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b1m\x1b]8;;http://192.0.2.1\x1b\\click\r\x08\x00\x7f\u202eltr\u2066\u200b"
    "[bold]markup[/bold] [/] [link=http://192.0.2.1]x[/link] :skull: <script>alert(1)</script> <!-- \u2028 end"
)


class Hostile(MemoryDesign):
    instructions = TEXT

    def update(self, trajectory: Trajectory) -> None:
        print(TEXT)

    def retrieve(self, query: Query) -> Memory:
        if query.observation == "attack":
            raise type(TEXT.replace("\0", ""), (ValueError,), {})(TEXT)
        return Memory([Item(TEXT, TEXT)])


Hostile.__name__ = TEXT.replace("\0", "")
