"""Dropout, natively where that serves."""

from torch import Tensor, nn

from bimodal_kernels import training


class Dropout(nn.Dropout):
    """`nn.Dropout`; `kernel` as for attention. `native` drops other elements than torch, many times as fast."""

    def __init__(self, probability: float, *, kernel: str) -> None:
        super().__init__(probability)
        self.kernel = kernel

    def forward(self, input: Tensor) -> Tensor:
        """The input, in training with some elements 0 and the others larger, to make up for them."""
        if self.training and 0 < self.p < 1 and training.serves(self.kernel, input):
            return training.dropout(input, self.p)
        return super().forward(input)
