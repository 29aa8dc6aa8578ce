from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.publishing import folder
from harness.publishing.page import MANIFEST, NO_JEKYLL, Page

from .processes import kill_group

# Writes one page and another in turn, for ever.
WRITE = """
import sys
from pathlib import Path

from harness.publishing.folder import write_folder

while True:
    for letter in b"ab":
        write_folder({f"{row}.html": bytes([letter]) * 20_000 for row in range(100)}, Path("site"))
        print(flush=True)
"""


def stamps(out: Path) -> dict[str, tuple[int, int]]:
    """Return which file stands under each name, and when it was written."""
    return {
        path.relative_to(out).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in out.rglob("*")
        if path.is_file()
    }


def test_only_what_changed_is_written(make_page: Callable[..., Page], tmp_path: Path) -> None:
    """Files with the same bytes stay the same files; those that are gone are removed."""
    out = tmp_path / "out" / "site"
    out.parent.mkdir()
    first = {"index.html": "one", "same/a.html": "a", "gone/b.html": "b"}
    done = folder.publish(make_page(first), out)
    assert str(done.changes) == "5 new, 0 changed, 0 removed"
    assert {MANIFEST, NO_JEKYLL} < set(stamps(out))
    before = stamps(out)
    done = folder.publish(make_page({"index.html": "two", "same/a.html": "a"}), out)
    assert str(done.changes) == "0 new, 2 changed, 1 removed"
    after = stamps(out)
    assert {name for name in after if after[name] == before[name]} == {"same/a.html", NO_JEKYLL}
    assert (out / "index.html").read_text() == "two"
    assert not (out / "gone").exists()
    assert list(out.parent.iterdir()) == [out]


def test_what_is_published_is_not_written_again(
    make_page: Callable[..., Page], tmp_path: Path
) -> None:
    """A second call leaves the folder itself as it is; so does asking what would change."""
    out = tmp_path / "site"
    page = make_page({"index.html": "one"})
    assert str(folder.publish(page, out, dry_run=True).changes) == "3 new, 0 changed, 0 removed"
    assert not out.exists()
    folder.publish(page, out)
    before = out.stat().st_ino, stamps(out)
    assert not folder.publish(page, out).changes
    assert folder.publish(make_page({"index.html": "two"}), out, dry_run=True).changes
    assert (out.stat().st_ino, stamps(out)) == before


def test_files_of_others_stay_the_files_they_are(
    make_page: Callable[..., Page], tmp_path: Path
) -> None:
    """What somebody put into the folder is neither copied nor changed, links included."""
    out = tmp_path / "site"
    folder.publish(make_page({"index.html": "one"}), out)
    (out / "CNAME").write_text("example.org")
    (out / "link").symlink_to("nowhere")
    out.chmod(0o750)
    before = stamps(out)["CNAME"]
    folder.publish(make_page({"index.html": "two"}), out)
    assert stamps(out)["CNAME"] == before
    assert (out / "link").readlink() == Path("nowhere")
    assert out.stat().st_mode & 0o777 == 0o750
    with pytest.raises(FileExistsError, match="CNAME is there already"):
        folder.publish(make_page({"CNAME": "ours"}), out)


def test_a_folder_that_is_no_page_is_refused(
    make_page: Callable[..., Page], tmp_path: Path
) -> None:
    """A thesis is never taken for a page, whatever it is called."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "index.html").write_text("chapter one")
    with pytest.raises(FileExistsError, match="name another folder"):
        folder.publish(make_page({"index.html": "one"}), tmp_path / "thesis")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["index.html"]


def test_a_folder_whose_neighbours_may_not_be_written_is_told(
    make_page: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says why the folder beside it matters, and what to do."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    page = make_page({"index.html": "one"})
    monkeypatch.setattr(folder, "_put", refuse)
    with pytest.raises(HarnessError, match=r"built beside it, which cannot be.*Name a folder"):
        folder.publish(page, tmp_path / "site")


def test_without_a_swap_at_once_two_renames_do(
    make_page: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system cannot swap or link, the page is published all the same."""
    out = tmp_path / "out" / "site"
    out.parent.mkdir()
    folder.publish(make_page({"index.html": "one", "a.html": "a"}), out)
    (out / "CNAME").write_text("example.org")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(folder, "_exchange", lambda one, other: False)
    monkeypatch.setattr(os, "link", refuse)
    folder.publish(make_page({"index.html": "two", "a.html": "a"}), out)
    assert {path.name: path.read_text() for path in out.glob("[!.]*")} == {
        "index.html": "two", "a.html": "a", "CNAME": "example.org",
    }  # fmt: skip
    assert list(out.parent.iterdir()) == [out]


def shown(site: Path) -> set[str]:
    """Return the different contents of a page's files, which must be one."""
    names = sorted(path.name for path in site.glob("*.html"))
    assert len(names) == 100
    return {(site / name).read_text() for name in names}


def test_a_kill_at_any_moment_leaves_one_page(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """Whenever the writer is killed, all files are of one page, and the next one goes on."""
    draw = random.Random(0)
    seen = set()
    for _ in range(12):
        process = start("-c", WRITE, at=tmp_path)
        assert process.stdout is not None
        for _ in range(draw.randint(1, 4)):
            process.stdout.readline()
        time.sleep(draw.random() * 0.03)
        kill_group(process)
        [content] = shown(tmp_path / "site")
        seen.add(content)
    assert len(seen) == 2, "every kill hit the same page: there is nothing to tell apart"
    folder.write_folder({"0.html": b"last"}, tmp_path / "site")
    assert list(tmp_path.iterdir()) == [tmp_path / "site"]


def test_there_is_a_page_at_every_moment(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """While pages change thirty times, a reader always finds the file that is asked for."""
    page = tmp_path / "site" / "0.html"
    process = start("-c", WRITE, at=tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    found = {True: 0, False: 0}
    end = threading.Event()

    def read() -> None:
        while not end.is_set():
            found[page.exists()] += 1

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for _ in range(30):
        process.stdout.readline()
    end.set()
    reader.join()
    assert found[True] > 300
    assert not found[False]
