"""8 · Taken along: all that a customer has here as one archive that a stranger can check, and archives of other places."""
