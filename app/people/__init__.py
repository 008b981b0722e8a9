"""Customers and billers: who they are, how they prove it, and how they are connected."""
