"""Where it pays: found on one half, confirmed on the other."""

from bimodal.schema import SliceSearch
from bimodal_reports import Evidence, compare
from bimodal_reports.slice_section import slice_answers

from .factories import answers, make_config, make_manifest, make_result, make_rows, make_targets


def search_of(gain_inside: float, gain_elsewhere: float, *, examples: int = 240) -> SliceSearch | None:
    """A run in which multimodal keeps more of the targets of every third example than of the others."""
    targets = make_targets(examples)
    inside = [index % 3 == 0 for index in range(examples)]
    low = answers(targets, 0.3, seed=1)
    high = [answers(targets, 0.3 + gain, seed=2) for gain in (gain_elsewhere, gain_inside)]
    mixed = [high[within][index] for index, within in enumerate(inside)]
    configs = make_config("gpt"), make_config("multimodal")
    rows = make_rows(targets, low), make_rows(targets, mixed)
    results = [make_result(config, found) for config, found in zip(configs, rows, strict=True)]
    manifest = make_manifest(list(configs))
    slices = {row.id: {"third": "yes" if inside[i] else "no", "odd": str(i % 2)} for i, row in enumerate(rows[0])}
    evidence = Evidence(slices={(manifest.datasets[0].task, manifest.datasets[0].fingerprint): slices})
    predictions = {config.cell: found for config, found in zip(configs, rows, strict=True)}
    (task,) = compare(manifest, results, predictions, {}, evidence).tasks
    return task.slices


def searched(gain_inside: float, gain_elsewhere: float) -> SliceSearch:
    """The same, where there is something to search."""
    found = search_of(gain_inside, gain_elsewhere)
    assert found is not None
    return found


def test_a_slice_that_gains_more_is_found_and_confirmed_and_an_idle_one_is_not() -> None:
    search = searched(0.65, 0.1)
    assert [(gain.key, gain.confirmed) for gain in search.found] == [("third", True)]
    (gain,) = search.found
    assert gain.ci95[0] <= gain.gain <= gain.ci95[1]
    assert (gain.gain > gain.elsewhere) == (gain.value == "yes")
    assert "where third is" in slice_answers(search)[0]


def test_twins_are_tried_once() -> None:
    assert searched(0.3, 0.3).tried == 2


def test_where_all_gain_alike_nothing_is_confirmed() -> None:
    search = searched(0.3, 0.3)
    assert not any(gain.confirmed for gain in search.found)
    assert slice_answers(search)[0].startswith("Nothing shows")


def test_slices_that_are_too_small_are_not_tried() -> None:
    assert search_of(0.3, 0.3, examples=30) is None
