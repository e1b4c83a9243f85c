"""What the process of one contestant that is measured does: see `bimodal.measure.__main__` for how it is asked."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from bimodal import environment, store
from bimodal.collate import Encoded
from bimodal.measure.memory import PeakResidentSet, resident_bytes
from bimodal.measure.requests import Answered, answer, answer_batch
from bimodal.prepare import Built
from bimodal.restore import inputs_again, rebuilt
from bimodal.schema import CellResult, RunConfig

Reply = dict[str, Any]


class Worker:
    """A loaded contestant that does what it is asked; see the methods for the questions."""

    def __init__(self, cell: Path) -> None:
        files = store.CellDirectory(cell)
        result = store.read_record(files.result, CellResult)
        self.config: RunConfig = result.config
        self.threads = environment.pin_threads(self.config.threads)
        environment.make_deterministic()
        self.device = environment.resolve_device(self.config.device)
        inputs = inputs_again(result, files, lambda *_: None)
        self._modalities = inputs.modalities
        self._idle = resident_bytes()
        self.built: Built = rebuilt(result, files, inputs, self.device)
        self.built.module.eval()
        self.rows: Sequence[Encoded] = [self.built.collator.encode(example) for example in inputs.splits["test"]]
        self._peak = PeakResidentSet()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    def ready(self) -> Reply:
        """What was loaded, and how it will run."""
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        return {
            "examples": [row.example.id for row in self.rows],
            "device": str(self.device),
            "gpu_index": self.device.index if self.device.type == "cuda" else None,
            "threads": self.threads,
            "cores": cores,
            "modalities": list(self._modalities),
            "encoders": sorted(getattr(self.built.model, "encoders", {})),
        }

    def answer(self, row: int, slowdown: float = 0.0) -> Reply:
        """One request, phase by phase; with a slowdown it takes that much longer (see `calibration.timing`)."""
        collator, limit = self.built.collator, self.config.decode.max_new_tokens
        found = answer(self.built.model, collator, self.rows[row], limit, device=self.device)
        return asdict(_slowed(found, slowdown) if slowdown else found)

    def batch(self, begin: int, end: int) -> Reply:
        """One batch of test examples."""
        rows = self.rows[begin:end]
        return asdict(answer_batch(self.built.model, self.built.collator, rows, self.config.decode, device=self.device))

    def memory(self) -> Reply:
        """Peaks since the contestant was loaded."""
        cuda = self.device.type == "cuda"
        return {
            "rss_generate_bytes": self._peak.above(self._idle),
            "process_peak_bytes": self._peak.bytes(),
            "cuda_allocated_bytes": torch.cuda.max_memory_allocated(self.device) if cuda else "unavailable",
            "cuda_reserved_bytes": torch.cuda.max_memory_reserved(self.device) if cuda else "unavailable",
        }


def _slowed(found: Answered, slowdown: float) -> Answered:
    """Keep the processor busy for that share of the request's time, and count it to its last phase."""
    began = time.perf_counter()
    until = began + slowdown * found.end_to_end_ms / 1e3
    while time.perf_counter() < until:
        pass
    extra_ms = 1e3 * (time.perf_counter() - began)
    longer = {"detokenise_ms": found.detokenise_ms + extra_ms, "end_to_end_ms": found.end_to_end_ms + extra_ms}
    return Answered(**{**asdict(found), **longer})
