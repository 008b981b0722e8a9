"""The demonstration: seeded people, billers with bills of our own making, a walk of the whole path.

Only the command line imports it; nothing here runs where the demo setting is off.
"""
