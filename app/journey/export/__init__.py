"""8 · Taken along: all that a customer has here, as one archive that anybody can check; and those of other places."""
