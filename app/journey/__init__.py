"""The rooms a bill walks through, in order. route.py is the timetable."""
