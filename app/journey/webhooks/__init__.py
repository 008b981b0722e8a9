"""6 · Signed messages to the biller's own program, by Standard Webhooks. At least once, in the order of facts."""
