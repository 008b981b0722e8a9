"""kill -9 at every failpoint under every behaviour of the bank, on real processes and both databases.

``python -m tests.faults.kill`` runs all cells of plan.py, each on a fresh database. course.py is one cell: a web
process and a worker, one of which kills itself at its point; then another one takes over. judge.py holds what is left
against the bank's own file.
"""
