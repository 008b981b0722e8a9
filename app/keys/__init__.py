"""The installation's keys: in their files, and the turn of those that seal secrets."""
