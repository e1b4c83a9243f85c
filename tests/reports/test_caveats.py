from __future__ import annotations

from typing import Any

from bimodal.schema import CellResult, InputsSeen, KernelUsed, TrainConfig
from bimodal_reports.caveats import pair_caveats
from bimodal_reports.settings import differing_settings, flattened

from .factories import make_config, make_cost, make_difference, make_result, make_rows, make_seeds, make_train

ROWS = make_rows(["a b c d", "e f g h"], ["a b c d", "e f x h"])


def cell(model: str, **changes: Any) -> CellResult:
    config = changes.pop("config", make_config(model))
    return make_result(config, ROWS, **{"cost": make_cost()} | changes)


def caveats(contestant: CellResult, **changes: Any) -> str:
    primary = make_difference(5.0, 1.0, **changes.pop("primary", {}))
    arguments: dict[str, Any] = {"failed": {}, "probes": ()}
    return "\n".join(pair_caveats([(cell("gpt"), contestant)], primary, **arguments | changes))


def test_one_seed_is_said_and_nothing_else_of_an_equal_pair() -> None:
    assert caveats(cell("multimodal")).count("\n") == 0
    assert "training to training is unknown" in caveats(cell("multimodal"))
    assert "speaks of these two checkpoints" in caveats(cell("multimodal"))


def test_unequal_size_states_both() -> None:
    text = caveats(cell("multimodal", cost=make_cost(2.0)))
    assert "multimodal has 6.96 M parameters, gpt has 3.48 M (2.0×), and was trained with 4.0× the compute" in text


def test_other_text_is_said() -> None:
    seen = InputsSeen(
        modalities=("image",), train_examples=1, validation_examples=1, test_examples=2, text_sha256="0" * 64
    )
    assert "did not get the same text" in caveats(cell("multimodal", inputs_seen=seen))


def test_other_settings_are_listed_with_both_values() -> None:
    config = make_config("multimodal", train=TrainConfig(batch_size=32))
    assert "Settings differ besides the model (train.batch_size: 64 against 32)." in caveats(
        cell("multimodal", config=config)
    )


def test_a_kernel_that_fell_back_is_said_with_its_reason() -> None:
    used = KernelUsed(requested="native", name="sdpa", reason="no C++ compiler found")
    text = caveats(cell("multimodal", kernel_used=used))
    assert "multimodal asked for the native kernel and ran sdpa: no C++ compiler found." in text


def test_different_kernels_are_said() -> None:
    used = KernelUsed(requested="auto", name="reference", reason="sdpa is switched off")
    assert "ran different attention kernels (sdpa and reference)" in caveats(cell("multimodal", kernel_used=used))


def test_early_stop_is_said() -> None:
    train = make_train(900, stopped_early=True, best_step=700)
    text = caveats(cell("multimodal", train=train))
    assert "multimodal stopped early after 900 of 2,200 steps, without a better validation loss since step 700" in text


def test_a_resumed_training_is_said() -> None:
    text = caveats(cell("multimodal", train=make_train(resumed_at_steps=(400,))))
    assert "training of multimodal was interrupted and resumed" in text


def test_few_examples_are_said() -> None:
    assert "Only 40 test examples" in caveats(cell("multimodal"), primary={"examples": 40})


def test_missing_cells_are_said() -> None:
    assert "for lack of a result: a.b.c.s0." in caveats(cell("multimodal"), failed={"a.b.c.s0": "x"})


def test_flattened_joins_keys_by_dots() -> None:
    assert flattened({"a": {"b": {"c": 1}, "d": ()}, "e": {}}) == {"a.b.c": 1, "a.d": (), "e": {}}


def test_differing_settings_leave_out_the_models_name() -> None:
    assert differing_settings(make_config("gpt"), make_config("multimodal")) == {}
    assert differing_settings(make_config("gpt"), make_config("gpt", kernel="sdpa")) == {"kernel": ("auto", "sdpa")}


def test_a_part_of_the_data_and_the_smoke_preset_are_said() -> None:
    config = make_config("multimodal")
    limited = config.model_copy(update={"preset": "smoke", "data": config.data.model_copy(update={"train_limit": 512})})
    text = caveats(cell("multimodal", config=limited))
    assert "its scores answer nothing" in text
    assert "Only part of the data was used: " in text


def test_trainings_that_disagree_are_said() -> None:
    text = caveats(cell("multimodal"), primary={"by_seed": make_seeds(1.2, -0.3, 0.8)})
    assert "do not agree on the direction: +1.2 (seed 0), −0.3 (seed 1), +0.8 (seed 2)." in text
    assert "speaks of these two checkpoints" not in text


def test_two_seeds_are_called_few() -> None:
    assert "Two training seeds barely show" in caveats(cell("multimodal"), primary={"by_seed": make_seeds(1.2, 0.3)})
    assert caveats(cell("multimodal"), primary={"by_seed": make_seeds(1.2, 0.3, 0.5)}) == ""
