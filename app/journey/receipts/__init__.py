"""6 · Proof of payment: one receipt for every settled payment, saying which bank fact it rests on."""
