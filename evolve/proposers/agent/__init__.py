"""A model that reads the history by tools and proposes by one, like Meta-Harness (arXiv 2603.28052)."""
