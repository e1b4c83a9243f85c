"""The rooms of the `chatterbot` data set: reading and cleaning its conversations."""
