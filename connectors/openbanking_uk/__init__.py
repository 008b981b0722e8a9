"""UK Open Banking (OBL) Read/Write: version 4.0, and 3.1.11 as a dialect of it."""
