"""`bench kernels gain`: real training steps and generation of both contestants, on two backends in turns."""

import json

import pytest

from bimodal import kernel_gain
from bimodal.config import Request, plan
from bimodal_kernels.stopwatch import Samples

SETTINGS = ("data.train_limit=32", "data.validation_limit=8", "data.test_limit=8", "train.batch_size=16", "threads=1")


def test_both_contestants_train_and_write_on_both_backends(bench):
    settings = [word for setting in (*SETTINGS, "decode.max_new_tokens=4") for word in ("--set", setting)]
    done = bench(
        "kernels", "gain", "--preset", "smoke", "--against", "reference", "--seconds", "0", "--json", *settings
    )
    assert done.returncode == 0, done.stderr
    gains = json.loads(done.stdout)
    assert [(gain["model"], gain["work"].split(",")[0]) for gain in gains] == [
        (model, work) for model in ("gpt", "multimodal") for work in ("training step", "generation")
    ]
    for gain in gains:
        assert gain["kernels"] == ["native", "reference"]
        assert 0 < gain["low"] <= gain["speedup"] <= gain["high"]
        assert min(gain["milliseconds"]) > 0


def test_speedup_is_the_second_backends_time_over_the_firsts_with_the_same_weights(monkeypatch, data_cache):
    monkeypatch.setenv("BIMODAL_CACHE", str(data_cache))
    monkeypatch.setattr(kernel_gain, "pin_threads", lambda threads: None)
    weights = []

    def built(config, *arguments):
        made = build(config, *arguments)
        weights.append((config.kernel, [parameter.detach().clone() for parameter in made.module.parameters()]))
        return made

    build = kernel_gain.build
    monkeypatch.setattr(kernel_gain, "build", built)
    monkeypatch.setattr(
        kernel_gain,
        "interleave",
        lambda contenders, *_, **__: Samples(dict(zip(contenders, ((0.1,) * 7, (0.3,) * 7), strict=True))),
    )
    (cell,) = plan(Request(task="captioning", model="gpt", preset="smoke", device="cpu", settings=SETTINGS))
    gains = kernel_gain.measure_gain(cell, ("sdpa", "reference"), 0.0, lambda *_: None)

    assert [(gain.speedup, gain.milliseconds) for gain in gains] == [
        (pytest.approx(3.0), (pytest.approx(100), pytest.approx(300)))
    ] * 2
    (first, one), (second, other) = weights
    assert (first, second) == ("sdpa", "reference")
    assert all(a.equal(b) for a, b in zip(one, other, strict=True))
