"""A small version of `make calibrate`: do verdicts keep their promises? Rates with three standard errors of slack."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
from threadpoolctl import threadpool_limits

from bimodal.calibration.comparisons import Setting
from bimodal.calibration.corpora import CORPORA, F1_LIKE, Corpus
from bimodal.calibration.studies import RESTLESS, Row, Studies


@pytest.fixture(scope="module")
def studies() -> Iterator[Studies]:
    with ThreadPoolExecutor(1) as pool, threadpool_limits(1):
        yield Studies(pool, comparisons=250, resamples=400)


def broken(rows: list[Row]) -> list[tuple[str, str, float]]:
    """The promises among these rows that were not kept."""
    return [
        (row.study, row.event, row.rate)
        for row in rows
        if row.promise is not None
        and not row.promise[0] - 3 * row.standard_error <= row.rate <= row.promise[1] + 3 * row.standard_error
    ]


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda corpus: corpus.name)
@pytest.mark.parametrize(("seeds", "spread"), [(1, 0.0), (5, RESTLESS)])
def test_verdicts_keep_their_promises(studies: Studies, corpus: Corpus, seeds: int, spread: float) -> None:
    rows = list(studies.fixed(corpus, 200, seeds, spread))
    assert len([row for row in rows if row.promise is not None]) == 4
    assert broken(rows) == []


def test_looks_keep_the_error_and_looking_without_correction_does_not(studies: Studies) -> None:
    corrected, uncorrected = islice(studies.looks(F1_LIKE, 100, 3 * RESTLESS), 2)
    assert broken([corrected]) == []
    assert uncorrected.rate > 0.06 > corrected.rate


def test_where_only_trainings_vary_resampling_five_of_them_alarms_far_too_often(studies: Studies) -> None:
    verdicts, p_values, plain = islice(studies.fixed(F1_LIKE, 200, 5, 5 * RESTLESS), 3)
    assert broken([verdicts, p_values]) == []
    assert plain.rate > 0.09


def test_a_planted_difference_is_the_one_asked_for() -> None:
    setting = Setting(F1_LIKE, 200, 5, RESTLESS)
    assert setting.truth == 0.0
    assert setting.apart_by(4.0).truth == pytest.approx(4.0, abs=1e-6)
