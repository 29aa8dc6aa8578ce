"""`harness search` as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness.cli.search as command

Call = Callable[..., Any]


@pytest.fixture
def search(harness: Call, finished: Path, tint: Path, photos: Path) -> Call:
    """Search the photos with the method `tint`."""

    def call(*arguments: object) -> Any:
        where = "--results", finished, "--plugins", tint, "--gallery", photos, "--run", "tint"
        return harness("search", *where, *arguments)  # the last of two options counts

    return call


def test_texts_are_answered_in_the_terminal_and_on_a_page(search: Call, tmp_path: Path) -> None:
    """Each text has its table, best image first; who was asked is told beside the results."""
    done = search("a red coat", "somebody in blue", "--top", 2, "--out", tmp_path / "found.html")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.strip() for line in lines if "coat" in line or "somebody" in line] == [
        "a red coat",
        "somebody in blue",
    ]
    rows = [line.split() for line in lines if line.startswith(("1 ", "2 "))]
    assert [row[0] for row in rows] == ["1", "2", "1", "2"]
    assert (rows[0][2], rows[2][2]) == ("a.png", "c.webp")
    told = " ".join(done.stderr.split())
    assert "Tint (tint seed 0; mAP " in told
    assert "searches 4 images" in told
    assert "found.html" in told
    assert (tmp_path / "found.html").read_text(encoding="utf-8").count("<img") == 4


def test_lines_of_standard_input_are_answered(
    finished: Path, tint: Path, photos: Path, tmp_path: Path
) -> None:
    """As JSON, an object a line; what stands behind an empty line is not read."""
    lines = "red\n  \xff blue \n\ngreen\n".encode("latin-1")
    done = subprocess.run(
        [
            sys.executable, "-m", "harness", "search", "--json", "--run", "tint", "--top", "1",
            "--results", finished, "--plugins", tint, "--gallery", photos,
        ],
        cwd=tmp_path, input=lines, capture_output=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["text"] for answer in answers] == ["red", "\ufffd blue"]
    assert [answer["hits"][0]["image"] for answer in answers] == ["a.png", "c.webp"]
    assert answers[0]["hits"][0].keys() == {"rank", "image", "cosine", "rescored"}
    assert (answers[0]["run"], answers[0]["gallery"]) == ("tint seed 0", str(photos))
    assert not (tmp_path / "search.html").exists()


def test_names_of_files_cannot_garble_the_terminal(
    search: Call, photos: Path, paint: Call, tmp_path: Path
) -> None:
    """Control characters, markup and bytes that are no text are shown as they are."""
    paint(photos / "\x1b[31m[red]\nx.png", (250, 10, 10))
    (photos / "a.png").rename(photos / os.fsdecode(b"\xff\xfe.png"))
    done = search("red", "--top", 2)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert r"\x1b[31m[red]\nx.png" in done.stdout
    assert r"\udcff\udcfe.png" in done.stdout
    assert (tmp_path / "search.html").is_file()


def test_what_speaks_against_relying_on_it_is_told(search: Call, photos: Path) -> None:
    """Images that were passed over, and a second look."""
    (photos / "broken.jpg").write_bytes(b"no image")
    (photos / "raw.dng").write_bytes(b"no image")
    (photos / "notes.txt").write_bytes(b"no image")
    done = search("red", "--run", "tint-twice")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stderr.split())
    assert "Passed over 2: broken.jpg is none of JPEG" in told
    assert "raw.dng is of a kind that is not read" in told
    assert "1 other file is no image by name." in told
    assert "first 4 are in the order of the method's second look" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("  ",), "A text is empty"),
        (("red", "--gallery", "nowhere"), "no such folder"),
        (("red", "--run", "tinte"), "Did you mean 'tint'?"),
        (("red", "--out", "notes.txt"), "no page of a search"),
        (("red", "--index", "hnws"), "Did you mean 'hnsw'?"),
    ],
)
def test_mistakes_are_one_message(
    arguments: tuple[str, ...], told: str, search: Call, tmp_path: Path
) -> None:
    """They end with status 2, without a traceback, and leave other files alone."""
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    done = search(*arguments)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert notes.read_text() == "mine"


def test_a_search_through_an_index_says_so(
    search: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the terminal, on the page and in JSON; of a large gallery without one that it is there."""
    monkeypatch.setattr(command, "MANY", 3)
    done = search("red", "--index", "hnsw", "--json", "--out", tmp_path / "search.html")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["index"] == "hnsw"
    told = " ".join(done.stderr.split())
    assert "through an index (HNSW32, efSearch=64), which may miss an image" in told
    assert "HNSW32, efSearch=64" in (tmp_path / "search.html").read_text(encoding="utf-8")
    told = " ".join(search("red", "blue").stderr.split())
    assert told.count("--index hnsw builds an index once") == 1
