"""The outer loop: CLI, configuration, evaluation, strategies, proposers, agents, and the workers.

It imports the other three packages, and none of them imports it. Only `evolve.workers` and `evolve.cluster` import ray.
"""
