"""What a reader must know before believing a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bimodal.schema import CellResult, Difference, LookTaken, ProbeDrop
from bimodal_reports.conditions import measuring_notes
from bimodal_reports.settings import differing_settings
from bimodal_reports.tables import cell_label
from bimodal_reports.verdicts import uses_its_input
from bimodal_reports.wording import quantity, ratio, signed

_FEW_EXAMPLES = 100


def pair_caveats(
    pairs: Sequence[tuple[CellResult, CellResult]],
    primary: Difference,
    *,
    failed: Mapping[str, str],
    probes: Sequence[ProbeDrop],
    look: LookTaken | None = None,
) -> tuple[str, ...]:
    """Every inequality left between two contestants, and every reason why a verdict on them may not carry over.

    `pairs` are (baseline, contestant) cells, one pair per seed; what is true of several is said once.
    """
    baseline, contestant = pairs[0]
    unequal = [
        note
        for low, high in pairs
        for note in (*_unequal_text(low, high), *_unequal_settings(low, high), *_kernels(low, high))
    ]
    trained = [note for pair in pairs for cell in pair for note in _training(cell, several=len(pairs) > 1)]
    notes = (
        *(contestant.inputs_seen.conditions if contestant.inputs_seen else ()),
        *_part_of_the_data(contestant),
        *_unused_input(contestant, probes),
        *_seeds(primary),
        *_looks(look),
        *_unequal_size(baseline, contestant),
        *unequal,
        *trained,
        *measuring_notes([cell for pair in pairs for cell in pair]),
        *_few_examples(primary.examples),
        *_failed(failed),
    )
    return tuple(dict.fromkeys(notes))


def _part_of_the_data(cell: CellResult) -> tuple[str, ...]:
    data, seen = cell.config.data, cell.inputs_seen
    notes = []
    if cell.config.preset == "smoke":
        notes.append("The smoke preset shows that everything works; its scores answer nothing. Use --preset small.")
    if seen is not None and (data.train_limit or data.validation_limit or data.test_limit):
        notes.append(
            f"Only part of the data was used: {seen.train_examples:,} training, {seen.validation_examples:,} "
            f"validation and {seen.test_examples:,} test examples."
        )
    return tuple(notes)


def _unused_input(contestant: CellResult, probes: Sequence[ProbeDrop]) -> tuple[str, ...]:
    name = contestant.config.contestant
    return tuple(
        f"{name} does not measurably lose when its inputs are {drop.probe}: whatever sets it apart, it is not the "
        "information in them."
        for drop in probes
        if not uses_its_input(drop)
    )


def _seeds(primary: Difference) -> tuple[str, ...]:
    found = primary.by_seed
    if len(found) == 1:
        return (
            "One training seed: how much the result varies from training to training is unknown. The interval "
            "covers the choice of test examples only, and the verdict speaks of these two checkpoints.",
        )
    notes = []
    if len(found) == 2:
        notes.append("Two training seeds barely show how much trainings vary, which widens the interval: use more.")
    if min(one.value for one in found) < 0 < max(one.value for one in found):
        listed = ", ".join(f"{signed(one.value, primary.unit)} (seed {one.seed})" for one in found)
        notes.append(f"The trainings do not agree on the direction: {listed}.")
    return tuple(notes)


def _looks(look: LookTaken | None) -> tuple[str, ...]:
    if look is None:
        return ()
    return (
        f"Seeds were added until the verdict settled: look {look.taken} of {look.planned} planned. Intervals and "
        f"p-values allow for all of them (this look at {look.alpha95:.1%} instead of 5 %).",
    )


def _unequal_text(baseline: CellResult, contestant: CellResult) -> tuple[str, ...]:
    left, right = baseline.inputs_seen, contestant.inputs_seen
    if left is None or right is None or left.text_sha256 == right.text_sha256:
        return ()
    return ("The contestants did not get the same text, so the difference is not due to the modality alone.",)


def _unequal_settings(baseline: CellResult, contestant: CellResult) -> tuple[str, ...]:
    unequal = differing_settings(baseline.config, contestant.config)
    if not unequal:
        return ()
    listed = "; ".join(f"{name}: {left} against {right}" for name, (left, right) in unequal.items())
    return (f"Settings differ besides the model ({listed}).",)


def _unequal_size(baseline: CellResult, contestant: CellResult) -> tuple[str, ...]:
    if baseline.cost is None or contestant.cost is None:
        return ()
    left, right = baseline.cost, contestant.cost
    if left.parameters == 0 or abs(right.parameters / left.parameters - 1) <= 0.01:
        return ()
    names = baseline.config.contestant, contestant.config.contestant
    text = (
        f"Unequal size: {names[1]} has {quantity(right.parameters, '')} parameters, {names[0]} has "
        f"{quantity(left.parameters, '')} ({ratio(right.parameters / left.parameters)})"
    )
    flops = left.train.flops, right.train.flops
    if not isinstance(flops[0], str) and not isinstance(flops[1], str) and flops[0] > 0:
        text += f", and was trained with {ratio(flops[1] / flops[0])} the compute"
    return (f"{text}. Some of a gain can come from size alone.",)


def _kernels(baseline: CellResult, contestant: CellResult) -> tuple[str, ...]:
    notes = []
    used = {cell.config.contestant: cell.kernel_used for cell in (baseline, contestant)}
    for name, kernel in used.items():
        if kernel is not None and kernel.requested not in ("auto", kernel.name):
            notes.append(
                f"{name} asked for the {kernel.requested} kernel and ran {kernel.name}: {kernel.reason.rstrip('.')}."
            )
    ran = [kernel.name for kernel in used.values() if kernel is not None]
    if len(set(ran)) > 1:
        notes.append(f"The contestants ran different attention kernels ({' and '.join(ran)}): costs do not compare.")
    return tuple(notes)


def _training(cell: CellResult, *, several: bool) -> tuple[str, ...]:
    name, train = cell_label(cell, several), cell.train
    if train is None:
        return ()
    notes = []
    if train.stopped_early:
        notes.append(
            f"{name} stopped early after {train.steps:,} of {train.planned_steps:,} steps, without a better "
            f"validation loss since step {train.best_step:,}."
        )
    if train.resumed_at_steps:
        notes.append(f"The training of {name} was interrupted and resumed; its training time adds up all attempts.")
    return tuple(notes)


def _few_examples(examples: int) -> tuple[str, ...]:
    if examples >= _FEW_EXAMPLES:
        return ()
    return (f"Only {examples} test examples: bootstrap intervals are rough below {_FEW_EXAMPLES}.",)


def _failed(failed: Mapping[str, str]) -> tuple[str, ...]:
    if not failed:
        return ()
    cells = ", ".join(failed)
    return (f"Not part of this comparison, for lack of a result: {cells}.",)
