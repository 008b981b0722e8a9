"""6 · What banks and billers say, beside what we say: differences are listed, never hidden."""
