"""`run_cell()`: one contestant, trained and tested; `measure` comes after. In a process of its own (see `isolate`)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bimodal import environment, store
from bimodal.collate import Encoded
from bimodal.measure.energy import energy_meter
from bimodal.measure.memory import PeakResidentSet, resident_bytes
from bimodal.predict import predict
from bimodal.prepare import Built, build, inputs_of
from bimodal.probes import PROBE_SEED, can_derange, deranged, without
from bimodal.references import ngram_reference
from bimodal.schema import (
    CellResult,
    Cost,
    InputsSeen,
    KernelUsed,
    PeakMemory,
    PredictionRow,
    Probe,
    Reference,
    RunConfig,
    Split,
    TrainCost,
    TrainSummary,
    Unavailable,
)
from bimodal.tokenizer import Tokenizer
from bimodal.train import finetune
from bimodal.types import Example, Prediction, Progress, Task
from bimodal.variants import keep, training_of
from bimodal_kernels import KernelChoice, fallbacks

if TYPE_CHECKING:
    import torch


def run_cell(config: RunConfig, files: store.CellDirectory, progress: Progress) -> CellResult:
    """Train, test, probe and measure one contestant; writes everything but result.json, which it returns.

    Raises:
        UserError: what a user can put right (data, checkpoint, device, disk).
    """
    started = time.perf_counter()
    code = environment.provenance()["code"]  # before anything: the files may be edited while this runs
    threads = environment.pin_threads(config.threads)
    determinism = environment.make_deterministic()
    device = environment.resolve_device(config.device)
    if config.variant is None:
        # Torch's optimisers and flop counter import its compiler when first used, and its memory is not the training's.
        import torch._dynamo  # noqa: F401

    shared = training_of(config, files) if config.variant is not None else None
    inputs = inputs_of(config, progress, stand_ins=files.stand_ins, words=shared.words if shared else None)
    task, splits, seen = inputs.task, inputs.splits, inputs.modalities
    informed = seen if config.data.inputs == "true" else ()
    inputs.tokenizer.save(files.tokenizer)

    environment.seed_everything(config.seed)
    baseline = resident_bytes()
    built = build(config, inputs, device, trained=shared.weights() if shared else None)
    model, module, collator, kernel = built.model, built.module, built.collator, built.kernel

    encoded = {split: [collator.encode(example) for example in splits[split]] for split in splits}
    if shared is None:
        summary, train_cost, rss_train = _train(config, files, built, encoded, device, progress, baseline)
    else:
        summary, train_cost, rss_train = keep(module, shared, files), shared.cost, shared.rss_train_bytes

    predictions = predict(
        model, collator, encoded["test"], config.decode, seed=config.seed, device=device, progress=progress
    )
    rows = prediction_rows(task, splits["test"], predictions)
    store.write_jsonl(files.predictions, rows)

    probes: dict[str, Probe] = {}
    if informed and can_derange(splits["test"]):
        path, changed = files.probe_predictions("deranged"), deranged(splits["test"], seed=PROBE_SEED)
        probes["deranged"] = answer(config, task, built, changed, path, device, progress, what="probe: deranged")

    if informed and config.train.modality_dropout > 0:
        path, changed = files.probe_predictions("dropped"), without(splits["test"], informed)
        probes["dropped"] = answer(config, task, built, changed, path, device, progress, what="probe: dropped")

    cost = Cost(
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        encode_ms="unavailable" if seen else None,
        prefill_ms="unavailable",
        decode_ms_per_token=None if inputs.tag_names else "unavailable",
        end_to_end_ms="unavailable",
        throughput="unavailable",
        peak_memory=PeakMemory(
            parameters_bytes=sum(p.numel() * p.element_size() for p in module.parameters()),
            rss_train_bytes=rss_train,
            rss_generate_bytes="unavailable",
            cuda_allocated_bytes="unavailable",
            cuda_reserved_bytes="unavailable",
        ),
        energy_j="unavailable",
        train=train_cost,
        not_measured="not measured yet: `bench run ... --resume` goes on with it",
    )
    return CellResult(
        status="ok",
        config=config,
        kernel_used=kernel_used_of(kernel),
        inputs_seen=InputsSeen(
            modalities=informed,
            train_examples=len(splits["train"]),
            validation_examples=len(splits["validation"]),
            test_examples=len(splits["test"]),
            conditions=inputs.conditions,
            text_sha256=_text_sha256(task, splits),
        ),
        metrics=task.score(predictions, splits["test"]),
        probes=probes,
        references=_references(task, encoded, inputs.tokenizer),
        cost=cost,
        train=summary,
        predictions_path=files.predictions.name,
        predictions_sha256=hashlib.sha256(files.predictions.read_bytes()).hexdigest(),
        environment={
            "code": code,
            "device": str(device),
            "threads": threads,
            "determinism": determinism,
        },
        wall_s=time.perf_counter() - started,
    )


def _train(
    config: RunConfig,
    files: store.CellDirectory,
    built: Built,
    encoded: Mapping[Split, Sequence[Encoded]],
    device: torch.device,
    progress: Progress,
    baseline: int | Unavailable,
) -> tuple[TrainSummary, TrainCost, int | Unavailable]:
    """Train a contestant; how it went, what it took, and its peak of memory above `baseline`."""
    memory, meter = PeakResidentSet(), energy_meter(gpu_index=device.index if device.type == "cuda" else None)
    if meter.available:
        meter.total_j()

    def watched(what: str, done: int, total: int) -> None:
        meter.tick()
        progress(what, done, total)

    summary, cost = finetune(
        built.model,
        built.collator,
        encoded["train"],
        encoded["validation"],
        config.train,
        seed=config.seed,
        device=device,
        files=files,
        progress=watched,
        kernel=built.kernel.name,
    )
    if meter.available and not summary.resumed_at_steps:
        cost = cost.model_copy(update={"energy_j": meter.total_j()})
    return summary, cost, memory.above(baseline)


def kernel_used_of(kernel: KernelChoice) -> KernelUsed:
    """The choice, and every call that it turned out not to serve."""
    taken_over = "".join(f"; {count} calls: {what}" for what, count in fallbacks.recorded().items())
    return KernelUsed(requested=kernel.requested, name=kernel.name, reason=kernel.reason + taken_over)


def _references(task: Task, encoded: Mapping[Split, Sequence[Encoded]], words: Tokenizer) -> tuple[Reference, ...]:
    if task.ngram_order is None:
        return ()
    return (ngram_reference(encoded["train"], encoded["test"], words, task.ngram_order),)


def prediction_rows(task: Task, examples: Sequence[Example], predictions: Sequence[Prediction]) -> list[PredictionRow]:
    """Predictions as they are written to predictions.jsonl."""
    return [
        PredictionRow(
            id=example.id,
            text=task.prompt(example),
            target=example.target,
            language=example.language,
            prediction=prediction.text,
            target_bits=prediction.target_bits,
            target_bytes=len(example.target.encode()),
            tags=prediction.tags,
            target_tags=None if prediction.tags is None else example.tags,
        )
        for example, prediction in zip(examples, predictions, strict=True)
    ]


def answer(
    config: RunConfig,
    task: Task,
    built: Built,
    examples: Sequence[Example],
    path: Path,
    device: torch.device,
    progress: Progress,
    *,
    what: str,
) -> Probe:
    """Have a trained contestant answer changed test examples; writes the answers to `path`."""
    encoded: list[Encoded] = [built.collator.encode(example) for example in examples]
    predictions = predict(
        built.model,
        built.collator,
        encoded,
        config.decode,
        seed=config.seed,
        device=device,
        progress=progress,
        what=what,
    )
    store.write_jsonl(path, prediction_rows(task, examples, predictions))
    return Probe(metrics=task.score(predictions, examples), predictions_path=path.name)


def _text_sha256(task: Task, splits: dict[Split, tuple[Example, ...]]) -> str:
    digest = hashlib.sha256()
    for split in sorted(splits):
        for example in splits[split]:
            digest.update(f"{split}\0{task.prompt(example)}\0{example.target}\0".encode())
    return digest.hexdigest()
