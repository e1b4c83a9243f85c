from __future__ import annotations

import subprocess
import sys

import pytest

from bimodal.errors import DataError
from bimodal.looks import plan_looks
from bimodal.schema import Comparison, DataConfig, Pair, PredictionRow
from bimodal_reports.compare import compare

from .factories import (
    FakeRun,
    answers,
    make_config,
    make_dataset,
    make_failed,
    make_manifest,
    make_result,
    make_rows,
    make_run,
    make_seed_runs,
    make_targets,
)

TARGETS = make_targets(40)


def compared(run: FakeRun) -> Comparison:
    return compare(run.manifest, run.results, run.predictions, run.probes)


def only_pair(run: FakeRun) -> Pair:
    (pair,) = compared(run).tasks[0].pairs
    return pair


def test_seeing_more_of_the_target_is_better_by_the_difference_of_the_scores() -> None:
    run = make_run(keep=(0.3, 0.9, 0.3))
    pair = only_pair(run)
    bleu = next(found for found in pair.differences if found.metric == "bleu")
    gpt, multimodal = (result.metrics["bleu"].value for result in run.results)
    assert pair.verdict.outcome == "better"
    assert (bleu.baseline_value, bleu.contestant_value) == pytest.approx((gpt, multimodal))
    assert bleu.value == pytest.approx(multimodal - gpt)
    assert bleu.ci95[0] <= bleu.ci90[0] <= bleu.value <= bleu.ci90[1] <= bleu.ci95[1]


def test_seeing_less_of_the_target_is_worse() -> None:
    assert only_pair(make_run(keep=(0.9, 0.3, 0.3))).verdict.outcome == "worse"


def test_the_same_predictions_are_equivalent() -> None:
    run = make_run()
    gpt, multimodal = run.manifest.cells
    rows = run.predictions[gpt.cell]
    same = FakeRun(
        run.manifest,
        (make_result(gpt, rows), make_result(multimodal, rows)),
        {gpt.cell: rows, multimodal.cell: rows},
        {},
        {},
        {},
    )
    pair = only_pair(same)
    assert pair.verdict.outcome == "equivalent"
    assert {found.p_value for found in pair.differences} == {1.0}


def test_a_few_examples_of_two_equal_contestants_are_inconclusive() -> None:
    assert only_pair(make_run(keep=(0.5, 0.5, 0.5))).verdict.outcome == "inconclusive"


def test_comparing_twice_gives_the_same_record() -> None:
    run = make_run(12)
    assert compared(run) == compared(run)


def test_the_order_of_predictions_does_not_matter() -> None:
    run = make_run(12)
    shuffled = {cell: rows[::-1] if "multimodal" in cell else rows for cell, rows in run.predictions.items()}
    assert compare(run.manifest, run.results, shuffled, run.probes) == compared(run)


def test_drop_is_what_deranged_pictures_cost() -> None:
    run = make_run(keep=(0.3, 0.9, 0.3))
    drops = {drop.metric: drop for drop in compared(run).tasks[0].probes}
    bleu = drops["bleu"]
    assert (bleu.contestant, bleu.probe) == ("multimodal", "deranged")
    assert bleu.drop == pytest.approx(bleu.true_value - bleu.probe_value)
    assert 0 < bleu.ci95[0] < bleu.drop < bleu.ci95[1]


def test_drop_is_positive_for_a_loss_where_less_is_better() -> None:
    drops = {drop.metric: drop for drop in compared(make_run()).tasks[0].probes}
    bits = drops["bits_per_byte"]
    assert bits.probe_value > bits.true_value
    assert 0 < bits.ci95[0] < bits.drop < bits.ci95[1]


def test_verdict_says_that_a_model_uses_its_picture() -> None:
    assert only_pair(make_run(keep=(0.3, 0.9, 0.3))).verdict.sentence.endswith("it does use its picture.")


