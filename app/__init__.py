"""Quittance, our service. The journey of a bill is drawn in journey/route.py."""
