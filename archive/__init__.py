"""What is kept: tables, the store, lineage, and the human-made starter designs in `seeds/`.

What may live here: everything about rows and files that outlive a run. What may not: search, play, sandboxes.
May import `sandbox.guest` for the contract's data types.
"""
