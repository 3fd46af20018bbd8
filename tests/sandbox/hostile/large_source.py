"""Source that is too much: five megabytes, and little that would become much."""

HEAD = "from sandbox.guest import MemoryDesign\n\nclass Hostile(MemoryDesign):\n    x = "

SOURCES = {
    "five megabytes": HEAD + "'" + "x" * 5_000_000 + "'",
    "a huge integer": HEAD + "9" * 50_000,
}