def test_a_model_that_ignores_its_picture_is_called_out_first() -> None:
    run = make_run()
    multimodal = run.manifest.cells[1]
    rows = run.predictions[multimodal.cell]
    results = (run.results[0], make_result(multimodal, rows, deranged=rows))
    comparison = compare(run.manifest, results, run.predictions, {(multimodal.cell, "deranged"): rows})
    verdict = comparison.tasks[0].pairs[0].verdict
    assert verdict.sentence.endswith("it does not use its picture.")
    assert verdict.caveats[0].startswith("multimodal does not measurably lose when its inputs are deranged")


def test_a_model_that_scores_nothing_is_not_accused_of_ignoring_its_picture() -> None:
    gpt, multimodal = make_config("gpt"), make_config("multimodal")
    rows = make_rows(TARGETS, ["zzz"] * len(TARGETS))
    results = (make_result(gpt, rows), make_result(multimodal, rows, deranged=rows))
    predictions = {gpt.cell: rows, multimodal.cell: rows}
    comparison = compare(make_manifest([gpt, multimodal]), results, predictions, {(multimodal.cell, "deranged"): rows})
    verdict = comparison.tasks[0].pairs[0].verdict
    assert verdict.outcome == "inconclusive"
    assert "somebody else" not in verdict.sentence
    assert not any("deranged" in caveat for caveat in verdict.caveats)


def test_a_failed_cell_is_listed_and_the_others_are_compared() -> None:
    run = make_run(12)
    broken = make_config("audio-gpt")
    manifest = make_manifest([*run.manifest.cells, broken])
    task = compare(manifest, (*run.results, make_failed(broken)), run.predictions, run.probes).tasks[0]
    assert task.failed == {broken.cell: "DivergedError: the loss is not finite at step 12"}
    assert task.contestants == ("gpt", "multimodal", "audio-gpt")
    assert len(task.pairs) == 1
    assert any(broken.cell in caveat for caveat in task.pairs[0].verdict.caveats)


def test_a_cell_the_run_never_reached_is_listed() -> None:
    run = make_run(12)
    missing = run.manifest.cells[1]
    task = compare(run.manifest, run.results[:1], run.predictions, {}).tasks[0]
    assert "the run ended before this cell did" in task.failed[missing.cell]
    assert task.pairs == ()


def test_one_contestant_has_samples_and_no_pairs() -> None:
    run = make_run(12)
    manifest = make_manifest(run.manifest.cells[:1])
    task = compare(manifest, run.results[:1], run.predictions, {}).tasks[0]
    assert (task.contestants, task.pairs, len(task.samples)) == (("gpt",), (), 12)


def test_without_any_result_everything_is_listed_as_failed() -> None:
    cells = make_run(12).manifest.cells
    task = compare(make_manifest(cells), [make_failed(cell) for cell in cells], {}, {}).tasks[0]
    assert set(task.failed) == {cell.cell for cell in cells}
    assert task.samples == ()


def test_gpt_is_the_baseline_wherever_it_stands() -> None:
    run = make_run(12)
    manifest = make_manifest(run.manifest.cells[::-1])
    task = compare(manifest, run.results[::-1], run.predictions, run.probes).tasks[0]
    assert task.contestants == ("gpt", "multimodal")
    assert (task.pairs[0].baseline, task.pairs[0].contestant) == ("gpt", "multimodal")


def test_the_first_contestant_is_the_baseline_where_gpt_failed() -> None:
    run = make_run(12)
    gpt, multimodal = run.manifest.cells
    other = make_config("multimodal-small")
    rows = make_rows(TARGETS[:12], answers(TARGETS[:12], 0.5, seed=9))
    task = compare(
        make_manifest([gpt, multimodal, other]),
        (make_failed(gpt), run.results[1], make_result(other, rows)),
        run.predictions | {other.cell: rows},
        run.probes,
    ).tasks[0]
    assert (task.pairs[0].baseline, task.pairs[0].contestant) == ("multimodal", "multimodal-small")
    assert task.pairs[0].verdict.sentence.lower().find("using multimodal-small instead of multimodal") >= 0


