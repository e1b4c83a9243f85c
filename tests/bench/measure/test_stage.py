"""The measuring stage on a real run: phases, overhead, memory, conditions, and what a failure leaves alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bimodal import store
from bimodal.measure.crew import Worker
from bimodal.measure.rounds import Log, Sample
from bimodal.measure.stage import measure, needs_measuring, outputs_checked
from bimodal.publish import Run, load_run
from bimodal.schema import Comparison, DecodeConfig, PredictionRow, Timings

WITHIN = 0.02
TIME = Path("/usr/bin/time")


@pytest.fixture(scope="module")
def run(smoke_run: Path) -> Run:
    return load_run(smoke_run)


def timings_of(run: Run) -> list[Timings]:
    return [store.read_record(run.directory.cell(result.config).timings, Timings) for result in run.results]


def test_the_phases_of_every_request_add_up_to_the_whole(run: Run) -> None:
    for found in timings_of(run):
        phases = (found.load_ms, found.encode_ms, found.prefill_ms, found.decode_ms, found.detokenise_ms)
        sums = [sum(parts) for parts in zip(*phases, strict=True)]
        assert sums == pytest.approx(found.end_to_end_ms, rel=WITHIN)


def test_the_phases_of_the_report_add_up_to_the_whole(run: Run) -> None:
    for result in run.results:
        assert result.cost is not None
        assert result.cost.breakdown is not None
        found = result.cost.breakdown.model_dump()
        found.pop("tokens")
        whole = found.pop("end_to_end_ms")
        assert sum(found.values()) == pytest.approx(whole, rel=WITHIN)


def test_the_parts_of_the_overhead_add_up_to_it(run: Run) -> None:
    (task,) = store.read_record(run.directory.comparison, Comparison).tasks
    (pair,) = task.pairs
    assert pair.overhead is not None
    found = pair.overhead.model_dump(exclude={"rounds", "total_ms"})
    scale = sum(abs(part) for part in found.values())
    assert sum(found.values()) == pytest.approx(pair.overhead.total_ms, abs=WITHIN * scale)
    assert pair.overhead.encoders_ms > 0


def test_only_the_contestant_with_an_encoder_spends_time_in_it(run: Run) -> None:
    gpt, multimodal = timings_of(run)
    assert set(gpt.image_encode_ms) == {0.0}
    assert all(0 < image < whole for image, whole in zip(multimodal.image_encode_ms, multimodal.encode_ms, strict=True))


def test_both_took_turns_in_three_processes_each_on_the_same_examples(run: Run) -> None:
    gpt, multimodal = timings_of(run)
    assert (gpt.round, gpt.example) == (multimodal.round, multimodal.example)
    assert sorted(zip(gpt.round, gpt.process, strict=True)) == [(r, p) for r in range(6) for p in range(3)]
    for result in run.results:
        assert result.cost is not None
        conditions = result.cost.conditions
        assert conditions is not None
        assert (conditions.interleaved, conditions.processes) == (("gpt", "multimodal"), 3)
        assert result.cost.noise is not None


def test_timed_answers_are_the_untimed_ones(run: Run) -> None:
    for result in run.results:
        assert result.cost is not None
        assert result.cost.conditions is not None
        # Six rounds and one pass over 48 examples, in three processes.
        assert (result.cost.conditions.outputs_checked, result.cost.conditions.outputs_differing) == (162, 0)


def test_a_verdict_is_there_for_every_time_that_both_have(run: Run) -> None:
    (task,) = store.read_record(run.directory.comparison, Comparison).tasks
    found = {pace.quantity: pace for pace in task.pairs[0].paces}
    assert set(found) == {"end_to_end_ms", "prefill_ms", "decode_ms_per_token", "batch_ms"}
    assert found["batch_ms"].outcome == "AMBIGUOUS"  # two rounds


def test_what_was_measured_is_not_measured_again(run: Run) -> None:
    assert not needs_measuring(run.results)


def test_a_failed_measurement_leaves_everything_but_the_cost_alone(run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run.directory.path, copy)
    directory = store.RunDirectory(copy)
    before = [
        result.model_copy(update={"cost": result.cost and result.cost.model_copy(update={"conditions": None})})
        for result in run.results
    ]
    damaged = directory.cell(before[1].config)
    weights = store.load_weights(damaged.checkpoint)
    weights[next(iter(weights))].add_(1.0)
    store.save_weights(damaged.checkpoint, weights)
    after = measure(before, directory, lambda *_: None)
    for old, new in zip(before, after, strict=True):
        assert new.status == "ok"
        assert new.cost is not None
        assert "is not the checkpoint" in (new.cost.not_measured or "")
        assert new == store.read_record(directory.cell(new.config).result, type(new))
        assert new.metrics == old.metrics
    assert needs_measuring(after)


@pytest.mark.skipif(not TIME.exists(), reason="needs /usr/bin/time (apt package time)")
def test_the_peak_of_a_worker_is_what_an_outside_program_measures(run: Run) -> None:
    cell = run.directory.cell(run.results[1].config)
    reading, writing = os.pipe()
    command = [str(TIME), "-v", sys.executable, "-m", "bimodal.measure", str(cell.path), str(writing)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[writing])
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as replies:
        worker = Worker("multimodal", process, replies, cell.log)
        worker.reply()
        worker.ask("batch", begin=0, end=32)
        ours = worker.ask("memory")["process_peak_bytes"]
        _, said = process.communicate()
    outside = re.search(rb"Maximum resident set size \(kbytes\): (\d+)", said)
    assert outside is not None
    assert ours == pytest.approx(1024 * int(outside[1]), rel=0.05)


def log_of(*texts: str) -> Log:
    """Single requests for examples a, b, ..."""
    log = Log({"examples": list("abcdef")})
    log.requests = [Sample(0, at, at, at + 1, {"text": text}) for at, text in enumerate(texts)]
    return log


def predictions(*texts: str) -> list[PredictionRow]:
    return [
        PredictionRow(id=name, text="", target="", prediction=text, target_bits=None, target_bytes=0)
        for name, text in zip("abcdef", texts, strict=False)
    ]


def test_other_answers_than_the_untimed_ones_are_counted() -> None:
    assert outputs_checked(log_of("x", "y", "z"), predictions("x", "Y", "z"), DecodeConfig()) == (3, 1)


@pytest.mark.parametrize(("strategy", "checked"), [("greedy", 2), ("beam", 0), ("sample", 0)])
def test_single_greedy_requests_are_held_against_greedy_predictions_only(strategy: str, checked: int) -> None:
    decode = DecodeConfig.model_validate({"strategy": strategy})
    assert outputs_checked(log_of("x", "y"), predictions("x", "y"), decode) == (checked, 0)
