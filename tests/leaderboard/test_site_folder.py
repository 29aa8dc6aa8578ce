from __future__ import annotations

from pathlib import Path

import pytest

from leaderboard.site.folder import MARKER, write_site


def test_a_site_is_replaced_in_place(tmp_path: Path) -> None:
    """A rebuild removes the pages that are gone, and leaves nothing beside the site."""
    out = tmp_path / "site"
    write_site({"index.html": "old", "methods/gone.html": "gone"}, out)
    write_site({"index.html": "new"}, out)
    assert {path.name for path in out.iterdir()} == {"index.html", MARKER}
    assert (out / "index.html").read_text() == "new"
    assert list(tmp_path.iterdir()) == [out]


def test_files_of_others_within_a_site_are_kept(tmp_path: Path) -> None:
    """What somebody added to our site survives a rebuild."""
    out = tmp_path / "site"
    write_site({"index.html": "old"}, out)
    (out / "CNAME").write_text("example.org")
    (out / "extra").mkdir()
    (out / "extra/link").symlink_to("nowhere")
    write_site({"index.html": "new"}, out)
    assert (out / "CNAME").read_text() == "example.org"
    assert (out / "extra/link").is_symlink()
    with pytest.raises(FileExistsError, match="CNAME"):
        write_site({"CNAME": "ours"}, out)
    assert (out / "CNAME").read_text() == "example.org"


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    """A folder with files that is no site of ours is left as it is; an empty one is taken."""
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    write_site({"index.html": "page"}, foreign)
    (foreign / MARKER).unlink()
    with pytest.raises(FileExistsError, match="name another folder"):
        write_site({"index.html": "new"}, foreign)
    assert (foreign / "index.html").read_text() == "page"
    with pytest.raises(FileExistsError, match="a file"):
        write_site({"index.html": "new"}, foreign / "index.html")


def test_an_interrupted_build_leaves_the_old_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where writing fails half-way, the site that was there is whole and nothing lies beside it."""
    out = tmp_path / "site"
    write_site({"index.html": "old"}, out)
    with pytest.raises(UnicodeEncodeError):
        write_site({"a.html": "new", "index.html": "\ud800"}, out)
    assert {path.name for path in out.iterdir()} == {"index.html", MARKER}
    assert (out / "index.html").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_kill_between_the_two_renames_is_mended(tmp_path: Path) -> None:
    """The next build finds the site that had stepped aside, with the files of others in it."""
    out = tmp_path / "site"
    write_site({"index.html": "old"}, out)
    (out / "CNAME").write_text("example.org")
    out.rename(tmp_path / ".site.previous")
    write_site({"index.html": "new"}, out)
    assert (out / "index.html").read_text() == "new"
    assert (out / "CNAME").read_text() == "example.org"
    assert list(tmp_path.iterdir()) == [out]
