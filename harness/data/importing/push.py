"""An imported dataset on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError


def push_folder(folder: Path, repository: str, private: bool) -> str:
    """Upload a folder as a dataset and return what to write into a suite to use it."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    hub = HfApi()
    try:
        hub.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        commit = hub.upload_folder(
            repo_id=repository,
            repo_type="dataset",
            folder_path=folder,
            allow_patterns=["*.parquet", "README.md", "import.json"],
            commit_message=f"Import {folder.name}",
        )
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise HarnessError(
            f"{folder} could not be pushed to {repository}: {error}. `hf auth login` signs in; "
            "what was uploaded is not uploaded again."
        ) from error
    return f"Pushed. In a suite: {{name: {folder.name}, hub: {repository}, revision: {commit.oid}}}"
