"""Money ahead: what a customer says they have, what is due, and when to pay what. Nothing is paid by it."""
