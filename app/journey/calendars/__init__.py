"""6 · Calendars: the days of bills, payments and plans, as a feed for a customer's own calendar. It has no link."""
