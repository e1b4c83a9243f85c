"""The ladder: a gain, split into parts that add up to it."""

import pytest

from bimodal.schema import Ladder
from bimodal_reports import compare, render
from bimodal_reports.ladder_section import fairness, ladder_answer

from .factories import FakeRun, make_ladder_run, make_run


def ladder_of(run: FakeRun) -> Ladder:
    (task,) = compare(run.manifest, run.results, run.predictions, run.probes).tasks
    assert task.ladder is not None
    return task.ladder


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_parts_add_up_to_the_total(seeds: int) -> None:
    found = ladder_of(make_ladder_run(seeds))
    assert [part.name for part in found.parts] == ["capacity", "compute", "architecture", "information"]
    assert sum(part.value for part in found.parts) == pytest.approx(found.total.value, abs=1e-9)
    scores = {step.contestant: step.score for step in found.steps}
    assert found.total.value == pytest.approx(scores["multimodal"] - scores["gpt"])
    assert found.parts[3].value == pytest.approx(scores["multimodal"] - scores["multimodal-blank"])


def test_every_interval_holds_its_part() -> None:
    found = ladder_of(make_ladder_run())
    for part in (*found.parts, found.total):
        assert part.ci95[0] <= part.value <= part.ci95[1]


def test_what_was_matched_is_counted_from_the_results() -> None:
    found = ladder_of(make_ladder_run())
    assert found.parameters_ratio == 1.0
    assert found.train_flops_ratio == pytest.approx(1 / 1.8**2)


def test_without_a_control_there_is_no_ladder() -> None:
    run = make_run()
    (task,) = compare(run.manifest, run.results, run.predictions, run.probes).tasks
    assert task.ladder is None


def test_the_answer_names_the_largest_part_first() -> None:
    answer = ladder_answer(ladder_of(make_ladder_run()))
    assert answer.startswith("multimodal gains ")
    assert answer.index("information") < answer.index("capacity")


def test_a_control_that_missed_its_match_is_called_out() -> None:
    found = ladder_of(make_ladder_run())  # its gpt-long has a third of the FLOPs
    assert "not what was promised" in fairness(found)
    assert "not what was promised" not in fairness(found.model_copy(update={"train_flops_ratio": 1.019}))


def test_the_report_answers_the_question_first_and_the_ladder_follows() -> None:
    run = make_ladder_run()
    (task,) = compare(run.manifest, run.results, run.predictions, {}).tasks
    assert task.pairs[0].contestant == "multimodal"
    html = render(run.manifest, run.results, compare(run.manifest, run.results, run.predictions, {}), run.pictures)
    assert "Where does the gain come from?" in html
