"""Datasets on the Hugging Face hub, each at a pinned revision.

`HF_ENDPOINT`, `HF_HOME`, `HF_TOKEN` and `HF_HUB_OFFLINE` work as everywhere with huggingface_hub: a
file whose connection was cut goes on where it was, a later call fetches only files that are not
whole, and what is in the cache needs no network.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness.data.declaration import Declaration
from harness.errors import HarnessError

COMMIT = re.compile(r"[0-9a-f]{40}")


def download(declaration: Declaration) -> Path:
    """Return the local snapshot of a dataset's Parquet files.

    Raises:
        HarnessError: no commit is pinned, or the hub does not give it; the message says what to do.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repository, revision = str(declaration.hub), str(declaration.revision or "")
    where = f"Dataset {declaration.name!r}: {repository}"
    if not COMMIT.fullmatch(revision):
        raise HarnessError(_unpinned(where, repository, revision))
    try:
        return Path(snapshot_download(**arguments_of(declaration)))
    except GatedRepoError as error:
        raise HarnessError(
            f"{where} is gated: ask for access on its page, sign in with `hf auth login` or "
            "$HF_TOKEN, and call again."
        ) from error
    except RevisionNotFoundError as error:
        raise HarnessError(
            f"{where} has no revision {revision} any more: its history was rewritten. Pin another "
            "one; results of the old one cannot be repeated."
        ) from error
    except RepositoryNotFoundError as error:
        raise HarnessError(
            f"{where} is not there, or is private. Check its name; for a private one, sign in with "
            "`hf auth login` or $HF_TOKEN."
        ) from error
    except LocalEntryNotFoundError as error:
        raise HarnessError(
            f"{where} at {revision} is not in the cache, and the hub cannot be reached "
            f"({explain(error)}). Call again with a network, and without HF_HUB_OFFLINE."
        ) from error
    except Exception as error:  # of the hub, of HTTP or of the disk: they have no common base
        raise HarnessError(
            f"{where} at {revision} could not be fetched from the hub: {explain(error)}. Files "
            "that are whole stay: call again to go on. `hf auth login` renews a refused token."
        ) from error


def arguments_of(declaration: Declaration) -> dict[str, Any]:
    """Return what names the Parquet files of a dataset to the hub's client."""
    return {
        "repo_id": str(declaration.hub),
        "repo_type": "dataset",
        "revision": declaration.revision,
        "allow_patterns": "*.parquet",
    }


def explain(error: Exception) -> str:
    """Return in one line what the hub's client says, of an error that wraps another the reason."""
    from huggingface_hub.errors import HfHubHTTPError

    wrapped = error.__cause__ if not isinstance(error, HfHubHTTPError) else None
    return " ".join(str(wrapped or error).split()).rstrip(".")


def _unpinned(where: str, repository: str, revision: str) -> str:
    """Say that what can change under a name is no benchmark, and what it names at present."""
    from huggingface_hub import HfApi

    told = f"is pinned to {revision!r}, which can move" if revision else "is not pinned"
    try:
        commit = HfApi().dataset_info(repository, revision=revision or None, timeout=10).sha
    except Exception:  # the message stands without it
        commit = None
    advice = f"at present that is {commit}" if commit else "40 hexadecimal digits"
    return f"{where} {told}: pin a revision by its commit, {advice}."
