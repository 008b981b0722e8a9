"""What an operator is told about a bank: what it can do, and step by step whether it can be spoken to."""
