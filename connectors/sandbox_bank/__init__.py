"""The fake bank: without it nobody could pay a bill on a laptop or in a test. Start at README.md here."""
