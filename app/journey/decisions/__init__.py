"""4 · What the customer decided, with the evidence of it."""
