from __future__ import annotations

import re

from rich.console import Console

from bimodal.looks import plan_looks
from bimodal_reports import closing_table, compare
from bimodal_reports.multiplicity import with_holm

from .factories import make_config, make_failed, make_manifest, make_run, make_seed_runs


def shown(width: int = 160, *, failed: bool = False) -> str:
    run = make_run(12, keep=(0.3, 0.9, 0.3))
    broken = make_config("audio-gpt[b]")
    cells = [*run.manifest.cells, broken] if failed else run.manifest.cells
    results = (*run.results, make_failed(broken, "no [sound]")) if failed else run.results
    comparison = compare(make_manifest(cells), results, run.predictions, run.probes)
    console = Console(width=width)
    with console.capture() as capture:
        console.print(closing_table(results, comparison))
    return capture.get()


def test_every_contestant_has_a_row_with_score_interval_and_cost() -> None:
    lines = shown().splitlines()
    row = next(line for line in lines if line.strip().startswith("multimodal"))
    assert "±" in row
    assert "3 min 50 s" in row
    assert "21.2 ms" in row
    assert "173 MB" in row


def test_the_verdict_stands_below_the_table() -> None:
    assert "Better. Seeing the picture raised BLEU by" in shown()


def test_a_failed_cell_is_named_with_its_reason_to_the_letter() -> None:
    text = shown(failed=True)
    assert "Failed. captioning.openmoji.audio-gpt[b].s0: DivergedError: no [sound]" in text


def test_a_narrow_terminal_shows_the_primary_score_whole() -> None:
    lines = shown(width=80).splitlines()
    row = next(line for line in lines if line.strip().startswith("multimodal"))
    assert max(len(line) for line in lines) <= 80
    assert "…" not in "".join(lines)
    assert len(re.findall(r"\d ±\d", row)) == 2


def test_a_wide_terminal_shows_all_metrics() -> None:
    assert "ROUGE-L" in shown(width=160)
    assert "ROUGE-L" not in shown(width=80)


def test_several_seeds_have_rows_of_their_own_and_one_verdict() -> None:
    run = make_seed_runs(3)
    comparison = compare(run.manifest, run.results, run.predictions, run.probes)
    console = Console(width=160)
    with console.capture() as capture:
        console.print(closing_table(run.results, comparison))
    text = capture.get()
    assert "multimodal (seed 1)" in text
    assert text.count("Better. Seeing") == 1
    assert re.search(r"By seed: \+\d+\.\d \(seed 0\), \+\d+\.\d \(seed 1\), \+\d+\.\d \(seed 2\)", text)


def test_one_seed_says_what_it_does_not_know() -> None:
    assert "One training of each: how much trainings vary is unknown" in shown()


def test_looks_and_the_number_of_verdicts_stand_below_the_verdict() -> None:
    run = make_seed_runs(5, keep=(0.5, 0.6, 0.5))
    manifest = run.manifest.model_copy(update={"looks": plan_looks(5, 10)})
    comparison = compare(manifest, run.results, run.predictions, run.probes)
    several = with_holm([comparison.tasks[0], comparison.tasks[0]])
    console = Console(width=160)
    with console.capture() as capture:
        console.print(closing_table(run.results, comparison.model_copy(update={"tasks": several})))
    assert "Look 1 of 6 planned; the interval allows for all of them." in capture.get()
    assert "Corrected for 2 verdicts in this run (Holm): p =" in capture.get()
