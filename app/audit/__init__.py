"""The log that finds its own operator out: every fact of a payment, in one order that nobody can change unseen."""
