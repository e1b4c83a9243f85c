"""The process of one contestant that is measured: it loads a checkpoint, then sleeps until it is asked.

The parent starts `python -m bimodal.measure.worker CELL_DIR REPLIES_FD` and writes one JSON object per line
to its standard input; every one is answered by one line on the replies' pipe. Nothing runs in between: what one
contestant leaves running would be in the times of the next. If the parent dies, its end of standard input closes and
this ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from bimodal import environment, store
from bimodal.collate import Encoded
from bimodal.errors import UserError
from bimodal.garbage import present_objects_left_alone
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


def _main(cell: Path, replies: int) -> int:
    # Ctrl-C reaches the whole process group; the parent decides what becomes of this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def say(reply: Mapping[str, Any]) -> None:
        os.write(replies, (json.dumps(reply) + "\n").encode())

    try:
        worker = Worker(cell)
        questions: dict[str, Callable[..., Reply]] = {
            "answer": worker.answer,
            "batch": worker.batch,
            "memory": worker.memory,
        }
        with present_objects_left_alone():
            say(worker.ready())
            for line in sys.stdin:
                question = json.loads(line)
                say(questions[question.pop("ask")](**question))
    except BrokenPipeError:
        return 1  # nobody listens any more
    except Exception as error:
        traceback.print_exc()
        say({"error": str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"})
        return 1
    return 0


if __name__ == "__main__":
    code = _main(Path(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.flush()
    sys.stderr.flush()
    # Tearing torch down touches another 120 MB of its libraries, which nobody needs who answers requests.
    os._exit(code)
