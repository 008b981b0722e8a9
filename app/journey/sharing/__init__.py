"""What each company is given of its customer: one list of fields, and what of it was given to whom, since when."""
