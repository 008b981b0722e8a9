"""6 · Messages to customers: no link, no amount, no word of a biller; each begins with the customer's own two words."""
