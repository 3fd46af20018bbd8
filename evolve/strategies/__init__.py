"""Strategies decide what to do next. Each is a few lines behind `ask`, and knows what the archive knows."""
