"""Formats of the user's own data, one module each; see `bimodal.types.Format`."""
