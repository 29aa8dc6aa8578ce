"""Pages on a branch, against bare repositories on this disk."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.publishing import github
from harness.publishing.page import MANIFEST, Page

from .processes import PUBLISH, kill_group, wait_for
from .remotes import Remote, run_git

pytestmark = pytest.mark.usefixtures("alone")

ONE = {"index.html": "one", "methods/a.html": "a", "methods/b.html": "b"}
TWO = {"index.html": "two", "methods/a.html": "a"}
SCRIPT = PUBLISH.replace("{target}", "github")
SLOW = "#!/bin/sh\ntouch {reached}\nwhile [ ! -e {go_on} ]; do sleep 0.02; done\n"
# Runs on the remote while a push comes in; what is under quarantine may not change branches.
OVERTAKE = """#!/bin/sh
[ -e {once} ] && exit 0
touch {once}
unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
git update-ref refs/heads/gh-pages {commit}
"""


@pytest.fixture
def publish(remote: Remote, make_page: Callable[..., Page]) -> Callable[..., str]:
    """Return a function that publishes files and returns what changed."""

    def call(files: Mapping[str, str], dry_run: bool = False, branch: str = "gh-pages") -> str:
        page = make_page(files)
        done = github.publish(page, str(remote.path), branch, "A page", dry_run)
        return str(done.changes)

    return call


def test_only_what_changed_is_committed(remote: Remote, publish: Callable[..., str]) -> None:
    """A second page is one commit of its differences, and sends no object that is there."""
    assert publish(ONE) == "5 new, 0 changed, 0 removed"
    assert remote.files() == ONE
    before = remote.objects()
    assert publish(TWO) == "0 new, 2 changed, 1 removed"
    assert remote.files() == TWO
    told = remote.git("diff", "--name-status", "gh-pages~", "gh-pages").split()
    assert told == ["M", MANIFEST, "M", "index.html", "D", "methods/b.html"]
    # Two files, two folders (the root and methods) and the commit.
    assert remote.objects() == before + 5
    assert remote.git("log", "-1", "--format=%an: %s", "gh-pages").strip() == "Somebody: A page"


def test_a_page_that_is_there_is_not_committed_again(
    remote: Remote, publish: Callable[..., str]
) -> None:
    """A second call adds no commit and no object; a dry run adds none ever."""
    assert publish(ONE, dry_run=True) == "5 new, 0 changed, 0 removed"
    assert remote.objects() == 0
    publish(ONE)
    before = remote.objects()
    assert publish(ONE) == "0 new, 0 changed, 0 removed"
    assert publish(TWO, dry_run=True) == "0 new, 2 changed, 1 removed"
    assert (remote.count(), remote.objects()) == (1, before)


def test_files_of_others_stay(remote: Remote, publish: Callable[..., str]) -> None:
    """A domain and a README on the branch survive; a page that stands in the way is refused."""
    remote.add({"CNAME": "people.example.org\n", "README.md": "Ours.\n"})
    publish(ONE)
    publish(TWO)
    assert remote.files() == {**TWO, "CNAME": "people.example.org\n", "README.md": "Ours.\n"}
    remote.add({"index.html": "by hand"}, "other")
    with pytest.raises(FileExistsError, match=r"index.html is there already and is no page of our"):
        publish(ONE, branch="other")
    assert remote.files("other") == {"index.html": "by hand"}


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file below a folder with the time that it was written at."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("detached", [False, True])
def test_the_users_checkout_is_left_alone(
    remote: Remote, checkout: Path, make_page: Callable[..., Page], detached: bool
) -> None:
    """Not a byte of the working tree or of .git changes: index, HEAD, branches, objects."""
    if detached:
        run_git(checkout, "checkout", "--quiet", "--detach")
    (checkout / "deeper").mkdir()
    os.chdir(checkout / "deeper")
    before = everything(checkout)
    done = github.publish(make_page(ONE), None, "gh-pages", "A page")
    assert done.where == f"gh-pages of {remote.path}"
    assert remote.files() == ONE
    github.publish(make_page(TWO), None, "gh-pages", "A page")
    assert remote.files() == TWO
    assert everything(checkout) == before


def test_somebody_else_may_push_in_between(remote: Remote, publish: Callable[..., str]) -> None:
    """A push that is overtaken starts again from what is there then, and loses neither."""
    publish(ONE)
    before = remote.git("rev-parse", "gh-pages").strip()
    commit = remote.add({"README.md": "In between.\n"})
    remote.git("update-ref", "refs/heads/gh-pages", before)
    remote.hook(OVERTAKE.format(once=remote.path / "once", commit=commit))
    assert publish(TWO) == "0 new, 2 changed, 1 removed"
    assert remote.files() == {**TWO, "README.md": "In between.\n"}
    assert remote.git("rev-parse", "gh-pages~").strip() == commit


def test_a_push_that_is_refused_is_one_message(remote: Remote, publish: Callable[..., str]) -> None:
    """A protected branch and a connection that is cut leave the page and say why."""
    publish(ONE)
    remote.hook("#!/bin/sh\necho this branch is protected >&2\nexit 1\n")
    with pytest.raises(HarnessError, match=r"this branch is protected.*contents: write"):
        publish(TWO)
    remote.hook("#!/bin/sh\nkill -9 $PPID\n")
    with pytest.raises(HarnessError, match=r"git may not push.*before is whole"):
        publish(TWO)
    assert remote.files() == ONE
    remote.hook("#!/bin/sh\n")
    publish(TWO)
    assert remote.files() == TWO


def test_a_kill_in_the_middle_of_a_push_leaves_the_page(
    remote: Remote, publish: Callable[..., str], write_page: Callable[..., Path],
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path,
) -> None:  # fmt: skip
    """What was published stays whole; the next call publishes all the same."""
    publish(ONE)
    reached, go_on = tmp_path / "reached", tmp_path / "go-on"
    remote.hook(SLOW.format(reached=reached, go_on=go_on))
    settings = {"repository": str(remote.path), "branch": "gh-pages", "message": "A page"}
    process = start("-c", SCRIPT, write_page(TWO), json.dumps(settings))
    wait_for(reached.exists)
    kill_group(process)
    assert (remote.files(), remote.count()) == (ONE, 1)
    go_on.touch()
    again = start("-c", SCRIPT, write_page(TWO), json.dumps(settings))
    assert again.communicate(timeout=60)[0] == "0 new, 2 changed, 1 removed\n"
    assert (remote.files(), remote.count()) == (TWO, 2)
    remote.git("fsck", "--strict")
