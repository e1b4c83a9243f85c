"""Loading data sets by name, from the user's cache folder."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from bimodal import registry
from bimodal.masking import with_masked_text
from bimodal.schema import DataConfig
from bimodal.types import Dataset, Progress


def cache_dir() -> Path:
    """Where prepared data lives: `$BIMODAL_CACHE`, else the platform's cache folder for applications."""
    if chosen := os.environ.get("BIMODAL_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "bimodal"
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bimodal"


def load_dataset(data: DataConfig, progress: Progress) -> Dataset:
    """Prepare a data set if need be (once; cached), verify it and return it in full.

    Args:
        data: a name of `bench list datasets` and its options.
        progress: told about long work.

    Raises:
        UsageError: no such data set or variant, or an option that it does not have.
        DataError: its files are missing or damaged; the message says which and what to do.
    """
    source = registry.load_source(data.name)
    wanted = source.resolved(data.whole)
    dataset = source.load(wanted, cache_dir(), progress)
    dataset = replace(
        dataset, record=dataset.record.model_copy(update={"task": wanted.task, "language": wanted.language})
    )
    if wanted.speech.engine == "none":
        return dataset
    from bimodal.speech import spoken  # numpy and the library: only where something is to be said

    dataset = spoken(dataset, wanted.speech, cache_dir(), progress)
    return dataset if wanted.dial is None or source.dial is not None else with_masked_text(dataset, wanted.dial)
