"""One question, once, after a payment or a dispute: whether it was easy. Companies are told counts alone."""
