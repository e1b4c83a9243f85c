"""The rooms of the `tuxpaint` data set: the package, stamps and their splits."""
