"""The dial: gain against what the extra modality knows."""

from bimodal.schema import DialCurve
from bimodal_reports import compare, render
from bimodal_reports.dials import dial_answer

from .factories import FakeRun, make_dial_run, make_run


def curves_of(run: FakeRun) -> tuple[DialCurve, ...]:
    return compare(run.manifest, run.results, run.predictions, run.probes).dials


def test_the_curve_has_a_point_per_dial_in_ascending_order_over_all_seeds() -> None:
    (curve,) = curves_of(make_dial_run({1.0: 0.5, 0.0: 0.0, 0.5: 0.25}))
    assert [point.dial for point in curve.points] == [0.0, 0.5, 1.0]
    assert curve.seeds == (0, 1, 2)
    assert (curve.baseline, curve.contestant, curve.metric) == ("gpt", "multimodal", "bleu")


def test_a_gain_that_grows_is_seen_to_rise_from_nothing() -> None:
    (curve,) = curves_of(make_dial_run({0.0: 0.0, 0.5: 0.3, 1.0: 0.6}))
    assert curve.zero_at_zero
    assert curve.rises
    assert curve.points[-1].outcome == "better"
    assert "none is found" in dial_answer(curve)


def test_a_gain_where_there_can_be_none_is_called_out() -> None:
    (curve,) = curves_of(make_dial_run({0.0: 0.5, 1.0: 0.5}))
    assert curve.zero_at_zero is False
    assert "one is found all the same" in dial_answer(curve)


def test_a_gain_that_shrinks_does_not_rise() -> None:
    (curve,) = curves_of(make_dial_run({0.0: 0.55, 1.0: 0.0}, examples=200))
    assert not curve.rises


def test_without_a_dial_there_is_no_curve() -> None:
    assert curves_of(make_run()) == ()


def test_the_report_begins_with_the_curve() -> None:
    run = make_dial_run({0.0: 0.0, 1.0: 0.5})
    html = render(run.manifest, run.results, compare(run.manifest, run.results, run.predictions, {}), {})
    assert html.index("gained against the dial") < html.index('class="verdict"')
