from __future__ import annotations

import pytest

from harness.publishing.changes import compare
from harness.publishing.page import MANIFEST, blob_name, read_manifest, write_manifest


def test_only_what_differs_is_written_and_only_ours_is_removed() -> None:
    """Each file is new, changed, removed or let be; somebody else's is always let be."""
    changes = compare(
        {"index.html": "1", "new.html": "2", "same.html": "3"},
        {"index.html": "0", "same.html": "3", "gone.html": "4", "CNAME": "5"},
        {"index.html", "same.html", "gone.html", "long-gone.html"},
    )
    assert changes.new == ("new.html",)
    assert changes.changed == ("index.html",)
    assert changes.removed == ("gone.html",)
    assert str(changes) == "1 new, 1 changed, 1 removed"
    assert changes
    assert not compare({"a": "1"}, {"a": "1", "CNAME": "2"}, {"a"})


@pytest.mark.parametrize(
    ("page", "other", "named"),
    [
        ("index.html", "index.html", "index.html"),
        ("methods/a.html", "methods", "methods"),
        ("methods", "methods/a.html", "methods"),
    ],
)
def test_a_file_of_somebody_else_is_never_replaced(page: str, other: str, named: str) -> None:
    """A path that is taken, by a file or by a folder, is named and refused."""
    with pytest.raises(FileExistsError, match=f"^{named} is there already and is no page of ours"):
        compare({page: "1"}, {other: "0"}, ours=())


def test_a_file_of_somebody_else_with_our_content_is_no_obstacle() -> None:
    """Where the bytes are the same, nothing is replaced."""
    assert not compare({".nojekyll": "1"}, {".nojekyll": "1"}, ours=())


def test_a_manifest_lists_what_was_published() -> None:
    """It is read as it was written, names itself, and bears being damaged."""
    assert read_manifest(write_manifest(["b", "a", MANIFEST])) == {"a", "b", MANIFEST}
    assert write_manifest(["b", "a"]) == b"a\nb\n"
    assert read_manifest(b"\xff\n") == {"\ufffd", MANIFEST}


def test_contents_are_named_as_git_names_them() -> None:
    """The names are those that git prints for the same bytes."""
    assert blob_name(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert blob_name(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
