"""`--variant int8`, end to end and tiny: trained once, compared with what it was made of."""

import json
from pathlib import Path

import pytest

from bimodal import store
from bimodal.config import Request, plan
from bimodal.errors import DataError, UsageError
from bimodal.publish import load_run
from bimodal.schema import CellResult, Comparison, Latency, Variant
from bimodal.variants import training_of

from .conftest import TINY, Bench


@pytest.fixture(scope="module")
def folder(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("variant") / "run"
    settings = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    command = ("run", "--task", "captioning", "--model", "multimodal", "--variant", "int8", "--preset", "smoke")
    done = bench(*command, "--out", folder, *settings)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, CellResult]:
    return {result.config.contestant: result for result in load_run(folder).results}


def test_a_plan_has_the_variants_after_what_they_are_made_of() -> None:
    cells = plan(Request("captioning", preset="smoke", variant="int8"))
    assert [cell.contestant for cell in cells] == ["gpt", "multimodal", "gpt-int8", "multimodal-int8"]
    assert [cell.variant and cell.variant.of for cell in cells] == [None, None, "gpt", "multimodal"]
    assert cells[3].trained_cell == cells[1].cell
    same = {"contestant": "multimodal", "variant": None}
    assert cells[3].model_copy(update=same) == cells[1]


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Unknown variant 'int4'.*int8"):
        plan(Request("captioning", preset="smoke", variant="int4"))


def test_nothing_is_trained_for_a_variant(results: dict[str, CellResult], folder: Path) -> None:
    whole, rounded = results["multimodal"], results["multimodal-int8"]
    assert rounded.config.variant == Variant(name="int8", of="multimodal")
    assert whole.train is not None
    assert rounded.train is not None
    same = {"weights_sha256": whole.train.weights_sha256}
    assert rounded.train.model_copy(update=same) == whole.train
    assert rounded.train.weights_sha256 != whole.train.weights_sha256
    assert not load_run(folder).directory.cell(rounded.config).train_log.exists()


def test_a_variant_keeps_its_own_smaller_weights(results: dict[str, CellResult], folder: Path) -> None:
    cells = [load_run(folder).directory.cell(results[name].config) for name in ("multimodal", "multimodal-int8")]
    whole, rounded = (store.load_weights(cell.checkpoint) for cell in cells)
    assert str(rounded["decoder.blocks.0.mlp.up.weight"].dtype) == "torch.int8"
    assert str(rounded["image_encoder.blocks.0.mlp.up.weight"].dtype) == "torch.float32"
    assert whole.keys() < rounded.keys()
    memory = [results[name].cost.peak_memory.parameters_bytes for name in ("multimodal", "multimodal-int8")]  # type: ignore[union-attr]
    assert memory[1] < 0.7 * memory[0]


def test_the_difference_to_what_it_was_made_of_is_measured_like_any_other(folder: Path) -> None:
    comparison = Comparison.model_validate(json.loads((folder / "comparison.json").read_text()))
    (pair,) = comparison.tasks[0].pairs
    assert (pair.baseline, pair.contestant) == ("multimodal", "multimodal-int8")
    bits = next(found for found in pair.differences if found.metric == "bits_per_byte")
    assert 0 < abs(bits.value) < 0.02
    assert not any("Settings differ" in caveat for caveat in pair.verdict.caveats)


def test_an_audit_probes_the_rounded_weights(bench: Bench, folder: Path, results: dict[str, CellResult]) -> None:
    done = bench("audit", folder)
    assert done.returncode == 0, done.stderr
    audit = json.loads(load_run(folder).directory.cell(results["multimodal-int8"].config).audit.read_text())
    assert audit["weights_sha256"] == results["multimodal-int8"].train.weights_sha256  # type: ignore[union-attr]
    assert audit["reproduced"]


def test_a_variant_answers_the_timed_requests_itself(results: dict[str, CellResult]) -> None:
    cost = results["multimodal-int8"].cost
    assert cost is not None
    assert isinstance(cost.end_to_end_ms, Latency)
    whole = results["multimodal"].cost
    assert whole is not None
    assert whole.end_to_end_ms != cost.end_to_end_ms


def test_a_variant_cannot_be_profiled_since_it_does_not_train(bench: Bench, folder: Path) -> None:
    done = bench("profile", folder, "--model", "multimodal-int8")
    assert done.returncode == 2
    assert "Unknown contestant 'multimodal-int8'" in done.stderr


def test_a_variant_of_what_has_no_result_says_how_to_get_one(tmp_path: Path) -> None:
    gpt, rounded = plan(Request("captioning", model="gpt", preset="smoke", variant="int8"))
    with pytest.raises(DataError, match=rf"{rounded.cell} is made of {gpt.cell}, which has no result.*--resume"):
        training_of(rounded, store.RunDirectory(tmp_path).cell(rounded))
