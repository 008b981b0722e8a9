"""Sandbox banks that speak NextGenPSD2 1.3.12, each with what real banks get wrong. Horizon Bank gets nothing wrong."""
