"""Rules with a memory: long, random runs of calls to the real code, each answer held against a model that is too simple
to be wrong.

A run that breaks something is made as short as it can be and printed as the calls that led there. `make test` makes the
same runs every time, `make test-long` more of them, and ``FAULTS_LONGER=20`` twenty times as many, and other ones.
"""
