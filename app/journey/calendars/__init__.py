"""6 · Calendars: the days of bills, payments and plans as a feed that a customer's own calendar reads. It has no link."""
