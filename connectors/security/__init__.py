"""How we prove who we are to a bank, and how an approval is bound to us: apart from any payment standard."""
