"""Strategies decide what to do next. Each is a few lines behind `ask` and `tell`, and has no state but the archive."""
