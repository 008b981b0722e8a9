"""A seeded simulator of the money path: the real services against a bank, people and clocks that do their worst.

One seed is one history: the same seed, the same history, in every process. See README of the run: `python -m
tests.faults.sim --help`.
"""
