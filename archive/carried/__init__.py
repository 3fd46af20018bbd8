"""The code that an exported module carries beside its design: a toolkit, a memory that is saved, a self-test.

What may live here: the standard library, and the names of `sandbox.guest` that every exported module has anyway.
"""
