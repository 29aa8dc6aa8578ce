"""An imported dataset on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from harness.data.hub import explain
from harness.errors import HarnessError


def push_folder(folder: Path, repository: str, private: bool) -> str:
    """Upload a folder as a dataset and return what to write into a suite to use it.

    Raises:
        HarnessError: the hub refuses or cannot be reached, or private files would become public.
    """
    try:
        commit = _push(folder, repository, private)
    except HarnessError:
        raise
    except Exception as error:  # of the hub, of HTTP or of its threads: they have no common base
        raise HarnessError(
            f"{folder} could not be pushed to {repository}: {explain(error)}. `hf auth login` "
            "signs in; what was uploaded is not uploaded again."
        ) from error
    return f"Pushed. In a suite: {{name: {folder.name}, hub: {repository}, revision: {commit}}}"


def _push(folder: Path, repository: str, private: bool) -> str:
    """Make the repository hold the folder's files and return the commit."""
    from huggingface_hub import HfApi

    hub = HfApi()
    hub.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
    # one that is there already stays as public as it is
    if private and not hub.dataset_info(repository).private:
        raise HarnessError(
            f"{repository} is there already and everyone can read it: make it private in its "
            "settings, or push to another name. Nothing was uploaded."
        )
    commit = hub.upload_folder(
        repo_id=repository,
        repo_type="dataset",
        folder_path=folder,
        allow_patterns=["*.parquet", "README.md", "import.json"],
        delete_patterns="*.parquet",  # shards of an earlier import would be read beside the new
        commit_message=f"Import {folder.name}",
    )
    return str(commit.oid)
