"""Which bank a customer pays from: finding it, and what we know of it before anybody is sent there."""
