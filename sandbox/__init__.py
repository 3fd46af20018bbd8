"""Where untrusted design code runs: backends, the pool, the broker, the image, and `guest`, all that a design can see.

What may live here: code that starts, feeds, limits and kills guests. What may not: domains, agents, scores, keys.
The host side imports `sandbox.guest` and nothing else of ours; `sandbox.guest` imports nothing of ours at all.
"""
