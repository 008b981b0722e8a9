"""5 · From the decision to the bank and back to the truth. The money path: docs/money-path.md."""
