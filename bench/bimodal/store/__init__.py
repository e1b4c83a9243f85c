"""Files of a run: layout, locks, atomic writes, records, logs and checkpoints.

Everything is written next to its place and renamed into it, so that a file that is there is complete,
whatever killed the process. The one exception is a log (`JsonlLog`), whose last line may be cut short.
"""

from bimodal.files import (
    StorageError,
    read_jsonl,
    read_record,
    replacing,
    storage_errors,
    write_bytes,
    write_json,
    write_jsonl,
    write_text,
)
from bimodal.store.checkpoints import load_state, load_weights, save_state, save_weights, weights_sha256
from bimodal.store.jsonl_log import JsonlLog
from bimodal.store.layout import CellDirectory, RunDirectory, new_run_id
from bimodal.store.locks import FileLock
from bimodal.store.opening import differing_settings, open_run

__all__ = [
    "CellDirectory",
    "FileLock",
    "JsonlLog",
    "RunDirectory",
    "StorageError",
    "differing_settings",
    "load_state",
    "load_weights",
    "new_run_id",
    "open_run",
    "read_jsonl",
    "read_record",
    "replacing",
    "save_state",
    "save_weights",
    "storage_errors",
    "weights_sha256",
    "write_bytes",
    "write_json",
    "write_jsonl",
    "write_text",
]
