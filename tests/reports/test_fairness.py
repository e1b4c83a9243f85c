from __future__ import annotations

from bimodal.schema import KernelUsed, TrainConfig
from bimodal_reports.fairness import fairness_table
from bimodal_reports.tables import Row

from .factories import make_config, make_result, make_rows

ROWS = make_rows(["a b c d"], ["a b c d"])
GPT = make_result(make_config("gpt"), ROWS)
COLORS = {"gpt": "var(--c0)", "multimodal": "var(--c1)"}


def rows_against(**changes: object) -> dict[str, Row]:
    config = changes.pop("config", make_config("multimodal"))
    table = fairness_table([GPT, make_result(config, ROWS, **changes)], COLORS)  # type: ignore[arg-type]
    return {row.label: row for _, rows in table.groups for row in rows}


def test_the_extra_modality_is_marked_as_a_difference() -> None:
    row = rows_against()["Reads"]
    assert [entry.text for entry in row.entries] == ["text", "text, image"]
    assert row.note == "differs"


def test_what_is_equal_is_not_marked() -> None:
    rows = rows_against()
    assert {label for label, row in rows.items() if row.note} == {"Reads"}
    assert rows["Train, validation, test examples"].entries[0].text == "3,507, 168, 1"


def test_a_setting_that_differs_has_a_row_of_its_own() -> None:
    config = make_config("multimodal", train=TrainConfig(epochs=3))
    assert [entry.text for entry in rows_against(config=config)["train.epochs"].entries] == ["10", "3"]
    assert "train.epochs" not in rows_against()


def test_a_kernel_that_was_asked_for_and_did_not_run_is_told() -> None:
    used = KernelUsed(requested="native", name="sdpa", reason="no compiler")
    row = rows_against(kernel_used=used)["Attention kernel"]
    assert row.entries[1].text == "sdpa (asked for native; no compiler)"
    assert row.note == "differs"
