"""UK banks that are not real: they speak OBL Read/Write 4.0 and 3.1.11, some by the book, some in ways of their own."""
