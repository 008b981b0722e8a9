"""2 · The customer's private space: the invoice, its life cycle and what it costs today."""
