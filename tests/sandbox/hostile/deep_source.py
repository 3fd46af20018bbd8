"""Source nested so deeply that a parser, or whoever walks its tree, would crash."""

HEAD = "from sandbox.guest import MemoryDesign\n\nclass Hostile(MemoryDesign):\n    x = "

SOURCES = {
    "brackets": HEAD + "[" * 20_000 + "]" * 20_000,
    "unary": HEAD + "-" * 50_000 + "1",
    "attributes": HEAD + "a" + ".a" * 20_000,
    "operators": HEAD + "1" + "+1" * 20_000,
    "lambdas": HEAD + "lambda: " * 5_000 + "1",
    "blocks": "\n".join(" " * depth + "if 1:" for depth in range(99)) + "\n" + " " * 99 + "pass",
    "calls": HEAD + "f(" * 150 + ")" * 150,
}
