"""What `bench run` leaves behind: the contract of files, and that their contents agree with each other."""

from pathlib import Path
from statistics import median

import pytest

from bimodal import store
from bimodal.publish import Run, load_run
from bimodal.schema import Comparison, Latency, PredictionRow, Timings


@pytest.fixture(scope="module")
def run(smoke_run: Path) -> Run:
    return load_run(smoke_run)


@pytest.mark.parametrize("model", ["gpt", "multimodal"])
@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "result.json",
        "predictions.jsonl",
        "train.jsonl",
        "timings.json",
        "checkpoint/model.safetensors",
    ],
)
def test_every_file_of_the_contract_is_there(smoke_run: Path, model: str, name: str) -> None:
    assert (smoke_run / "cells" / f"captioning.openmoji.{model}.s0" / name).stat().st_size > 0


@pytest.mark.parametrize("name", ["run.json", "comparison.json", "report.html"])
def test_the_run_has_manifest_comparison_and_report(smoke_run: Path, name: str) -> None:
    assert (smoke_run / name).stat().st_size > 0


def test_both_contestants_saw_the_same_text_and_one_saw_pictures(run: Run) -> None:
    gpt, multimodal = (result.inputs_seen for result in run.results)
    assert gpt is not None
    assert multimodal is not None
    assert gpt.text_sha256 == multimodal.text_sha256
    assert (gpt.modalities, multimodal.modalities) == ((), ("image",))
    assert gpt.train_examples == multimodal.train_examples == 512


def test_training_was_equal_in_steps_and_examples(run: Run) -> None:
    gpt, multimodal = (result.cost for result in run.results)
    assert gpt is not None
    assert multimodal is not None
    assert (gpt.train.steps, gpt.train.examples) == (multimodal.train.steps, multimodal.train.examples)
    assert gpt.train.target_tokens == multimodal.train.target_tokens
    assert isinstance(gpt.train.flops, float)
    assert isinstance(multimodal.train.flops, float)
    assert gpt.train.flops < multimodal.train.flops


def test_the_text_only_contestant_has_no_encoders_and_no_probe(run: Run) -> None:
    gpt, multimodal = run.results
    assert gpt.cost is not None
    assert multimodal.cost is not None
    assert gpt.cost.encode_ms is None
    assert gpt.probes == {}
    assert multimodal.cost.encode_ms is not None
    assert set(multimodal.probes) == {"deranged"}
    assert gpt.cost.parameters < multimodal.cost.parameters


def test_the_stored_weights_are_those_that_were_scored(run: Run) -> None:
    for result in run.results:
        assert result.train is not None
        weights = store.load_weights(run.directory.cell(result.config).checkpoint)
        assert store.weights_sha256(weights) == result.train.weights_sha256


def test_bits_per_byte_follow_from_the_stored_predictions(run: Run) -> None:
    for result in run.results:
        rows = store.read_jsonl(run.directory.cell(result.config).predictions, PredictionRow)
        bits = sum(row.target_bits or 0.0 for row in rows)
        expected = bits / sum(len(row.target.encode()) for row in rows)
        assert result.metrics["bits_per_byte"].value == pytest.approx(expected, rel=1e-9)


def test_latency_percentiles_follow_from_the_stored_samples(run: Run) -> None:
    for result in run.results:
        samples = store.read_record(run.directory.cell(result.config).timings, Timings).end_to_end_ms
        assert result.cost is not None
        latency = result.cost.end_to_end_ms
        assert isinstance(latency, Latency)
        assert (len(samples), latency.samples, latency.warmup) == (18, 18, 9)
        assert latency.p50 == pytest.approx(median(samples))


def test_the_comparison_holds_multimodal_against_gpt(run: Run) -> None:
    comparison = store.read_record(run.directory.comparison, Comparison)
    (task,) = comparison.tasks
    (pair,) = task.pairs
    assert (pair.baseline, pair.contestant) == ("gpt", "multimodal")
    assert pair.verdict.metric == "bleu"
    assert any("seed" in caveat for caveat in pair.verdict.caveats)


def test_no_path_of_this_machine_is_in_report_or_comparison(smoke_run: Path, bench_environment: dict[str, str]) -> None:
    for name in ("report.html", "comparison.json"):
        text = (smoke_run / name).read_text()
        assert bench_environment["BIMODAL_CACHE"] not in text
