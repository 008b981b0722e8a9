"""6 · What customers are told: all of it in their space, and by the ways that they chose besides. What is sent has no
link, no amount and no word of a biller; an e-mail begins with the customer's own two words."""
