"""Sandbox banks that speak STET PSD2 1.4."""
