"""Payments at once near a limit of a standing consent: a race of many processes (race.py).

``python -m tests.faults.limits`` runs it at full length and prints its figures.
"""
