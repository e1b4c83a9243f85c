"""Modality probes: the same checkpoint on changed inputs, to see whether a contestant uses what it is shown."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from bimodal.schema import Modality
from bimodal.stand_ins import StandIns
from bimodal.types import Example

ProbeKind = Literal["deranged", "blank", "noise", "dropped"]
PROBE_SEED = 0
"""The derangement is the same for every seed and contestant, so that probes are comparable."""
_ALL: tuple[Modality, ...] = get_args(Modality)


@dataclass(frozen=True, slots=True)
class ProbeOf:
    """One change to one modality; everything else stays true."""

    kind: ProbeKind
    modality: Modality


def probes_of(modalities: Sequence[Modality], examples: Sequence[Example]) -> dict[str, ProbeOf]:
    """Every probe of a contestant that perceives these modalities, by name: `blank`; with several, `image-blank`.

    There is nothing to derange where fewer than two examples have the modality.
    """
    kinds: tuple[ProbeKind, ...] = get_args(ProbeKind)
    return {
        kind if len(modalities) == 1 else f"{modality}-{kind}": ProbeOf(kind, modality)
        for modality in modalities
        for kind in kinds
        if kind != "deranged" or can_derange(examples, (modality,))
    }


def changed(examples: Sequence[Example], probe: ProbeOf, stand_ins: StandIns) -> tuple[Example, ...]:
    """The examples with one modality changed.

    `deranged`: everybody has somebody else's. `blank`: the mean training picture, or silence. `noise`: noise as bright,
    varied, loud and long as the truth. `dropped`: none at all.
    """
    if probe.kind == "deranged":
        return deranged(examples, seed=PROBE_SEED, modalities=(probe.modality,))
    if probe.kind == "dropped":
        return without(examples, (probe.modality,))
    make = stand_ins.blank if probe.kind == "blank" else stand_ins.noise
    return tuple(_with(example, (probe.modality,), make(example)) for example in examples)


def without(examples: Sequence[Example], modalities: Sequence[Modality]) -> tuple[Example, ...]:
    """The examples without these modalities."""
    return tuple(_with(example, modalities, _NOTHING) for example in examples)


def can_derange(examples: Sequence[Example], modalities: Sequence[Modality] = _ALL) -> bool:
    """Whether at least two examples have something to exchange."""
    return len(_holders(examples, modalities)) > 1


def deranged(examples: Sequence[Example], *, seed: int, modalities: Sequence[Modality] = _ALL) -> tuple[Example, ...]:
    """Give everybody who has a picture or sound somebody else's, in one fixed derangement.

    Sattolo's algorithm (1986) draws a permutation that is a single cycle, so nobody keeps their own. Where several
    examples share one picture, receivers of what they had anyway trade with somebody else, as far as that is possible.
    Text and target stay where they are; every picture is still used as often, and who has none gets none.

    Args:
        examples: at least two with something to exchange.
        seed: the permutation depends on nothing else.
        modalities: what is exchanged; the rest everybody keeps.

    Raises:
        ValueError: fewer than two examples to exchange between.
    """
    holders = _holders(examples, modalities)
    if len(holders) < 2:
        raise ValueError(f"A derangement needs at least 2 examples, got {len(holders)}.")
    given = _cycle(holders, random.Random(seed))
    own = [_perceived(examples[index], modalities) for index in holders]
    for place, giver in enumerate(given):
        if _perceived(examples[giver], modalities) == own[place]:
            for other, theirs in enumerate(given):
                mine_suits = _perceived(examples[giver], modalities) != own[other]
                if mine_suits and _perceived(examples[theirs], modalities) != own[place]:
                    given[place], given[other] = theirs, giver
                    break
    exchanged = list(examples)
    for receiver, giver in zip(holders, given, strict=True):
        exchanged[receiver] = _with(examples[receiver], modalities, examples[giver])
    return tuple(exchanged)


def _cycle(members: Sequence[int], draw: random.Random) -> list[int]:
    """A permutation of the members that is a single cycle."""
    order = list(members)
    for last in range(len(order) - 1, 0, -1):
        other = draw.randrange(last)  # never `last` itself: that is what makes it one cycle
        order[last], order[other] = order[other], order[last]
    return order


def _holders(examples: Sequence[Example], modalities: Sequence[Modality]) -> list[int]:
    return [index for index, example in enumerate(examples) if any(_perceived(example, modalities))]


def _perceived(example: Example, modalities: Sequence[Modality]) -> tuple[Path | None, ...]:
    return tuple(example.image if modality == "image" else example.audio for modality in modalities)


def _with(example: Example, modalities: Sequence[Modality], giver: Example) -> Example:
    """The example with these modalities of another one."""
    image = giver.image if "image" in modalities else example.image
    audio = giver.audio if "audio" in modalities else example.audio
    return replace(example, image=image, audio=audio)


_NOTHING = Example("", "", "")
