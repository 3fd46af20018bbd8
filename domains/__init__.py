"""The tasks: seeded text environments behind one contract, each with five fixed, disjoint, versioned roles.

What may live here: environments and the games they play. What may not: agents, memory, scoring across episodes.
May import `sandbox.guest` for the contract's data types.
"""
