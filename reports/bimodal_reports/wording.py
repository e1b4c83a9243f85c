"""How metrics, costs, numbers and units are written, everywhere in the report and the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from bimodal.schema import Modality

METRIC_LABELS = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "exact_match": "exact match",
    "rouge_l": "ROUGE-L",
    "bits_per_byte": "bits per byte",
    "entity_f1": "entity F1",
    "span_f1": "span F1",
    "token_f1": "token F1",
    "ter": "TER",
    "cider_d": "CIDEr-D",
    "unigram_f1": "unigram F1",
    "distinct_1": "distinct 1-grams",
    "distinct_2": "distinct 2-grams",
}
_UNIT_DECIMALS = {"points": 1, "percent": 1, "words": 2, "fraction": 3, "ratio": 3, "bits/byte": 3, "bits/tag": 3}
_SI_STEPS = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def metric_label(name: str) -> str:
    """What readers call a metric: `bleu` is BLEU; a longer name (`entity_f1_PER`) begins like the one it refines."""
    for known in (name, *(prefix for prefix in METRIC_LABELS if name.startswith(f"{prefix}_"))):
        if known in METRIC_LABELS:
            return METRIC_LABELS[known] + name[len(known) :].replace("_", " ")
    return name.replace("_", " ")


def capitalised(text: str) -> str:
    """The text with a capital first letter; the rest stays as it is (`chrF` is a name: `ChrF` would be wrong)."""
    return text if text.startswith("chrF") else text[:1].upper() + text[1:]


def number(value: float, unit: str) -> str:
    """A score without its unit, to the decimals that mean something: `62.1`, `0.412`. Minus is U+2212."""
    text = f"{value:.{_UNIT_DECIMALS.get(unit, 3)}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def signed(value: float, unit: str) -> str:
    """A difference with its sign, `+62.1`; a zero has none."""
    text = number(value, unit)
    return text if text.startswith("−") or not any(digit in text for digit in "123456789") else f"+{text}"


def signed_amount(value: float, unit: str) -> str:
    """A difference with its sign and unit: `+62.1 points`; a fraction has no unit: `+0.021`."""
    return f"{signed(value, unit)} {unit_label(unit)}".strip()


def amount(value: float, unit: str) -> str:
    """A score difference with its unit: `62.1 points`, `0.412 bits per byte`."""
    written = number(value, unit)
    if unit == "points":
        return f"{written} {'point' if written == '1.0' else 'points'}"
    return f"{written} {unit_label(unit)}".strip()


def amount_of(value: float, unit: str, label: str) -> str:
    """A difference in a score, named once: `62.1 points of BLEU`, but `0.412 bits per byte`."""
    return amount(value, unit) if unit_label(unit) == label else f"{amount(value, unit)} of {label}"


def margin_amount(margin: float, unit: str) -> str:
    """A margin as it was declared, without decimals that nobody wrote: `1 point`, `0.05 bits per byte`."""
    if unit == "points":
        return f"{margin:g} {'point' if margin == 1 else 'points'}"
    return f"{margin:g} {unit_label(unit)}".strip()


def unit_label(unit: str) -> str:
    """A score's unit in words; a fraction has none."""
    return {"bits/byte": "bits per byte", "bits/tag": "bits per tag", "fraction": "", "ratio": ""}.get(unit, unit)


def interval(bounds: tuple[float, float], unit: str, *, with_sign: bool = False) -> str:
    """`58.0 to 66.3`."""
    write = signed if with_sign else number
    return f"{write(bounds[0], unit)} to {write(bounds[1], unit)}"


def ratio(value: float) -> str:
    """`3.4×`, with two decimals up to about 1, where they matter."""
    if value < 0.00995:
        return f"{value:.2g}×"
    return f"{value:.2f}×" if value < 1.095 else f"{value:.1f}×" if value < 9.95 else f"{value:,.0f}×"


def quantity(value: float, unit: str) -> str:
    """A cost with its unit, scaled to be readable: `7 min 6 s`, `24.1 MB`, `3.7 M`, `12.3 ms`."""
    if unit == "s":
        return _duration(value)
    if unit == "ms":
        return f"{value:,.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 10 else f"{value:.2f} ms"
    if unit in ("B", "FLOP"):
        return f"{_scaled(value)}{unit}"
    if unit == "J":
        return f"{_scaled(value)}J" if value >= 1e3 else f"{value:.3g} J"
    if unit == "":
        return _scaled(value).strip() if value >= 1e6 else f"{value:,.0f}"
    return f"{value:,.1f} {unit}"


def _scaled(value: float) -> str:
    for step, prefix in _SI_STEPS:
        if value >= 0.9995 * step:
            scaled = value / step
            return f"{scaled:.0f} {prefix}" if scaled >= 99.95 else f"{scaled:.3g} {prefix}"
    return f"{value:g} "


def _duration(seconds: float) -> str:
    if seconds < 99.5:
        return f"{seconds:.2f} s" if seconds < 0.995 else f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def probability(value: float, smallest: float = 0.0001) -> str:
    """A p-value: `= 0.023`; `≤ 0.0001` where it is no larger than the smallest that a method gives."""
    return f"≤ {smallest:.4f}" if value <= smallest else f"= {value:.3f}" if value >= 0.001 else f"= {value:.4f}"


def seeds_label(seeds: Sequence[int]) -> str:
    """Which trainings a number is about: `seed 0`, `mean of seeds 0, 1 and 2`."""
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"mean of seeds {joined([str(seed) for seed in seeds])}"


def joined(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


_PERCEIVING: dict[Modality, str] = {"image": "seeing the picture", "audio": "hearing the sound"}
_PERCEIVED: dict[Modality, str] = {"image": "picture", "audio": "sound"}


def perceiving(modalities: Sequence[Modality]) -> str:
    """What an extra modality lets a model do: `seeing the picture`."""
    return joined([_PERCEIVING[modality] for modality in modalities])


def perceived(modalities: Sequence[Modality]) -> str:
    """What a modality shows: `picture and sound`."""
    return joined([_PERCEIVED[modality] for modality in modalities]) or "input"
