"""The answer in words: one sentence a busy reader cannot misread, with its numbers and units."""

from __future__ import annotations

from collections.abc import Sequence

from bimodal.schema import CostRatio, Difference, LookTaken, Modality, Pair, ProbeDrop
from bimodal.statistics import Needed, Outcome, VarianceParts, decide, inside_margin, needed_to_settle
from bimodal_reports.costs import LATENCY, TRAIN_TIME
from bimodal_reports.wording import (
    amount,
    amount_of,
    capitalised,
    interval,
    joined,
    margin_amount,
    metric_label,
    number,
    perceived,
    perceiving,
    probability,
    ratio,
    signed,
    signed_amount,
    unit_label,
)

OUTCOME_LABELS: dict[Outcome, str] = {
    "better": "Better",
    "worse": "Worse",
    "equivalent": "Equivalent",
    "inconclusive": "Inconclusive",
}
_COST_WORDS = {TRAIN_TIME: "training time", LATENCY: "latency"}


def outcome_of(difference: Difference, margin: float) -> Outcome:
    """The verdict on a difference by the rule of `bimodal.statistics.decide`.

    Two contestants that both score nothing at all are not equivalent: a test that neither of them can take does not
    tell them apart, and bootstrap intervals of zeros have no width whatever the number of examples.
    """
    if at_floor(difference):
        return "inconclusive"
    return decide(difference.ci95, difference.ci90, margin=margin, higher_is_better=difference.higher_is_better)


def at_floor(difference: Difference) -> bool:
    """Whether neither contestant scores anything."""
    return difference.higher_is_better and difference.baseline_value == difference.contestant_value == 0.0


def subject(
    baseline: str, contestant: str, extra: Sequence[Modality], *, outcome: Outcome, deranged: ProbeDrop | None = None
) -> str:
    """What is judged: `seeing the picture`, or `m2 instead of m1` where nothing more is perceived.

    A gain or a loss is not put down to a picture that, as the probe found, the contestant does not miss.
    """
    missed = deranged is None or uses_its_input(deranged) or outcome in {"equivalent", "inconclusive"}
    return perceiving(extra if missed else ()) or f"using {contestant} instead of {baseline}"


def deranged_of(contestant: str, metric: str, drops: Sequence[ProbeDrop]) -> ProbeDrop | None:
    """What a contestant loses with inputs dealt out anew; None if not probed, or if it scores nothing to lose."""
    mine = (drop for drop in drops if (drop.contestant, drop.metric, drop.probe) == (contestant, metric, "deranged"))
    return next((drop for drop in mine if drop.true_value > 0), None)


def headline(what: str, difference: Difference, outcome: Outcome) -> str:
    """The outcome in one short clause: `Seeing the picture raised BLEU by 62.1 points`."""
    label = metric_label(difference.metric)
    if outcome == "equivalent":
        return f"{capitalised(what)} made no difference to {label} worth paying for"
    if at_floor(difference):
        return f"Neither contestant scores above 0 {label}"
    if outcome == "inconclusive":
        return f"Too close to call whether {what} changes {label}"
    verb = "raised" if difference.value > 0 else "lowered"
    by = number(abs(difference.value), difference.unit)  # with its unit, unless that is the metric's name
    if unit_label(difference.unit) != label:
        by = amount(abs(difference.value), difference.unit)
    return f"{capitalised(what)} {verb} {label} by {by}"


def sentence(
    what: str,
    difference: Difference,
    margin: float,
    costs: Sequence[CostRatio],
    probe: str | None,
    look: LookTaken | None = None,
) -> str:
    """The verdict as it may be quoted: outcome, size, interval, both scores, examples, cost, and the probe."""
    outcome = outcome_of(difference, margin)
    main = headline(what, difference, outcome)
    details = {
        "better": _decided,
        "worse": _decided,
        "equivalent": _equivalent,
        "inconclusive": _inconclusive,
    }[outcome](difference, margin)
    if look is not None and outcome == "inconclusive" and look.taken == look.planned:
        details += "; all seeds that were allowed are used up"
    cost = cost_clause(costs)
    payer = what if at_floor(difference) else "it"
    text = f"{main} {details}{f'; {payer} costs {cost}' if cost else ''}."
    return f"{text} {probe}" if probe else text


def pair_notes(pair: Pair) -> tuple[str, ...]:
    """What stands small below a verdict: what every seed found, how often was looked, and among how many verdicts."""
    found = next(found for found in pair.differences if found.metric == pair.verdict.metric)
    notes = ["One training of each: how much trainings vary is unknown; see --seeds."]
    if len(pair.seeds) > 1:
        listed = ", ".join(f"{signed(one.value, found.unit)} (seed {one.seed})" for one in found.by_seed)
        notes = [f"By seed: {listed}."]
    if pair.look is not None:
        notes.append(f"Look {pair.look.taken} of {pair.look.planned} planned; the interval allows for all of them.")
    if pair.verdict.of_verdicts > 1:
        corrected = probability(pair.verdict.p_holm)
        notes.append(f"Corrected for {pair.verdict.of_verdicts} verdicts in this run (Holm): p {corrected}.")
    return tuple(notes)


