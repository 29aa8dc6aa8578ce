"""A bundle on a branch of a board's git repository, or of one's own fork of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import HarnessError
from harness.publishing.git import (
    Git,
    GitError,
    find_remote,
    open_repository,
    show_address,
)
from harness.publishing.github import ON_GITHUB
from harness.submission.offer import FOLDER, Offer, Offered
from harness.submission.pull_requests import Repository, open_pull_request

NAMED = 20  # branches that a refusal names
NAME = re.compile(r"[A-Za-z0-9-]+/[\w.-]+")


def submit(offer: Offer, repository: str, fork: str | None = None) -> Offered:
    """Push a bundle on a branch of its own and ask for it to be taken.

    Nothing is stored: git asks who may push as it always does. A bundle that is there is not pushed
    again, and one that is asked about not asked about twice.

    Args:
        repository: OWNER/NAME on GitHub, or a path or an address of a repository.
        fork: the same of one's own, for who may not push to the board's.

    Raises:
        HarnessError: git cannot reach a repository, may not push, or GitHub refuses.
    """
    address = find_address(repository)
    pushed_to = address if fork is None else find_address(fork)
    shown = show_address(pushed_to)
    with _reading(shown), open_repository(pushed_to) as git:
        base = _default_branch(git, shown)
        tip = git.fetch_tip(f"refs/heads/{base}")
        assert tip is not None  # it was found
        [blob] = git.store([offer.file.resolve()])
        if there := _find(git, tip, blob):
            return Offered(f"It is there already, as {there} of {base}: nothing was sent.")
        told = f"It was pushed before, to the branch {offer.branch} of {shown}."
        if not _is_pushed(git, offer, blob):
            _push(git, tip, offer, blob, fork is not None)
            told = f"Pushed to the branch {offer.branch} of {shown}."
    found, own = ON_GITHUB.search(show_address(address)), ON_GITHUB.search(shown)
    if found is None or own is None:
        return Offered(told, advice="Ask its keepers to take the branch.")
    board = Repository(found["owner"], found["name"])
    return open_pull_request(offer, board, Repository(own["owner"], own["name"]), base, told)


def check(repository: str, fork: str | None = None) -> None:
    """Check that git can read where a bundle would be pushed to, and that something is there.

    Raises:
        HarnessError: it cannot, or there is no branch to begin at.
    """
    address = find_address(repository)
    pushed_to = address if fork is None else find_address(fork)
    shown = show_address(pushed_to)
    with _reading(shown), open_repository(pushed_to) as git:
        _default_branch(git, shown)


@contextmanager
def _reading(shown: str) -> Iterator[None]:
    """Tell of what git cannot read as of an error of the user's."""
    try:
        yield
    except GitError as error:
        raise HarnessError(
            f"git cannot read {shown}: {error}. Check the address, and that you may read it "
            "(`git ls-remote ADDRESS` tries that)."
        ) from error


def find_address(repository: str) -> str:
    """Return the address of a repository: a path as it is, OWNER/NAME as GitHub's."""
    if NAME.fullmatch(repository) and not Path(repository).exists():
        return f"https://github.com/{repository}.git"
    return find_remote(repository)


def _default_branch(git: Git, address: str) -> str:
    """Return the branch that a repository shows first, by its name alone."""
    branches = git.find_branches()
    if not branches:
        raise HarnessError(
            f"{address} has no commit yet: `harness new-board FOLDER` writes what a board begins "
            "with."
        )
    head = git.find_head()
    branch = head.removeprefix("refs/heads/")
    if branch not in branches:
        names = f"the branch {branch}, which is not there" if head else "a commit and no branch"
        raise HarnessError(
            f"HEAD of {address} names {names}. There are: {', '.join(branches[:NAMED])}. Its "
            "keepers have to choose one as its default branch."
        )
    return branch


def _find(git: Git, tip: str, blob: str) -> str:
    """Return the path under which a commit of the board holds the bundle; empty if it does not."""
    for path, content in git.list_files(tip).items():
        if content == blob and path.startswith(f"{FOLDER}/"):
            return path
    return ""


def _is_pushed(git: Git, offer: Offer, blob: str) -> bool:
    """Tell whether the bundle's branch is there.

    Raises:
        HarnessError: it is, with something else in it.
    """
    branch = git.fetch_tip(f"refs/heads/{offer.branch}")
    if branch is None:
        return False
    if git.list_files(branch).get(offer.path) != blob:
        raise HarnessError(
            f"There is a branch {offer.branch} already, with something else in it: its name is of "
            "this very bundle. Remove the branch, then call again."
        )
    return True


def _push(git: Git, tip: str, offer: Offer, blob: str, is_fork: bool) -> None:
    """Push the bundle as a commit on what is there, on a branch of its own."""
    commit = git.commit(tip, {offer.path: blob}, (), f"{offer.title}\n\n{offer.body}")
    try:
        git.push(commit, f"refs/heads/{offer.branch}")
    except GitError as error:
        advice = (
            "Check that you may write to your fork."
            if is_fork
            else "Where you may not write to it, fork it, and name your fork: --from OWNER/NAME."
        )
        raise HarnessError(f"git may not push the bundle: {error}. {advice}") from error
