"""How data sets are fetched: terms, transfer, unpacking, checks."""
