"""What `bench audit` found out about one trained contestant."""

from __future__ import annotations

from typing import Literal

from bimodal.schema.base import SCHEMA_VERSION, Modality, Record
from bimodal.schema.results import KernelUsed, Probe


class AuditProbe(Probe):
    """The answers to examples with one modality changed."""

    kind: Literal["deranged", "blank", "noise", "dropped"]
    modality: Modality


class CellAudit(Record):
    """`cells/<cell>/audit/audit.json`."""

    schema_version: Literal[1] = SCHEMA_VERSION
    weights_sha256: str
    """Of the checkpoint that was probed: the cell's own."""
    device: str
    kernel_used: KernelUsed
    true: Probe
    """The true inputs again, on the device of the audit, so that probes are compared with nothing but themselves."""
    reproduced: bool
    """Whether the true inputs gave the answers that the cell gave after training."""
    probes: dict[str, AuditProbe]
    """By name; paths are relative to the folder of the audit."""
