"""config.plan: from a request to cells."""

from pathlib import Path

import pytest

from bimodal.config import Request, load_preset, plan, presets, setting_keys
from bimodal.errors import UsageError
from bimodal.schema import Match


def test_both_gives_the_two_contestants_equal_in_everything_but_their_name() -> None:
    gpt, multimodal = plan(Request("captioning", preset="smoke"))
    assert (gpt.model.name, multimodal.model.name) == ("gpt", "multimodal")
    renamed = multimodal.model.model_copy(update={"name": "gpt"})
    assert multimodal.model_copy(update={"model": renamed, "contestant": "gpt"}) == gpt


def test_every_dial_is_a_comparison_of_its_own() -> None:
    cells = plan(Request("ner", preset="smoke", dials="0,0.25,1"))
    assert [cell.cell for cell in cells][::2] == ["ner.names@0.gpt.s0", "ner.names@0.25.gpt.s0", "ner.names@1.gpt.s0"]
    assert len({cell.cell for cell in cells}) == 6


def test_a_control_is_a_model_under_another_name_and_differs_only_as_its_recipe_says() -> None:
    gpt, wide, long, blank, multimodal = plan(Request("captioning", model="ladder", preset="smoke"))
    assert [cell.model.name for cell in (wide, long, blank)] == ["gpt", "gpt", "multimodal"]
    assert wide.cell == "captioning.openmoji.gpt-wide.s0"
    assert (wide.match, long.match) == (Match(quantity="parameters"), Match(quantity="train_flops"))
    assert blank.data.inputs == "blank"
    same = {"contestant": "gpt", "match": None}
    assert wide.model_copy(update=same) == long.model_copy(update=same) == gpt
    assert blank.model_copy(update={"contestant": "multimodal", "data": multimodal.data}) == multimodal


def test_seeds_count_upwards_from_seed_with_every_contestant_each() -> None:
    cells = plan(Request("captioning", preset="smoke", seed=3, seeds=2))
    assert [cell.cell for cell in cells] == [
        "captioning.openmoji.gpt.s3",
        "captioning.openmoji.multimodal.s3",
        "captioning.openmoji.gpt.s4",
        "captioning.openmoji.multimodal.s4",
    ]


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_is_a_valid_plan(name: str) -> None:
    assert plan(Request("captioning", preset=name))[0].preset == name


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("train.epochs=3", 3),
        ("train.learning_rate=3e-4", 3e-4),
        ("decode.strategy=beam", "beam"),
        ("data.train_limit=null", None),
        ("model.init=some/folder", "some/folder"),
        ("model.cross_layers=[0, 1]", (0, 1)),
        ("model.image.patch_size=8", 8),
        ("train.augment.shift_px=2", 2),
        ("threads=1", 1),
    ],
)
def test_a_setting_reaches_the_cell(setting: str, value: object) -> None:
    (cell,) = plan(Request("captioning", model="gpt", preset="smoke", settings=[setting]))
    found: object = cell
    for part in setting.partition("=")[0].split("."):
        found = getattr(found, part)
    assert found == value


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request("captoning"), r"Unknown task 'captoning'. Did you mean 'captioning'\?"),
        (
            Request("captioning", model="multimodel"),
            r"Unknown model 'multimodel'. Did you mean 'multimodal'\?",
        ),
        (Request("captioning", dataset="openmoij"), r"Unknown dataset 'openmoij'. Did you mean 'openmoji'\?"),
        (Request("captioning", preset="smal"), r"Unknown preset 'smal'. Did you mean 'small'\?"),
        (Request("captioning", kernel="sdp"), r"Unknown kernel 'sdp'. Did you mean 'sdpa'\?"),
        (Request("captioning", device="gpu"), r"Unknown device 'gpu'. Allowed: auto, cpu, cuda, cuda:N, mps"),
        (Request("captioning", model="gpt,gpt"), "each contestant once"),
        (Request("captioning", model=","), "each contestant once"),
        (Request("ner", dials="0,half"), "--dial takes numbers from 0 to 1 with commas between, got '0,half'"),
        (Request("ner", dials="0,2"), "--dial takes numbers from 0 to 1, each once, got '0,2'"),
        (Request("captioning", dials="0,1"), "'openmoji' has no dial"),
        (Request("captioning", seeds=0), "--seeds must be at least 1, got 0"),
        (Request("captioning", preset="missing.toml"), r"missing.toml does not exist"),
        (
            Request("captioning", settings=["train.epoch=3"]),
            r"Unknown setting 'train.epoch'. Did you mean 'train.epochs'\?",
        ),
        (Request("captioning", settings=["train.epochs"]), "--set takes key=value, got 'train.epochs'"),
        (
            Request("captioning", settings=["train.epochs=-1"]),
            r"train.epochs: Input should be greater than 0, got -1",
        ),
        (Request("captioning", settings=["data.variant=hrad"]), r"Did you mean 'hard'\?"),
        (Request("captioning", settings=["data.dial=0.5"]), r"'openmoji' has no dial, got data.dial=0.5. Leave it out"),
        (Request("captioning", settings=["data.dial=2"]), r"data.dial: Input should be less than or equal to 1, got 2"),
    ],
)
def test_a_wrong_request_says_what_is_wrong_and_what_is_allowed(request_: Request, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan(request_)


def test_a_preset_may_be_a_file_of_the_users(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[train]\nepochs = 7\n")
    (cell,) = plan(Request("captioning", model="gpt", preset=str(file)))
    assert (cell.preset, cell.train.epochs) == ("mine", 7)


def test_a_preset_may_have_settings_for_one_task_and_data_set_alone(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[train]\nepochs = 7\nbatch_size = 4\n[for.captioning.openmoji.train]\nepochs = 9\n")
    (meant,) = plan(Request("captioning", model="gpt", preset=str(file)))
    (other,) = plan(Request("dialogue", model="gpt", preset=str(file)))
    (overruled,) = plan(Request("captioning", model="gpt", preset=str(file), settings=["train.epochs=2"]))
    assert (meant.train.epochs, meant.train.batch_size) == (9, 4)
    assert (other.train.epochs, overruled.train.epochs) == (7, 2)


def test_small_has_settings_of_its_own_for_replies_of_wesnoth_for_every_contestant() -> None:
    for cell in plan(Request("dialogue", dataset="wesnoth", preset="small")):
        assert (cell.train.prompt_loss, cell.train.epochs, cell.model.positions) == (True, 10, "rotary")
        assert cell.train.batch_size == 16  # what the preset says for all


@pytest.mark.parametrize("table", ["for.captoning.openmoji.train", "for.captioning.openmojy.train"])
def test_settings_for_a_task_or_data_set_that_does_not_exist_are_not_ignored(table: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f"[{table}]\nepochs = 9\n")
    with pytest.raises(
        UsageError, match=r"in a preset's \[for\.<task>\.<data set>\].*Did you mean '(captioning|openmoji)'"
    ):
        plan(Request("dialogue", model="gpt", preset=str(file)))


def test_a_preset_that_is_not_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[train\n")
    with pytest.raises(UsageError, match=r"mine\.toml is not valid TOML"):
        load_preset(str(file))


def test_settings_with_a_flag_of_their_own_are_not_offered_twice() -> None:
    keys = setting_keys()
    assert "train.epochs" in keys
    assert "model.image.patch_size" in keys
    assert not {"seed", "task", "model.name", "data.name", "contestant", "match.quantity"} & set(keys)
