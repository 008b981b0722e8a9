"""1 · A bill arrives: checked, stored as it came, acknowledged. Never lost."""