def test_all_seeds_of_a_contestant_are_one_pair_with_one_verdict() -> None:
    run = make_seed_runs(3)
    (pair,) = compared(run).tasks[0].pairs
    bleu = next(found for found in pair.differences if found.metric == "bleu")
    scores = [result.metrics["bleu"].value for result in run.results]
    assert (pair.contestant, pair.seeds) == ("multimodal", (0, 1, 2))
    assert [one.value for one in bleu.by_seed] == pytest.approx([scores[i + 1] - scores[i] for i in (0, 2, 4)])
    assert bleu.value == pytest.approx(sum(one.value for one in bleu.by_seed) / 3)
    assert bleu.variance is not None
    assert bleu.variance.examples + bleu.variance.noise + bleu.variance.seeds == pytest.approx(bleu.standard_error**2)
    assert "and 3 training seeds" in pair.verdict.sentence


def test_repeated_looks_widen_the_interval_and_scale_the_p_value() -> None:
    run = make_seed_runs(5, keep=(0.5, 0.6, 0.5))
    once = compared(run).tasks[0].pairs[0]
    looked = compare(
        run.manifest.model_copy(update={"looks": plan_looks(5, 10)}), run.results, run.predictions, run.probes
    )
    pair = looked.tasks[0].pairs[0]
    assert once.look is None
    assert pair.look is not None
    assert (pair.look.taken, pair.look.planned) == (1, 6)
    for before, after in zip(once.differences, pair.differences, strict=True):
        assert after.ci95[0] < before.ci95[0] < before.ci95[1] < after.ci95[1]
        assert after.p_value == pytest.approx(min(1.0, before.p_value * 0.05 / pair.look.alpha95))
    assert any("look 1 of 6 planned" in caveat for caveat in pair.verdict.caveats)


def test_one_seed_says_that_it_speaks_of_two_checkpoints() -> None:
    pair = only_pair(make_run(12))
    assert pair.differences[0].variance is None
    assert any("speaks of these two checkpoints" in caveat for caveat in pair.verdict.caveats)


def test_only_seeds_that_both_have_are_compared() -> None:
    run = make_seed_runs(3)
    results = tuple(make_failed(r.config) if r.config.cell.endswith("gpt.s1") else r for r in run.results)
    task = compare(run.manifest, results, run.predictions, run.probes).tasks[0]
    assert [pair.seeds for pair in task.pairs] == [(0, 2)]


def test_probes_are_averaged_over_seeds_and_samples_show_the_first() -> None:
    run = make_seed_runs(2)
    task = compared(run).tasks[0]
    drop = next(drop for drop in task.probes if drop.metric == "bleu")
    probed = [result.probes["deranged"].metrics["bleu"].value for result in run.results if result.probes]
    assert drop.probe_value == pytest.approx(sum(probed) / 2)
    assert len({drop.metric for drop in task.probes}) == len(task.probes)
    assert len(task.samples) == 12


def test_samples_hold_every_output_with_its_chrf() -> None:
    run = make_run(12)
    sample = compared(run).tasks[0].samples[0]
    assert sample.predictions.keys() == {"gpt", "multimodal", "multimodal.deranged"}
    assert sample.scores.keys() == sample.predictions.keys()
    perfect = [s for s in compared(run).tasks[0].samples if s.predictions["multimodal"] == s.target]
    assert {s.scores["multimodal"] for s in perfect} == {100.0}


def test_runs_of_two_data_sets_are_compared_apart() -> None:
    run = make_run(12)
    other = make_config("gpt").model_copy(update={"data": DataConfig(name="tuxpaint")})
    manifest = make_manifest(
        [*run.manifest.cells, other], datasets=(make_dataset(), make_dataset(name="tuxpaint", variant="groups"))
    )
    rows = make_rows(TARGETS[:5], TARGETS[:5])
    comparison = compare(
        manifest, (*run.results, make_result(other, rows)), run.predictions | {other.cell: rows}, run.probes
    )
    assert [(t.dataset.name, len(t.samples)) for t in comparison.tasks] == [("openmoji", 12), ("tuxpaint", 5)]


