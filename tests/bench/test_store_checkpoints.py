from pathlib import Path

import pytest
import torch

from bimodal import store
from bimodal.errors import CheckpointError


def tied() -> dict[str, torch.Tensor]:
    table = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    return {"embedding": table, "head": table, "gate": torch.tensor(0.5, dtype=torch.bfloat16)}


class TestWeights:
    def test_tied_scalar_and_bfloat16_tensors_come_back(self, tmp_path: Path) -> None:
        store.save_weights(tmp_path / "m.safetensors", tied())
        loaded = store.load_weights(tmp_path / "m.safetensors", sha256=store.weights_sha256(tied()))
        assert loaded.keys() == tied().keys()
        assert all(torch.equal(loaded[name], tensor) for name, tensor in tied().items())

    def test_views_and_transposed_tensors_come_back(self, tmp_path: Path) -> None:
        base = torch.arange(6.0).reshape(2, 3)
        store.save_weights(tmp_path / "m.safetensors", {"a": base.T, "b": base[0], "c": base[1]})
        loaded = store.load_weights(tmp_path / "m.safetensors")
        assert torch.equal(loaded["a"], base.T)
        assert torch.equal(loaded["c"], base[1])

    def test_the_hash_sees_names_shapes_types_and_bytes(self) -> None:
        one = {"a": torch.zeros(2, 3)}
        others = [
            {"b": torch.zeros(2, 3)},
            {"a": torch.zeros(3, 2)},
            {"a": torch.zeros(2, 3, dtype=torch.int32)},
            {"a": torch.tensor([[0.0, 0, 0], [0, 0, -0.0]])},
        ]
        assert len({store.weights_sha256(state) for state in (one, *others)}) == 5

    def test_the_hash_does_not_depend_on_order_or_memory_layout(self) -> None:
        square = torch.arange(4.0).reshape(2, 2)
        one = {"a": square.T, "b": square}
        other = {"b": square.clone(), "a": square.T.contiguous()}
        assert store.weights_sha256(one) == store.weights_sha256(other)

    @pytest.mark.parametrize("length", [0, 5, 60, -1])
    def test_a_file_cut_short(self, tmp_path: Path, length: int) -> None:
        path = tmp_path / "model.safetensors"
        store.save_weights(path, tied())
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(CheckpointError, match=r"model\.safetensors is cut short.*Delete.*--resume"):
            store.load_weights(path)

    def test_a_flipped_bit(self, tmp_path: Path) -> None:
        path = tmp_path / "m.safetensors"
        store.save_weights(path, tied())
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="other weights than were recorded"):
            store.load_weights(path, sha256=store.weights_sha256(tied()))

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match=r"m\.safetensors does not exist"):
            store.load_weights(tmp_path / "m.safetensors")


class TestState:
    def test_it_comes_back(self, tmp_path: Path) -> None:
        parameter = torch.nn.Parameter(torch.ones(3))
        optimizer = torch.optim.AdamW([parameter])
        parameter.sum().backward()
        optimizer.step()
        store.save_state(tmp_path / "s.pt", {"optimizer": optimizer.state_dict(), "step": 7, "best": 0.5})
        loaded = store.load_state(tmp_path / "s.pt")
        assert loaded["step"] == 7
        before = optimizer.state_dict()["state"][0]["exp_avg"]
        assert torch.equal(loaded["optimizer"]["state"][0]["exp_avg"], before)

    @pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.95])
    def test_a_file_cut_short(self, tmp_path: Path, keep: float) -> None:
        path = tmp_path / "s.pt"
        store.save_state(path, {"w": torch.ones(1000), "step": 1})
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])
        with pytest.raises(CheckpointError, match=r"s\.pt is cut short.*--resume"):
            store.load_state(path)

    def test_code_is_refused(self, tmp_path: Path) -> None:
        torch.save({"path": Path("x")}, tmp_path / "s.pt")
        with pytest.raises(CheckpointError, match=r"s\.pt is cut short or no checkpoint"):
            store.load_state(tmp_path / "s.pt")

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError, match=r"s\.pt does not exist"):
            store.load_state(tmp_path / "s.pt")
