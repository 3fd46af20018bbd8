"""Starter designs made by people. Each file is a whole design, written against the contract alone.

What may live here: modules that import from `sandbox.guest` and hold one design. They run in the sandbox like any.
"""
