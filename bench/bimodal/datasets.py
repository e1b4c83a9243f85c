"""Loading data sets by name, from the user's cache folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bimodal import registry
from bimodal.errors import unknown_name
from bimodal.types import Dataset, Progress


def cache_dir() -> Path:
    """Where prepared data lives: `$BIMODAL_CACHE`, else the platform's cache folder for applications."""
    if chosen := os.environ.get("BIMODAL_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "bimodal"
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bimodal"


def load_dataset(name: str, variant: str, progress: Progress) -> Dataset:
    """Prepare a data set if need be (once; cached), verify it and return it.

    Args:
        name: a name of `bench list datasets`.
        variant: one of the data set's split variants, or `default`.
        progress: told about long work.

    Raises:
        UsageError: no such data set or variant.
        DataError: its files are missing or damaged; the message says which and what to do.
    """
    source = registry.load_source(name)
    chosen = source.variants[0] if variant == "default" else variant
    if chosen not in source.variants:
        raise unknown_name(f"variant of {name}", chosen, source.variants)
    return source.load(chosen, cache_dir(), progress)
