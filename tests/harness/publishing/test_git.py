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


SECRETIVE = [
    "https://me:S3CRET@host.invalid/b.git",
    "https://me:pa@S3CRET@host.invalid/b.git",
    "https://me:pa/S3CRET@host.invalid/b.git",
    "https://me:pa S3CRET@host.invalid/b.git",
    "https://me:pa\nS3CRET@host.invalid/b.git",
    "https://S3CRET@host.invalid/b.git",
    "me:S3CRET@host.invalid:x/b.git",
    "me:S3CRET@host.invalid/b.git",
    "https://host.invalid/b.git?token=S3CRET",
    "https://host.invalid/b.git?token=pa@S3CRET",
    "https://me:pa?S3CRET@host.invalid/b.git",
    "https://me:pa%40S3CRET@host.invalid/b.git",
]


@pytest.mark.parametrize("address", SECRETIVE)
def test_no_password_is_printed(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of an address, not of what git says of it, whole or in part, whatever it holds."""
    monkeypatch.setenv("GIT_SSH_COMMAND", 'echo no way to >&2 "$@"; false')
    assert "S3CRET" not in git_calls.show_address(address)
    said = f"fatal: unable to access '{address}/': no S3CRET, see 'pa@S3CRET@host' or pa/S3CRET."
    told = git_calls.without_passwords(said, address)
    assert "S3CRET" not in told
    assert told.startswith("fatal: unable to access '")
    with (
        git_calls.open_repository(address) as git,
        pytest.raises(git_calls.GitError) as raised,
    ):
        git("ls-remote", git_calls.REMOTE)
    assert "S3CRET" not in str(raised.value)


def test_passwords_of_other_addresses_are_not_printed() -> None:
    """A setting of git may lead to another address than the one that was named."""
    for address in SECRETIVE[:4]:
        told = git_calls.without_passwords(f"no access to '{address}': x", "lab@host.org:lab/b")
        assert told == "no access to 'https://host.invalid/b.git': x"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:pa/S@host/lab/b.git?a=b", "https://host/lab/b.git"),
        ("git@github.com:lab/b.git", "github.com:lab/b.git"),
        ("/home/me@here/b.git", "/home/me@here/b.git"),
        ("https://github.com/lab/b.git", "https://github.com/lab/b.git"),
    ],
)
def test_the_rest_of_an_address_is_told(address: str, shown: str) -> None:
    """Host and path stay, in what git says as well, even where the user is called like a part."""
    assert git_calls.show_address(address) == shown
    assert git_calls.without_passwords(f"git: no '{address}'", address) in (
        f"git: no '{shown}'", f"git: no '{address}'"
    )  # fmt: skip
