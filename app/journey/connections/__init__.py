"""0 · Who may reach whom: a biller delivers to a customer only after this customer has accepted it."""
