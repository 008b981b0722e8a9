"""A storm over the real programs: everything is killed, frozen and cut off while people pay, then the books are held
against the bank's.

`python -m tests.faults.storm --minutes 30 --seed 7`
"""
