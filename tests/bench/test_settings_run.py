"""Settings that no preset turns on, end to end: they are accepted, used and recorded."""

import json
from pathlib import Path

from bimodal.publish import load_run

from .conftest import Bench

TRAINING = {
    "train.accumulate": "2",
    "train.precision": "bf16",
    "train.label_smoothing": "0.1",
    "train.augment.shift_px": "2",
    "train.augment.rotate_deg": "5",
    "train.max_steps": "6",
    "decode.strategy": "beam",
    "decode.beam_size": "3",
}


def arguments(settings: dict[str, str]) -> list[str]:
    return [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]


def test_training_options_and_beam_search_work_together(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = bench("run", "--task", "captioning", "--preset", "smoke", *arguments(TRAINING), "--out", out)
    assert done.returncode == 0, done.stderr
    for result in load_run(out).results:
        assert result.train is not None
        assert result.train.precision == "bf16"
        assert result.train.steps == 6
        assert result.cost is not None
        assert result.cost.train.examples == 6 * 64  # two batches of 32 a step


def test_sampling_on_the_hard_split_repeats_with_its_seed(bench: Bench, tmp_path: Path) -> None:
    options = arguments({"decode.strategy": "sample", "decode.top_p": "0.9", "data.variant": "hard"})
    runs = []
    for name in ("first", "second"):
        out = tmp_path / name
        done = bench(
            "run", "--task", "captioning", "--model", "multimodal", "--preset", "smoke", *options, "--out", out
        )
        assert done.returncode == 0, done.stderr
        runs.append(load_run(out))
    assert runs[0].manifest.datasets[0].variant == "hard"
    assert runs[0].results[0].predictions_sha256 == runs[1].results[0].predictions_sha256


def test_a_kernel_that_is_not_there_is_replaced_and_said(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = bench(
        "run", "--task", "captioning", "--preset", "smoke", "--kernel", "cuda", "--out", out,
        "--set", "train.max_steps=2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for result in load_run(out).results:
        assert result.kernel_used is not None
        assert (result.kernel_used.requested, result.kernel_used.name) == ("cuda", "sdpa")
    caveats = json.loads((out / "comparison.json").read_text())["tasks"][0]["pairs"][0]["verdict"]["caveats"]
    assert any("asked for the cuda kernel and ran sdpa" in caveat for caveat in caveats)
