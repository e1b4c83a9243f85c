"""Contestants: each top-level module that defines `MODEL` is one, found by its name."""
