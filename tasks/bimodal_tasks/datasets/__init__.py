"""Data sets, one module each, with a `SOURCE` that says where the data comes from and loads it."""
