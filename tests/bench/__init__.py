"""Measurements, each as a ratio to something measured in the same run: no number of them is asserted anywhere."""