def test_contestants_tested_on_other_examples_are_refused() -> None:
    run = make_run(12)
    cell = run.manifest.cells[1].cell
    changed = run.predictions | {cell: run.predictions[cell][:-1]}
    with pytest.raises(DataError, match=r"answer other examples than .*'1F00B' differs; 11 against 12"):
        compare(run.manifest, run.results, changed, run.probes)


def test_contestants_with_other_targets_are_refused() -> None:
    run = make_run(12)
    cell = run.manifest.cells[1].cell
    first, *rest = run.predictions[cell]
    other = PredictionRow(**{**first.model_dump(), "target": "something else"})
    with pytest.raises(DataError, match="Only cells tested on the same data can be compared"):
        compare(run.manifest, run.results, run.predictions | {cell: (other, *rest)}, run.probes)


def test_a_complete_cell_without_predictions_is_refused() -> None:
    run = make_run(12)
    with pytest.raises(DataError, match=r"Cell captioning.openmoji.gpt.s0 is complete but has no predictions"):
        compare(run.manifest, run.results, {}, run.probes)
    with pytest.raises(DataError, match="has a probe 'deranged' but no predictions for it"):
        compare(run.manifest, run.results, run.predictions, {})


def test_an_undeclared_task_or_data_set_is_refused() -> None:
    run = make_run(12)
    with pytest.raises(DataError, match="manifest does not declare it"):
        compare(make_manifest(run.manifest.cells, tasks=()), run.results, run.predictions, run.probes)
    with pytest.raises(DataError, match="manifest has no record of it"):
        compare(make_manifest(run.manifest.cells, datasets=()), run.results, run.predictions, run.probes)


def test_a_primary_metric_nobody_reports_is_refused() -> None:
    run = make_run(12)
    task = run.manifest.tasks[0].model_copy(update={"primary_metric": "cider"})
    with pytest.raises(DataError, match="cannot be compared by 'cider', the primary metric of task 'captioning'"):
        compare(make_manifest(run.manifest.cells, tasks=(task,)), run.results, run.predictions, run.probes)


def test_comparing_loads_neither_torch_nor_what_draws() -> None:
    code = (
        "import sys; from bimodal_reports import compare, closing_table; "
        "print({'torch', 'altair', 'vl_convert', 'pandas', 'nltk'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_variant_is_held_against_what_it_was_made_of() -> None:
    run = make_run(keep=(0.3, 0.9, 0.3))
    made = [
        make_config(name, variant={"name": "int8", "of": name}, contestant=f"{name}-int8")
        for name in ("gpt", "multimodal")
    ]
    rows = {config.cell: make_rows(TARGETS, answers(TARGETS, 0.8, seed=4), bits=20.0) for config in made}
    comparison = compare(
        make_manifest([*run.manifest.cells, *made]),
        (*run.results, *(make_result(config, rows[config.cell]) for config in made)),
        run.predictions | rows,
        run.probes,
    )
    pairs = [(pair.baseline, pair.contestant) for pair in comparison.tasks[0].pairs]
    assert pairs == [("gpt", "multimodal"), ("multimodal", "multimodal-int8"), ("gpt", "gpt-int8")]


def test_a_variant_whose_original_failed_is_held_against_nothing() -> None:
    run = make_run()
    gpt, multimodal = run.manifest.cells
    made = make_config("multimodal", variant={"name": "int8", "of": "multimodal"}, contestant="multimodal-int8")
    results = (run.results[0], make_failed(multimodal), make_failed(made))
    comparison = compare(make_manifest([gpt, multimodal, made]), results, run.predictions, run.probes)
    assert comparison.tasks[0].pairs == ()
    assert {multimodal.cell, made.cell} == set(comparison.tasks[0].failed)
