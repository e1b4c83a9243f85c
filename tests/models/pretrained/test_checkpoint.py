import json

import pytest
import torch
from safetensors.torch import save_file

from bimodal.errors import CheckpointError
from bimodal_models.pretrained.checkpoint import open_checkpoint


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "toy", "width": 3, "act": "relu"}')
    save_file({"a": torch.ones(2), "b": torch.zeros(300)}, tmp_path / "model.safetensors")
    return tmp_path


def opened(folder):
    return open_checkpoint(str(folder), model_type="toy")


def test_reads_what_is_asked_for(folder):
    tensors = opened(folder).read(["a"])
    assert list(tensors) == ["a"]
    assert tensors["a"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_safetensors_cut_short_are_refused(folder, kept):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"model.safetensors is cut short or corrupt \(.+\)"):
        opened(folder).read(["a", "b"])


@pytest.mark.parametrize("kept", [0, 5, 500, -30])
def test_pickle_cut_short_is_refused(folder, kept):
    (folder / "model.safetensors").unlink()
    file = folder / "pytorch_model.bin"
    torch.save({"a": torch.ones(2), "b": torch.zeros(300)}, file)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin is cut short or corrupt \(.+\)"):
        opened(folder).read(["a"])


def test_pickle_with_code_in_it_is_refused(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"a": print}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin is cut short or corrupt"):
        opened(folder)


def test_pickle_without_tensors_is_refused(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"a": 1}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"does not hold tensors by name"):
        opened(folder)


def test_another_architecture_is_refused(folder):
    with pytest.raises(CheckpointError, match=r"is of model_type 'toy', expected 'vit'"):
        open_checkpoint(str(folder), model_type="vit")


def test_folder_without_config_is_refused(folder):
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no config.json: it is no Hugging Face checkpoint"):
        opened(folder)


@pytest.mark.parametrize(("text", "message"), [("{", "cannot be read"), ("[]", "holds a list, expected an object")])
def test_config_that_is_no_json_object_is_refused(folder, text, message):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        opened(folder)


def test_folder_without_weights_is_refused(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"No weights in .*: expected model.safetensors"):
        opened(folder)


@pytest.mark.parametrize("shard", ["gone.safetensors", "../model.safetensors"])
def test_shard_that_is_not_in_the_folder_is_refused(folder, shard):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(CheckpointError, match=f"names the shard '{shard}', which is not in"):
        opened(folder)


def test_index_without_a_map_is_refused(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(CheckpointError, match="has no weight_map"):
        opened(folder)


def test_missing_tensors_are_named(folder):
    with pytest.raises(CheckpointError, match=r"2 of 3 tensors are missing: c, d\."):
        opened(folder).read(["a", "c", "d"])


@pytest.mark.parametrize("value", [None, 0, -1, 2.5, "3", True])
def test_number_that_is_none_is_refused(folder, value):
    (folder / "config.json").write_text(json.dumps({"model_type": "toy", "width": value}))
    with pytest.raises(CheckpointError, match=r"config.json has width = .*, expected a whole number above 0"):
        opened(folder).number("width")


def test_weights_without_the_anchor_are_of_another_model(folder):
    with pytest.raises(CheckpointError, match=r"none of its 2 tensors is called 'x\.wte', 'wte'"):
        opened(folder).prefix("wte", ("x.", ""))


@pytest.mark.parametrize("path", ["./gone", "/gone/model", "a/b/c"])
def test_folder_that_does_not_exist_is_refused(path):
    with pytest.raises(CheckpointError, match=f"No such checkpoint folder: {path}"):
        open_checkpoint(path, model_type="toy")


def test_hub_id_that_cannot_be_had_is_refused(monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(
        CheckpointError, match=r"'owner/name' is neither a local folder nor .* hub: no network Check the name"
    ):
        open_checkpoint("owner/name", model_type="toy")


def test_hub_id_is_downloaded_preferring_safetensors(monkeypatch, folder):
    asked = []

    def download(name, *, allow_patterns):
        asked.append((name, "pytorch_model*.bin" in allow_patterns))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert open_checkpoint("owner/name", model_type="toy").folder == folder
    assert asked == [("owner/name", False)]
