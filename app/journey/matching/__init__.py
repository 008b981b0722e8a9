"""How a received bill meets what its customer allows, and what each bank could do otherwise."""
