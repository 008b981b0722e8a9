"""3 · What a customer says of a bill instead of paying it: paid elsewhere, declined, disputed, more time,
instalments."""
