"""Asking the workers, in turns: single requests, batches, and for energy."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bimodal.measure.crew import Worker
from bimodal.measure.energy import EnergyMeter
from bimodal.measure.schedule import Who, turns
from bimodal.schema import PHASES, MeasureConfig, Timings
from bimodal.types import Progress

_SETTLE_S = 1e-3
"""Rest before a request, so that the threads of the one before are asleep (see `crew.OPENMP`)."""
_ENERGY_S = 1.0
"""How long each contestant answers for the energy of a request: the counters move once in a millisecond (RAPL) to a
tenth of a second (NVML)."""

Reply = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed request or batch."""

    process: int
    round: int
    begin: int
    """First of the test examples asked for."""
    end: int
    """One after the last."""
    reply: Reply


@dataclass(slots=True)
class Log:
    """What the processes of one contestant answered, in order."""

    ready: Reply
    """Of its first process."""
    warmup: list[Reply] = field(default_factory=list)
    requests: list[Sample] = field(default_factory=list)
    warmup_batches: list[Reply] = field(default_factory=list)
    batches: list[Sample] = field(default_factory=list)

    @property
    def examples(self) -> Sequence[str]:
        """Ids of the test examples."""
        ids: Sequence[str] = self.ready["examples"]
        return ids

    def timings(self) -> Timings:
        """The samples, phase by phase."""
        return Timings(
            process=tuple(sample.process for sample in self.requests),
            round=tuple(sample.round for sample in self.requests),
            example=tuple(self.examples[sample.begin] for sample in self.requests),
            **{phase: tuple(sample.reply[phase] for sample in self.requests) for phase in PHASES},
            generated_tokens=tuple(sample.reply["tokens"] for sample in self.requests),
            warmup_ms=tuple(reply["end_to_end_ms"] for reply in self.warmup),
            batch_process=tuple(sample.process for sample in self.batches),
            batch_round=tuple(sample.round for sample in self.batches),
            batch_ms=tuple(sample.reply["batch_ms"] for sample in self.batches),
            batch_examples=tuple(sample.end - sample.begin for sample in self.batches),
            batch_tokens=tuple(sample.reply["tokens"] for sample in self.batches),
            warmup_batch_ms=tuple(reply["batch_ms"] for reply in self.warmup_batches),
        )

    def answers(self, *, single: bool, batched: bool) -> list[tuple[str, str]]:
        """Id and text of every counted request and of every example of a batch, as far as asked for."""
        found = [(self.examples[one.begin], one.reply["text"]) for one in self.requests] if single else []
        for one in self.batches if batched else ():
            found += zip(self.examples[one.begin : one.end], one.reply["texts"], strict=True)
        return found


def take_requests(
    workers: Mapping[Who, Worker],
    logs: Mapping[str, Log],
    config: MeasureConfig,
    progress: Progress,
    slowdowns: Mapping[str, float] | None = None,
) -> None:
    """Single requests, one per process and round, in turns; the first `warmup` rounds do not count.

    `slowdowns` are shares by which contestants are to be slower than they are, by name (for calibration).
    """
    processes, examples = processes_of(workers), len(next(iter(logs.values())).examples)
    total = config.warmup + math.ceil(config.requests / processes)
    for number in range(total):
        row = number % examples
        for who in turns(tuple(workers), number):
            name, process = who
            time.sleep(_SETTLE_S)
            reply = workers[who].ask("answer", row=row, slowdown=(slowdowns or {}).get(name, 0.0))
            if number < config.warmup:
                logs[name].warmup.append(reply)
            else:
                logs[name].requests.append(Sample(process, number - config.warmup, row, row + 1, reply))
        progress("measure", number + 1, total)


def take_batches(
    workers: Mapping[Who, Worker], logs: Mapping[str, Log], config: MeasureConfig, progress: Progress
) -> None:
    """The whole test split in batches, batch by batch in turns; one batch of each process warms up."""
    examples, size = len(next(iter(logs.values())).examples), config.throughput_batch_size
    for (name, _), worker in workers.items():
        logs[name].warmup_batches.append(worker.ask("batch", begin=0, end=min(size, examples)))
    passes = math.ceil(config.throughput_rounds / processes_of(workers))
    spans = [(begin, min(begin + size, examples)) for begin in range(0, examples, size)] * passes
    for number, (begin, end) in enumerate(spans):
        for who in turns(tuple(workers), number):
            time.sleep(_SETTLE_S)
            reply = workers[who].ask("batch", begin=begin, end=end)
            logs[who[0]].batches.append(Sample(who[1], number, begin, end, reply))
        progress("throughput", number + 1, len(spans))


def processes_of(workers: Mapping[Who, Worker]) -> int:
    """Processes of each contestant."""
    return 1 + max(process for _, process in workers)


def joules_per_request(worker: Worker, meter: EnergyMeter, examples: int) -> float:
    """Energy of one request, from as many as fit into a second; what the machine needs while idle is in it."""
    until, count, before_j = time.perf_counter() + _ENERGY_S, 0, meter.total_j()
    while time.perf_counter() < until:
        worker.ask("answer", row=count % examples)
        count += 1
    return (meter.total_j() - before_j) / count
