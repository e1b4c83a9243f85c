"""bench reproduce: REPRODUCED, DRIFTED, BROKEN."""

import json
import shutil
from pathlib import Path

import pytest

from bimodal.publish import load_run

from .conftest import Bench

NOISY = '''
"""The text-only GPT with a dropout that nobody seeded."""
import dataclasses, os, torch
from bimodal_models.gpt import MODEL as GPT

def _noise(module, inputs, output):
    if module.training:
        generator = torch.Generator().manual_seed(int.from_bytes(os.urandom(7), "little"))
        output = output * (torch.rand(output.shape, generator=generator) > 0.1)
    return output

def build(config, **arguments):
    model = GPT.build(config, **arguments)
    dropouts = [module for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    dropouts[0].register_forward_hook(_noise)
    return model

MODEL = dataclasses.replace(GPT, name="noisy", build=build)
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH with an installed third-party model `noisy`."""
    folder = tmp_path / "plugin"
    information = folder / "noisy-1.0.dist-info"
    information.mkdir(parents=True)
    (folder / "noisy_model.py").write_text(NOISY)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: noisy\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[bimodal.models]\nnoisy = noisy_model:MODEL\n")
    return folder


def test_both_contestants_are_reproduced_to_the_bit(bench: Bench, smoke_run: Path, tmp_path: Path) -> None:
    done = bench("reproduce", smoke_run, "--out", tmp_path / "again", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["answer"]) == (0, "REPRODUCED")
    assert {cell["cell"] for cell in answer["cells"]} == {
        "captioning.openmoji.gpt.s0",
        "captioning.openmoji.multimodal.s0",
    }
    assert all(cell["weights_equal"] and cell["predictions_equal"] and not cell["drifts"] for cell in answer["cells"])


def test_an_unseeded_dropout_is_found_out(bench: Bench, plugin: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    arguments = ("--task", "captioning", "--model", "noisy", "--preset", "smoke", "--out", first)
    done = bench("run", *arguments, PYTHONPATH=str(plugin))
    assert done.returncode == 0, done.stderr
    again = bench("reproduce", first, PYTHONPATH=str(plugin))
    assert again.returncode == 1
    assert again.stdout.splitlines()[-1] == "DRIFTED"
    assert "weights differ" in again.stdout
    assert "bits_per_byte" in again.stdout


def test_a_run_on_other_data_is_broken_before_anything_is_trained(
    bench: Bench, smoke_run: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(smoke_run, copy)
    manifest = json.loads((copy / "run.json").read_text())
    manifest["datasets"][0]["fingerprint"] = "0" * 64
    (copy / "run.json").write_text(json.dumps(manifest))
    done = bench("reproduce", copy)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "BROKEN"
    assert "openmoji is not the same" in done.stdout
    assert not (copy / "reproductions").exists()


def test_a_run_without_results_is_broken(bench: Bench, smoke_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(smoke_run, copy)
    (copy / "cells" / load_run(copy).results[0].config.cell / "result.json").unlink()
    done = bench("reproduce", copy)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "BROKEN")
