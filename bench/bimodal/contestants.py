"""Contestants by name: the models themselves, and the controls that are made of them by changing a setting or two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from bimodal import registry
from bimodal.errors import UsageError, unknown_name


@dataclass(frozen=True, slots=True)
class Recipe:
    """A contestant: a model, and the settings in which it differs from what everybody else gets."""

    model: str
    summary: str
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By section of RunConfig."""


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "gpt-wide": Recipe(
            "gpt",
            "gpt, widened to the parameters of multimodal: what does size alone buy?",
            {"match": {"quantity": "parameters"}},
        ),
        "gpt-long": Recipe(
            "gpt",
            "gpt, trained for as many FLOPs as multimodal: what does compute alone buy?",
            {"match": {"quantity": "train_flops"}},
        ),
        "multimodal-blank": Recipe(
            "multimodal",
            "multimodal, trained and tested on one constant picture, or silence: architecture without information",
            {"data": {"inputs": "blank"}},
        ),
        "multimodal-dropout": Recipe(
            "multimodal",
            "multimodal, trained without its picture or sound now and then: one model that serves with and without",
            {"train": {"modality_dropout": 0.3}},
        ),
    }
)

VARIANTS: Mapping[str, str] = MappingProxyType(
    {"int8": "the decoder's weights rounded to 8 bits after training: what do a quarter of the bytes cost and save?"}
)
"""What can be made of every trained contestant, as a contestant of its own beside it."""

SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "both": ("gpt", "multimodal"),
        "ladder": ("gpt", "gpt-wide", "gpt-long", "multimodal-blank", "multimodal"),
    }
)
"""Names for several contestants at once, in the order they run."""


def summaries() -> dict[str, str]:
    """Every contestant and set that `--model` takes, with what it is."""
    sets = {name: ", ".join(names) for name, names in SETS.items()}
    return registry.summaries("model") | {name: recipe.summary for name, recipe in RECIPES.items()} | sets


def named(model: str) -> tuple[str, ...]:
    """A set, or comma-separated names, as contestants.

    Raises:
        UsageError: a name does not exist, or stands there twice.
    """
    names = SETS.get(model) or tuple(part.strip() for part in model.split(",") if part.strip())
    known = registry.summaries("model")
    for name in names:
        if name not in known and name not in RECIPES:
            raise unknown_name("model", name, [*known, *RECIPES, *SETS])
    if not names or len(set(names)) != len(names):
        raise UsageError(f"--model needs each contestant once, got {model!r}.")
    return names


def settings_of(name: str, settings: Mapping[str, Any], variant: str | None = None) -> dict[str, Any]:
    """The settings of one contestant: everybody's, with what its recipe changes; or of a variant of it."""
    recipe = RECIPES.get(name) or Recipe(model=name, summary="")
    own = dict(settings) | {section: {**settings.get(section, {}), **of} for section, of in recipe.settings.items()}
    own |= {"model": {**settings.get("model", {}), "name": recipe.model}, "contestant": name}
    return (
        own if variant is None else own | {"contestant": f"{name}-{variant}", "variant": {"name": variant, "of": name}}
    )