def cost_clause(costs: Sequence[CostRatio]) -> str:
    """`3.4× the training time and 2.1× the latency`; empty where neither is known."""
    known = {cost.name: cost.ratio for cost in costs}
    return joined(
        [
            f"about the same {words}" if 0.95 <= known[name] <= 1.05 else f"{ratio(known[name])} the {words}"
            for name, words in _COST_WORDS.items()
            if name in known
        ]
    )


def _scores(difference: Difference) -> str:
    unit = difference.unit
    return f"{number(difference.contestant_value, unit)} against {number(difference.baseline_value, unit)}"


def _decided(difference: Difference, margin: float) -> str:
    low, high = sorted(abs(bound) for bound in difference.ci95)
    unit = difference.unit
    text = f"(95 % interval {interval((low, high), unit)}; {_scores(difference)}) {basis(difference)}"
    gained = (difference.value > 0) == difference.higher_is_better
    if not difference.higher_is_better:
        text += ", where less is better"
    if inside_margin(difference.ci90, margin):
        kind = "gain" if gained else "loss"
        text += f", a real {kind} but below the margin of {margin_amount(margin, unit)} declared before the run"
    elif gained and low < margin:
        text += f", but whether that reaches the declared margin of {margin_amount(margin, unit)} is open"
    return text


def _equivalent(difference: Difference, margin: float) -> str:
    unit = difference.unit
    return (
        f"({signed_amount(difference.value, unit)}, 90 % interval {interval(difference.ci90, unit, with_sign=True)}, "
        f"inside the declared margin of ±{margin_amount(margin, unit)}; {_scores(difference)}) {basis(difference)}"
    )


def _inconclusive(difference: Difference, margin: float) -> str:
    if at_floor(difference):
        return f"{basis(difference)}, so nothing can be said about what separates them"
    unit = difference.unit
    text = (
        f"({signed_amount(difference.value, unit)}, but the 95 % interval "
        f"{interval(difference.ci95, unit, with_sign=True)} includes 0 and is too wide for the declared margin of "
        f"±{margin_amount(margin, unit)}; {_scores(difference)}) {basis(difference)}"
    )
    return f"{text}; {_advice(needed(difference, margin), several=len(difference.by_seed) > 1)}"


def basis(difference: Difference) -> str:
    """What a difference was found on: `on 269 test examples and 3 training seeds`."""
    count = len(difference.by_seed)
    seeds = "one training seed" if count == 1 else f"{count} training seeds"
    return f"on {difference.examples:,} test examples and {seeds}"


def needed(difference: Difference, margin: float) -> Needed:
    """How many examples or seeds would settle an inconclusive difference."""
    variance = difference.variance
    return needed_to_settle(
        difference.value,
        None
        if variance is None
        else VarianceParts(variance.examples, variance.noise, variance.seeds, variance.degrees_of_freedom),
        margin,
        standard_error=difference.standard_error,
        examples=difference.examples,
        seeds=len(difference.by_seed),
    )


def _advice(needed: Needed, *, several: bool) -> str:
    """What would settle it, supposing that the true difference is the one seen."""
    chances = "would settle it (with 80 % power, if the true difference is this one)"
    examples = "" if needed.examples is None else f"about {needed.examples:,} test examples"
    if not several:
        return f"{examples} {chances}" if examples else "no number of test examples would settle it"
    if needed.seeds is not None:
        return f"about {needed.seeds} seeds{f', or {examples},' if examples else ''} {chances}"
    return f"more seeds alone would not settle it, {examples or 'nor would more examples'}" + (
        f" {chances}" if examples else ""
    )


def uses_its_input(drop: ProbeDrop) -> bool:
    """Whether changing the input costs quality: the interval of the drop lies above 0."""
    return drop.ci95[0] > 0


def probe_sentence(
    drop: ProbeDrop, unit: str, margin: float, modalities: Sequence[Modality], *, subject: str = "it"
) -> str:
    """What a probe says about a contestant: whether it uses what it is shown.

    An interval around 0 is called proof of absence only where it is narrower than the margin.
    """
    shown = perceived(modalities)
    changed = f"somebody else's {shown}" if drop.probe == "deranged" else f"its {shown} changed ({drop.probe})"
    label = metric_label(drop.metric)
    if uses_its_input(drop):
        return (
            f"With {changed}, {subject} loses {amount_of(drop.drop, unit, label)} "
            f"({interval(drop.ci95, unit)}) and scores {number(drop.probe_value, unit)}: it does use its {shown}."
        )
    if drop.ci95[1] < 0:
        return (
            f"With {changed}, {subject} does better, by {amount_of(-drop.drop, unit, label)} "
            f"({interval((-drop.ci95[1], -drop.ci95[0]), unit)}): its own {shown} misleads it."
        )
    narrow = max(abs(bound) for bound in drop.ci95) < margin
    unused = f"it does not use its {shown}" if narrow else f"nothing shows that it uses its {shown}"
    return (
        f"With {changed}, {subject} scores {number(drop.probe_value, unit)} against "
        f"{number(drop.true_value, unit)} {label}, no loss that can be told from 0 "
        f"({interval(drop.ci95, unit, with_sign=True)}): {unused}."
    )
