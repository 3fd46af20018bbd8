"""Agents that play the domains' tasks, behind the one contract of `evolve.agents.base`."""
