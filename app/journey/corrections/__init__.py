"""5 · What a biller says of its own bill later: a credit note, a new version, a withdrawal. It never edits a bill."""
