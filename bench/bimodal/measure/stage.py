"""The stage of a run that measures one group of contestants against each other, after they were trained and scored."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bimodal import store
from bimodal.measure.crew import OPENMP, Worker, WorkerError, crew
from bimodal.measure.energy import energy_meter
from bimodal.measure.machine import machine_state, others_busy_cores, process_seconds
from bimodal.measure.rounds import Log, Reply, joules_per_request, processes_of, take_batches, take_requests
from bimodal.measure.schedule import Who, processes_for
from bimodal.measure.summary import breakdown, decode_ms_per_token, latency, throughput
from bimodal.schema import (
    CellResult,
    Conditions,
    Cost,
    DecodeConfig,
    MachineState,
    MeasureConfig,
    PredictionRow,
    RunConfig,
    Timings,
)
from bimodal.statistics import by_process, noise_floor
from bimodal.types import Progress


def group_of(config: RunConfig) -> tuple[object, ...]:
    """Cells with the same answer are measured against each other: one task, data set and seed."""
    return config.task, config.data.whole, config.seed


def needs_measuring(results: Sequence[CellResult]) -> bool:
    """Whether any complete cell of a group was not measured yet, or not successfully."""
    return any(result.cost is not None and result.cost.conditions is None for result in results)


def measure(
    results: Sequence[CellResult],
    directory: store.RunDirectory,
    progress: Progress,
    *,
    keep_open: Sequence[int] = (),
) -> tuple[CellResult, ...]:
    """Time contestants of one task, data set and seed against each other; writes timings.json and result.json of each.

    Each gets several processes, because two of the same contestant differ, too: by how much is the noise floor. Where
    the measurement fails, costs say why, and everything else in the results stays as it is.

    Args:
        results: complete cells, the baseline first.
        directory: of the run.
        progress: told about requests and batches.
        keep_open: file descriptors that the workers inherit.

    Raises:
        StorageError: a result cannot be written.
    """
    config = results[0].config
    folders = {result.config.contestant: directory.cell(result.config).path for result in results}
    try:
        with crew(folders, config.measure.processes or processes_for(len(folders)), keep_open=keep_open) as workers:
            taken = _take(workers, config.measure, progress)
    except WorkerError as error:
        measured = [_not_measured(result, str(error)) for result in results]
    else:
        measured = [_measured(result, directory.cell(result.config), taken) for result in results]
    for result in measured:
        store.write_json(directory.cell(result.config).result, result)
    return tuple(measured)


@dataclass(frozen=True, slots=True)
class _Taken:
    """Everything that a measurement brought."""

    logs: Mapping[str, Log]
    memory: Mapping[str, Sequence[Reply]]
    """Of every process."""
    request_j: Mapping[str, float]
    """Empty without counters."""
    energy_source: str
    before: MachineState
    after: MachineState
    own_s: float
    """Processor time of this process and the workers."""
    wall_s: float
    processes: int


def _take(workers: Mapping[Who, Worker], config: MeasureConfig, progress: Progress) -> _Taken:
    ready = {who: worker.reply() for who, worker in workers.items()}
    logs = {name: Log(reply) for (name, process), reply in ready.items() if process == 0}
    pids = [os.getpid(), *(worker.pid for worker in workers.values())]
    before, own_s, started = machine_state(ours=pids), process_seconds(pids), time.perf_counter()
    take_requests(workers, logs, config, progress)
    take_batches(workers, logs, config, progress)
    wall_s, own_s, after = time.perf_counter() - started, process_seconds(pids) - own_s, machine_state(ours=pids)
    memory = {name: [w.ask("memory") for (mine, _), w in workers.items() if mine == name] for name in logs}
    meter = energy_meter(gpu_index=next(iter(ready.values()))["gpu_index"])
    joules = {
        name: joules_per_request(workers[name, 0], meter, len(log.examples))
        for name, log in logs.items()
        if meter.available
    }
    return _Taken(logs, memory, joules, meter.source, before, after, own_s, wall_s, processes_of(workers))


def _not_measured(result: CellResult, why: str) -> CellResult:
    assert result.cost is not None
    return result.model_copy(update={"cost": result.cost.model_copy(update={"not_measured": why})})


def _measured(result: CellResult, files: store.CellDirectory, taken: _Taken) -> CellResult:
    """The result with its costs; writes timings.json."""
    name = result.config.contestant
    log = taken.logs[name]
    timings = log.timings()
    store.write_json(files.timings, timings)
    checked, differing = outputs_checked(log, store.read_jsonl(files.predictions, PredictionRow), result.config.decode)
    conditions = Conditions(
        interleaved=tuple(taken.logs),
        processes=taken.processes,
        device=log.ready["device"],
        threads=log.ready["threads"],
        cores=log.ready["cores"],
        openmp=OPENMP,
        before=taken.before,
        after=taken.after,
        wall_s=taken.wall_s,
        others_busy_cores=others_busy_cores(taken.before, taken.after, taken.own_s, taken.wall_s),
        outputs_checked=checked,
        outputs_differing=differing,
    )
    assert result.cost is not None
    changes = {
        **_latencies(timings, log.ready),
        "throughput": throughput(timings, result.config.measure.throughput_batch_size),
        "peak_memory": result.cost.peak_memory.model_copy(update=_peaks(taken.memory[name])),
        "energy_j": taken.request_j.get(name, "unavailable"),
        "energy_source": taken.energy_source,
        "conditions": conditions,
        "not_measured": None,
    }
    cost = Cost.model_validate({**result.cost.model_dump(), **changes})
    return result.model_copy(update={"cost": cost})


def _peaks(processes: Sequence[Reply]) -> dict[str, int | str]:
    """The largest peak of the processes, or `unavailable`, by name."""
    peaks: dict[str, int | str] = {}
    for key in processes[0]:
        known = [reply[key] for reply in processes if reply[key] != "unavailable"]
        peaks[key] = max(known) if known else "unavailable"
    return peaks


def _latencies(timings: Timings, ready: Reply) -> dict[str, Any]:
    warmup = len(timings.warmup_ms)
    per_token = decode_ms_per_token(timings)
    return {
        "encode_ms": latency(timings.encode_ms, warmup) if ready["modalities"] else None,
        "image_encode_ms": latency(timings.image_encode_ms, warmup) if "image" in ready["encoders"] else None,
        "audio_encode_ms": latency(timings.audio_encode_ms, warmup) if "audio" in ready["encoders"] else None,
        "prefill_ms": latency(timings.prefill_ms, warmup),
        "decode_ms_per_token": latency(per_token, warmup) if per_token else None,
        "end_to_end_ms": latency(timings.end_to_end_ms, warmup),
        "breakdown": breakdown(timings),
        "noise": noise_floor(by_process(timings.process, timings.round, timings.end_to_end_ms)),
    }


def outputs_checked(log: Log, predictions: Sequence[PredictionRow], decode: DecodeConfig) -> tuple[int, int]:
    """How many timed answers could be held against the untimed ones, and how many of them are others.

    Single requests are greedy, so they can be where predictions are; sampled ones never can.
    """
    greedy = decode.strategy == "greedy" or (decode.strategy == "beam" and decode.beam_size == 1)
    expected = {row.id: row.prediction for row in predictions}
    texts = log.answers(single=greedy or bool(predictions and predictions[0].tags), batched=decode.strategy != "sample")
    return len(texts), sum(expected[name] != text for name, text in texts)
