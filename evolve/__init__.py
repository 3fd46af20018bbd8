"""The outer loop: CLI, configuration, evaluation, strategies, proposers, agents, and the workers.

It imports the other three packages, and none of them imports it. Only `evolve.workers` imports ray.
"""
