"""6 · Signed messages to the biller's program (Standard Webhooks). At least once, each with the time of its fact."""
