"""Erasing a customer's space: what goes at once, what the law keeps for a while, and what is said of both."""
