"""Source that is no text: null bytes, and half a surrogate pair."""

HEAD = "from sandbox.guest import MemoryDesign\n\nclass Hostile(MemoryDesign):\n    x = "

SOURCES = {
    "null": HEAD + "1\0",
    "null in a string": HEAD + "'\0'",
    "surrogate": HEAD + "'\ud800'",
}
