"""`--model ladder`, end to end and tiny: what is promised about the controls, counted."""

import json
from pathlib import Path

import pytest
from PIL import Image

from bimodal.publish import load_run
from bimodal.schema import CellResult


@pytest.fixture(scope="module")
def results(tiny_ladder: Path) -> dict[str, CellResult]:
    return {result.config.contestant: result for result in load_run(tiny_ladder).results}


def test_the_wide_control_has_the_parameters_of_the_multimodal_one(results: dict[str, CellResult]) -> None:
    wide, multimodal = results["gpt-wide"], results["multimodal"]
    assert wide.cost is not None
    assert multimodal.cost is not None
    assert wide.cost.parameters == pytest.approx(multimodal.cost.parameters, rel=0.01)
    assert wide.config.match is not None
    assert (wide.config.match.reached, wide.config.match.target) == (wide.cost.parameters, multimodal.cost.parameters)


def test_the_long_control_was_trained_with_the_flops_of_the_multimodal_one(results: dict[str, CellResult]) -> None:
    long, multimodal = results["gpt-long"], results["multimodal"]
    assert long.cost is not None
    assert multimodal.cost is not None
    assert long.cost.train.flops == pytest.approx(multimodal.cost.train.flops, rel=0.02)
    assert long.cost.parameters == results["gpt"].cost.parameters  # type: ignore[union-attr]


def test_the_blank_control_saw_one_picture_and_counts_as_seeing_none(
    results: dict[str, CellResult], tiny_ladder: Path
) -> None:
    blank = results["multimodal-blank"]
    folder = load_run(tiny_ladder).directory.cell(blank.config).stand_ins
    (picture,) = folder.iterdir()
    with Image.open(picture) as shown:
        assert shown.size == (64, 64)
    assert blank.inputs_seen is not None
    assert blank.inputs_seen.modalities == ()
    assert blank.cost is not None
    assert blank.cost.parameters == results["multimodal"].cost.parameters  # type: ignore[union-attr]


def test_the_manifest_says_what_was_matched_and_how_closely(tiny_ladder: Path) -> None:
    cells = json.loads((tiny_ladder / "run.json").read_text())["cells"]
    matches = {cell["contestant"]: cell["match"] for cell in cells if cell["match"]}
    assert matches.keys() == {"gpt-wide", "gpt-long"}
    for match in matches.values():
        assert match["reached"] == pytest.approx(match["target"], rel=0.02)
