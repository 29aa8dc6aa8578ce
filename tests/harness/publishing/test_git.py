"""git with its user's settings, and what it says where something is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.publishing import git as git_calls
from harness.publishing import github
from harness.publishing.page import Page

from .remotes import Remote, run_git

pytestmark = pytest.mark.usefixtures("alone")

ONE = {"index.html": "one"}


def test_a_push_goes_with_the_settings_of_the_checkout(checkout: Path) -> None:
    """Credentials that only the checkout has, as in a workflow, are used; its hooks are not."""
    (checkout.parent / "secret").write_text('[http "https://example.org/"]\n\textraheader = KEY\n')
    folder = (checkout / ".git").resolve()
    run_git(checkout, "config", f"includeIf.gitdir:{folder}.path", str(checkout.parent / "secret"))
    run_git(checkout, "config", "core.hooksPath", "/somewhere")
    run_git(checkout, "config", "remote.page.url", "https://example.org/another")
    with git_calls.open_repository("https://example.org/page.git") as git:
        assert git("config", "--get-all", "http.https://example.org/.extraheader") == "KEY\n"
        assert git("config", "--get-all", "remote.page.url") == "https://example.org/page.git\n"
        with pytest.raises(git_calls.GitError):
            git("config", "--get", "core.hooksPath")
        place = git.folder
        assert "KEY" not in "".join(file.read_text() for file in place.glob("config"))
    assert not place.exists()


def test_somebody_without_a_name_can_publish(
    remote: Remote, make_page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where git knows nobody, as on a fresh machine, a commit still has an author."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{role}_NAME")
        monkeypatch.delenv(f"GIT_{role}_EMAIL")
    monkeypatch.setenv("HOME", str(remote.path))
    run_git(remote.path, "config", "--file", ".gitconfig", "user.useConfigOnly", "true")
    monkeypatch.chdir(remote.path)
    github.publish(make_page(ONE), str(remote.path), "gh-pages", "A page")
    assert remote.git("log", "-1", "--format=%an", "gh-pages").strip() == "harness publish"


def test_what_is_missing_is_told(
    make_page: Callable[..., Page], checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No repository, no remote, no such address, no such name, no git: each says what to do."""
    page = make_page(ONE)

    def told(repository: str | None = None, branch: str = "gh-pages") -> str:
        with pytest.raises(HarnessError) as raised:
            github.publish(page, repository, branch, "A page")
        return str(raised.value)

    assert "--repository nowhere: there is no such folder" in told("nowhere")
    assert "git takes no such name for a branch" in told(branch="a..b")
    gone = told(f"file://somebody:secret@/{checkout}/gone")
    assert "git cannot publish to gh-pages of file:///" in gone
    assert "secret" not in gone
    run_git(checkout, "remote", "remove", "origin")
    assert "git remote add origin ADDRESS" in told()
    monkeypatch.chdir(checkout.parent)
    assert "There is nowhere to push to: fatal: not a git repository" in told()
    monkeypatch.setenv("PATH", "")
    assert "git is not installed" in told()


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("https://github.com/Owner/People.git", "https://owner.github.io/People/"),
        ("https://x:token@github.com/Owner/People", "https://owner.github.io/People/"),
        ("git@github.com:owner/people.git", "https://owner.github.io/people/"),
        ("ssh://git@github.com/owner/people.git", "https://owner.github.io/people/"),
        ("https://github.com/owner/owner.github.io.git", "https://owner.github.io/"),
        ("https://example.org/owner/people.git", ""),
        ("/somewhere/people.git", ""),
    ],
)
def test_the_address_of_the_page_is_told(address: str, page: str) -> None:
    """Pages of GitHub stand below their owner's name; of other places nothing is known."""
    new = github._Branch(None, {}, set(), "")
    assert github._look(address, "gh-pages", new)[0] == page
    claimed = github._Branch("0" * 40, {}, set(), "people.example.org")
    expected = "https://people.example.org/" if page else ""
    assert github._look(address, "gh-pages", claimed) == (expected, "")
