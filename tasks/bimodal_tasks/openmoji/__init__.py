"""The rooms of the `openmoji` data set: parts of an emoji, names, pictures, look-alikes, splits."""
