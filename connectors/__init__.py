"""How we speak to banks: no database, no Flask. Start at README.md in this folder."""
