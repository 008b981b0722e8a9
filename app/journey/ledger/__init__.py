"""2 · The memo ledger: who owes what, in double entry. No money lies here; it is the lock, the check and the report."""
