"""Plans: on which days, and how much at a time, a customer means to pay a bill. A plan moves nothing."""
