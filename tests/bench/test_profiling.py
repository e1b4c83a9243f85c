"""`bench profile`: shares that add up, of the parts that the contestant has."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Bench = Callable[..., "subprocess.CompletedProcess[str]"]
Profiled = tuple[dict[str, Any], Path]


@pytest.fixture(scope="module")
def profiled(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Profiled:
    """What it printed as JSON, and its trace."""
    trace = tmp_path_factory.mktemp("profile") / "step.json"
    small = ("--set", "train.batch_size=8", "--set", "decode.max_new_tokens=4")
    done = bench("profile", "smoke", "--steps", "2", "--trace", trace, "--json", *small)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), trace


def test_parts_add_up_to_the_step(profiled: Profiled) -> None:
    for work in profiled[0]["works"]:
        assert sum(part["share"] for part in work["parts"]) == pytest.approx(1.0)
        assert sum(part["milliseconds"] for part in work["parts"]) == pytest.approx(work["milliseconds"])


def test_every_part_of_a_training_step_is_there(profiled: Profiled) -> None:
    training = profiled[0]["works"][0]
    assert training["name"] == "training step"
    shares = {part["name"]: part["share"] for part in training["parts"]}
    layers = {f"{stack}: {layer}" for stack in ("image encoder", "decoder") for layer in ("attention", "feed-forward")}
    parts = layers | {"decoder: cross-attention", "logits", "loss", "optimiser", "data"}
    assert parts <= shares.keys()
    assert all(shares[part] > 0 for part in parts)


def test_a_decoded_token_is_told_layer_by_layer_and_does_not_read_the_prompt(profiled: Profiled) -> None:
    decoding = profiled[0]["works"][-1]
    assert decoding["name"].startswith("decoded token")
    names = {part["name"] for part in decoding["parts"]}
    assert {"decoder: attention", "decoder: feed-forward", "decoder: logits", "choice"} <= names
    assert not any("encoder" in name or name == "prompt" for name in names)


def test_the_trace_is_one_that_perfetto_reads(profiled: Profiled) -> None:
    events = json.loads(profiled[1].read_text())["traceEvents"]
    assert {"part: training step", "part: optimiser"} <= {event.get("name") for event in events}


def test_a_run_is_profiled_as_it_was_set(bench: Bench, smoke_run: Path) -> None:
    done = bench("profile", smoke_run, "--model", "gpt", "--steps", "1")
    assert done.returncode == 0, done.stderr
    assert "gpt on captioning" in done.stdout
    assert "optimiser" in done.stdout
    assert "image encoder" not in done.stdout
    assert "profiler_start" not in done.stderr, "torch's own messages are kept from the terminal"


def test_a_contestant_that_did_not_run_is_named_with_those_that_did(bench: Bench, smoke_run: Path) -> None:
    done = bench("profile", smoke_run, "--model", "ladder")
    assert done.returncode == 2
    assert "Available: gpt, multimodal" in done.stderr
