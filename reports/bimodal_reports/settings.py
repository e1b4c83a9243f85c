"""In which settings two cells differ; the rule of fair comparison wants the list to be short."""

from __future__ import annotations

from typing import Any

from bimodal.schema import RunConfig

IDENTITY = (
    "contestant",
    "model.name",
    *("match", "match.quantity", "match.reference", "match.target", "match.reached"),
    *("variant", "variant.name", "variant.of"),
)
"""What a contestant is called, what it was made equal to, and what it is a variant of: differs by design."""


def flattened(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots: `{"train": {"epochs": 3}}` is `{"train.epochs": 3}`."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flattened(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def differing_settings(baseline: RunConfig, contestant: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Settings that are not the same, by dotted name, as (baseline's, contestant's).

    Leaves out who the contestant is.
    """
    left, right = flattened(baseline.model_dump()), flattened(contestant.model_dump())
    return {
        name: (left.get(name), right.get(name))
        for name in left | right
        if name not in IDENTITY and left.get(name) != right.get(name)
    }
