"""Standing consents: what a customer allows at their banks, and how much of it is claimed."""
