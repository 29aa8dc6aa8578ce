"""A page as a static Space on the Hugging Face hub, changed by one commit at a time."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.hub import explain
from harness.errors import HarnessError
from harness.publishing.changes import Changes, Published, compare
from harness.publishing.page import MANIFEST, Page, read_manifest

if TYPE_CHECKING:
    from huggingface_hub import (
        CommitOperationAdd,
        CommitOperationDelete,
        HfApi,
        RepoFile,
        SpaceInfo,
    )

README = "README.md"  # its first lines make the Space static; afterwards it is its owner's
ATTRIBUTES = ".gitattributes"  # tells the hub which files are large
TRIES = 2  # where somebody else commits in between


@dataclass(frozen=True)
class _Space:
    """What is published in a Space."""

    commit: str | None  # the last one; None where there is no such Space
    blobs: dict[str, str]  # names of contents, by path
    ours: set[str]


def publish(
    page: Page, repository: str, private: bool, message: str, dry_run: bool = False
) -> Published:
    """Commit what is new in a page to a Space, if anything is; files of others stay.

    A Space that is not there is made; its README stays its owner's from then on.

    Raises:
        HarnessError: the hub refuses or cannot be reached, it is no static Space, or a private
            page would become public.
        FileExistsError: a file of somebody else is in the way.
    """
    try:
        return _publish(page, repository, private, message, dry_run)
    except (HarnessError, FileExistsError):
        raise
    except Exception as error:  # of the hub, of HTTP or of its threads: they have no common base
        raise HarnessError(
            f"The page could not be published to {repository}: {explain(error)}. `hf auth login` "
            "signs in, with a token that may write. What was published before is whole; call again "
            "to go on."
        ) from error


def _publish(page: Page, repository: str, private: bool, message: str, dry_run: bool) -> Published:
    from huggingface_hub import HfApi

    hub = HfApi()
    if not dry_run:
        hub.create_repo(
            repository,
            repo_type="space",
            space_sdk="static",
            private=private or None,
            exist_ok=True,
        )
    address = f"{hub.endpoint}/spaces/{repository}"
    for _ in range(TRIES):
        space = _read(hub, repository, private, page)
        whole = (
            page if README in space.blobs.keys() - space.ours else _with_readme(page, repository)
        )
        changes = compare(whole.blobs, space.blobs, space.ours)
        if not changes or dry_run or _commit(hub, repository, whole, space, changes, message):
            return Published(f"the Space {repository}", changes, address)
    raise HarnessError(
        f"Others were committing to the Space {repository} at the same time, {TRIES} times. "
        "Nothing of yours was published: call again."
    )


def _read(hub: HfApi, repository: str, private: bool, page: Page) -> _Space:
    """Read what a Space holds; refuse one of another kind, or one that all see and should not."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = hub.space_info(repository)
    except RepositoryNotFoundError:
        return _Space(None, {}, set())
    _check(info, repository, private)
    files = dict(_list_files(hub, repository, str(info.sha)))
    blobs = {name: _blob_of(file, page) for name, file in files.items()}
    return _Space(info.sha, blobs, _ours(hub, repository, str(info.sha), set(files)))


def _check(info: SpaceInfo, repository: str, private: bool) -> None:
    if info.sdk not in (None, "static"):
        raise HarnessError(
            f"{repository} is a {info.sdk} Space, and a page needs a static one: name another."
        )
    if private and not info.private:
        raise HarnessError(
            f"{repository} is there already and everyone can read it: make it private in its "
            "settings, or publish to another name. Nothing was uploaded."
        )


def _list_files(hub: HfApi, repository: str, commit: str) -> Iterator[tuple[str, RepoFile]]:
    from huggingface_hub import RepoFile

    for entry in hub.list_repo_tree(repository, recursive=True, revision=commit, repo_type="space"):
        if isinstance(entry, RepoFile):
            yield entry.path, entry


def _blob_of(file: RepoFile, page: Page) -> str:
    """Return git's name for the content of a file, also of one that the hub keeps out of git."""
    if file.lfs is None:
        return file.blob_id
    same = file.path in page.blobs and (
        hashlib.sha256(page.read(file.path)).hexdigest() == file.lfs.sha256
    )
    return page.blobs[file.path] if same else file.lfs.sha256


def _ours(hub: HfApi, repository: str, commit: str, names: set[str]) -> set[str]:
    """Return the files that we published, or that the hub has put into a new Space."""
    if MANIFEST in names:
        with tempfile.TemporaryDirectory(prefix="harness-publish-") as folder:
            file = hub.hf_hub_download(
                repository, MANIFEST, repo_type="space", revision=commit, cache_dir=folder
            )
            return read_manifest(Path(file).read_bytes())
    untouched = len(hub.list_repo_commits(repository, repo_type="space")) == 1
    return names - {ATTRIBUTES} if untouched else set()


def _with_readme(page: Page, repository: str) -> Page:
    """Return the page with what tells the hub that a Space is static."""
    title = json.dumps(repository.rpartition("/")[2])
    front = f"---\ntitle: {title}\nsdk: static\napp_file: index.html\npinned: false\n---\n"
    return page.adding(README, f"{front}\nWritten by `harness publish`.\n".encode())


def _commit(
    hub: HfApi, repository: str, page: Page, space: _Space, changes: Changes, message: str
) -> bool:
    """Commit changes; tell whether the Space was still as it was when they were compared."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        hub.create_commit(
            repository, _operations(page, changes), repo_type="space", commit_message=message,
            parent_commit=space.commit,
        )  # fmt: skip
    except HfHubHTTPError:
        if hub.space_info(repository).sha == space.commit:
            raise
        return False  # somebody else was faster
    return True


def _operations(page: Page, changes: Changes) -> list[CommitOperationAdd | CommitOperationDelete]:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    return [
        *(CommitOperationAdd(name, page.folder / name) for name in changes.written),
        *(CommitOperationDelete(name) for name in changes.removed),
    ]
