"""What the customer has allowed at their bank. No HTTP lives here."""
