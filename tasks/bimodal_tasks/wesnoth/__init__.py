"""The rooms of the `wesnoth` data set: packages, scenes, portraits, translations, splits."""
