"""Folders of the Hugging Face hub: `hf:owner/name`, and `hf:owner/name@revision` for one that stays the same."""

from __future__ import annotations

from pathlib import Path

from bimodal.errors import DataError, UsageError

PREFIX = "hf:"


def snapshot(address: str) -> Path:
    """The folder of a data set of the hub; without network, as it was fetched last (`HF_HUB_OFFLINE=1` never asks).

    Raises:
        UsageError: the address is none.
        DataError: it is neither on the hub nor in its cache, or needs a login.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    name, _, revision = address.removeprefix(PREFIX).partition("@")
    if name.count("/") != 1:
        raise UsageError(
            f"--data {address}: a data set of the hub is {PREFIX}owner/name or {PREFIX}owner/name@revision."
        )
    try:
        return Path(snapshot_download(name, repo_type="dataset", revision=revision or None))
    except HFValidationError as error:
        raise UsageError(f"--data {address}: {error}") from error
    except (OSError, HfHubHTTPError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(
            f"--data {address}: it is not in the hub's cache on this machine, and cannot be fetched ({reason}). Check "
            "the name and the network (hf auth login, if it is private), or pass a folder."
        ) from error


def kept_in(root: Path) -> tuple[Path, ...]:
    """The folders in which a data folder's files may lie: itself; of the hub's cache, also where it keeps contents."""
    root = root.resolve()
    return (root, root.parents[1] / "blobs") if root.parent.name == "snapshots" else (root,)
