"""A page on a branch of a git repository, as GitHub Pages shows it.

A push is one step for whoever reads the page: it is the old one or the new one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.errors import HarnessError
from harness.publishing.changes import Changes, Published, compare
from harness.publishing.git import (
    Git,
    GitError,
    call_git,
    find_remote,
    open_repository,
    show_address,
)
from harness.publishing.page import MANIFEST, Page, read_manifest

TRIES = 2  # where somebody else pushes in between
ON_GITHUB = re.compile(r"github\.com[:/]+(?P<owner>[^/:@]+)/(?P<name>[^/]+?)(?:\.git)?/?$")
DOMAIN = re.compile(r"[\w-]+(\.[\w-]+)+")


@dataclass(frozen=True)
class _Branch:
    """What is published on a branch."""

    tip: str | None  # its last commit; None where there is no such branch
    files: dict[str, str]  # git's names of contents, by path
    ours: set[str]
    domain: str  # that the branch claims for itself

    @classmethod
    def fetch(cls, git: Git, reference: str) -> _Branch:
        """Read the branch of the remote."""
        tip = git.fetch_tip(reference)
        if tip is None:
            return cls(None, {}, set(), "")
        files = git.list_files(tip)
        ours = read_manifest(git.read(tip, MANIFEST)) if MANIFEST in files else set()
        claimed = git.read(tip, "CNAME").decode(errors="replace") if "CNAME" in files else ""
        return cls(tip, files, ours, claimed.strip() if DOMAIN.fullmatch(claimed.strip()) else "")


def publish(
    page: Page, repository: str | None, branch: str, message: str, dry_run: bool = False
) -> Published:
    """Commit what is new in a page to a branch of a remote, if anything is; files of others stay.

    Args:
        repository: an address or a path; None is the remote origin of the checkout we are in.

    Raises:
        HarnessError: git cannot read the remote, may not push to it, or others keep pushing.
        FileExistsError: a file of somebody else is in the way.
    """
    address = find_remote(repository)
    shown = show_address(address)
    where = f"{branch} of {shown}"
    reference = _reference(branch)
    try:
        with open_repository(address) as git:
            for _ in range(TRIES):
                there = _Branch.fetch(git, reference)
                changes = compare(page.blobs, there.files, there.ours)
                if not changes or dry_run or _push(git, reference, page, there, changes, message):
                    return Published(where, changes, *_look(shown, branch, there))
    except GitError as error:
        raise HarnessError(
            f"git cannot publish to {where}: {error}. Check the address, and that you may "
            "read it (`git ls-remote ADDRESS` tries that). What was published before is whole."
        ) from error
    raise HarnessError(
        f"Others were pushing to {where} at the same time, {TRIES} times. Nothing of yours was "
        "published: call again."
    )


def _reference(branch: str) -> str:
    reference = f"refs/heads/{branch}"
    try:
        call_git("check-ref-format", reference)
    except GitError as error:
        raise HarnessError(f"--branch {branch}: git takes no such name for a branch.") from error
    return reference


def _push(
    git: Git, reference: str, page: Page, there: _Branch, changes: Changes, message: str
) -> bool:
    """Commit and push changes; tell whether the branch was still where they were compared."""
    names = git.store([page.folder / name for name in changes.written])
    written = dict(zip(changes.written, names, strict=True))
    commit = git.commit(there.tip, written, changes.removed, message)
    try:
        git.push(commit, reference)
    except GitError as error:
        now = git.find_tip(reference)
        if now == there.tip:
            raise HarnessError(
                f"git may not push the page: {error}. Check that you may write to that "
                "repository (in a workflow of GitHub Actions, `permissions: contents: write`) and "
                "that the branch is not protected. What was published before is whole."
            ) from error
        return now == commit  # else somebody else was faster
    return True


def _look(address: str, branch: str, there: _Branch) -> tuple[str, str]:
    """Return the address of the page, where it can be told, and what is left to do for it."""
    found = ON_GITHUB.search(address)
    if found is None:
        return "", ""
    owner, name = found["owner"].lower(), found["name"]
    home = f"{owner}.github.io"
    page = f"https://{there.domain or home}/"
    if not there.domain and name.lower() != home:
        page += f"{name}/"
    first = f"If it does not show: Settings, Pages, deploy from the branch {branch}."
    return page, "" if there.tip else first
