"""Customers and billers: who they are, and how they prove it."""
