"""parts: which operators of a profile belong to which part, backward ones included."""

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from bimodal.parts import layers_named, part, paths_of
from bimodal.profiling import row_of


class GatedCrossAttention(nn.Sequential):
    """Told from other layers by its class's name."""


def test_operators_belong_to_the_part_around_them_and_gradients_to_that_of_their_operator() -> None:
    model = nn.ModuleDict({"cross": GatedCrossAttention(nn.Linear(4, 4)), "head": nn.Linear(4, 3)})
    with profile(activities=[ProfilerActivity.CPU], acc_events=True) as recorded, layers_named(model):
        with part("decoder"):
            states = model["cross"](torch.ones(2, 4))
        with part("loss"):
            loss = model["head"](states).exp().sum()
        with part("backward"):
            loss.backward()
    found = {(event.name, path) for event, path in paths_of(recorded.events() or ())}
    assert ("aten::addmm", ("decoder", "cross-attention")) in found
    assert ("aten::addmm", ("loss",)) in found
    assert {path for name, path in found if name == "aten::mm"} == {("decoder", "cross-attention"), ("loss",)}


def test_layers_are_as_before_afterwards() -> None:
    model = GatedCrossAttention(nn.Linear(4, 4))
    with layers_named(model):
        assert model._forward_hooks
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


def test_rows_name_the_outermost_two_parts_and_leave_out_what_all_encoders_share() -> None:
    assert row_of(("encoders", "image encoder", "attention")) == "image encoder: attention"
    assert row_of(("decoder", "cross-attention", "attention")) == "decoder: cross-attention"
    assert row_of(("encoders", "norms")) == "encoders: norms"
    assert row_of(("logits", "logits")) == "logits"
    assert row_of(("optimiser",)) == "optimiser"
