"""Thumbnails of what ships, which are drawn anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from harness.data import shipped_digest
from harness.data.catalogue import code_of_drawing, locate, read_catalogue
from harness.data.digest import Digest, digest_path, read_digest, write_digest
from harness.data.paperdolls import looks
from harness.data.shipped_digest import (
    DRAWN_OTHERWISE,
    NOT_DRAWABLE,
    NOT_DRAWN,
    find_digest,
    find_undrawn,
)
from harness.files import to_json
from harness.results import load_runs
from harness.results.shipped import ABOUT, About
from harness.submission.shipping import pack_digest

from ...leaderboard.recorder import Recorder

SUITE, DATASET = "standard", "streetdolls"
ACCOUNT = About("1.2.3", 1, "2026-01-01", "2026-01-01", (), (), ())


def nobody(what: str, done: int, total: int) -> None:
    """Show nothing."""


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Digest:
    """The digest of a small drawn dataset, which also ships, without thumbnails, with a run."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    look = replace(looks.STREETDOLLS, sizes=looks.Sizes(train=2, val=2, test=5))
    monkeypatch.setitem(looks.DATASETS, DATASET, look)
    located = locate(read_catalogue()[DATASET])
    write_digest(located, tmp_path / "whole")
    digest = read_digest(tmp_path / "whole")
    assert digest is not None
    ships = tmp_path / "ships"
    monkeypatch.setattr("harness.results.shipped.FOLDER", ships)
    place = digest_path(ships, SUITE, DATASET, located.fingerprint)
    place.mkdir(parents=True)
    files = {file.name: file for file in (tmp_path / "whole").iterdir()}
    for name, content in pack_digest(dict(files)).items():
        raw = content.read_bytes() if isinstance(content, Path) else content
        (place / name).write_bytes(raw)
    data = {"fingerprint": located.fingerprint, "drawn": True}
    Recorder(ships).add_run("one", 50.0, suite=SUITE, dataset=DATASET, data=data)
    tell(ships, {located.fingerprint: code_of_drawing()})
    return digest


def tell(ships: Path, drawing: dict[str, str]) -> None:
    """Write the account of what ships."""
    (ships / ABOUT).write_bytes(to_json(asdict(replace(ACCOUNT, drawing=drawing))))


@pytest.fixture
def find(tmp_path: Path, whole: Digest) -> Callable[[], Digest]:
    """Find the digest as pages do, where the results have none."""

    def call() -> Digest:
        found = find_digest(tmp_path / "results", SUITE, DATASET, str(whole.about["fingerprint"]))
        assert found is not None
        return found

    return call


def draw(tmp_path: Path) -> int:
    """Draw what is to be drawn, and return of how many digests."""
    undrawn = list(find_undrawn(tmp_path / "results", load_runs(tmp_path / "ships")))
    for one in undrawn:
        one.draw(nobody)
    return len(undrawn)


def test_what_is_drawn_anew_is_what_the_dataset_shows(
    tmp_path: Path, whole: Digest, find: Callable[[], Digest]
) -> None:
    """Byte by byte; it is drawn once, and all else of the digest ships."""
    assert find().bare == NOT_DRAWN
    assert draw(tmp_path) == 1
    found = find()
    assert found.thumbnails == whole.thumbnails
    assert all(whole.thumbnails)
    assert (found.bare, found.captions, found.about) == ("", whole.captions, whole.about)
    assert draw(tmp_path) == 0


def test_what_is_told_is_how_far_it_is(tmp_path: Path, whole: Digest) -> None:
    """From the first image to the last."""
    told: list[tuple[int, int]] = []
    [undrawn] = find_undrawn(tmp_path / "results", load_runs(tmp_path / "ships"))
    undrawn.draw(lambda what, done, total: told.append((done, total)))
    images = len(whole.image_ids)
    assert told == [(done, images) for done in range(1, images + 1)]


@pytest.mark.parametrize("drawing", ["0" * 64, None])
def test_other_code_draws_nothing(
    tmp_path: Path, whole: Digest, find: Callable[[], Digest], drawing: str | None
) -> None:
    """And it is said, in other words where nothing tells which code it was."""
    print_of = str(whole.about["fingerprint"])
    tell(tmp_path / "ships", {print_of: drawing} if drawing else {})
    assert draw(tmp_path) == 0
    assert find().bare == (DRAWN_OTHERWISE if drawing else NOT_DRAWABLE)
    assert not any(find().thumbnails)


def test_what_the_same_code_draws_otherwise_is_not_shown(
    tmp_path: Path, whole: Digest, find: Callable[[], Digest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with another version of a library: its captions tell, and it is not tried again."""
    look = replace(looks.DATASETS[DATASET], seed=7)
    monkeypatch.setitem(looks.DATASETS, DATASET, look)
    assert draw(tmp_path) == 1
    assert find().bare == DRAWN_OTHERWISE
    assert draw(tmp_path) == 0


def test_the_digest_of_the_results_comes_first(
    tmp_path: Path, whole: Digest, find: Callable[[], Digest]
) -> None:
    """It has thumbnails of its own, so that nothing is drawn."""
    place = digest_path(tmp_path / "results", SUITE, DATASET, str(whole.about["fingerprint"]))
    place.parent.mkdir(parents=True)
    (tmp_path / "whole").rename(place)
    assert draw(tmp_path) == 0
    assert find().thumbnails == whole.thumbnails


@pytest.mark.parametrize("content", [b"", b"PAR1"])
def test_damaged_thumbnails_are_not_shown(
    tmp_path: Path, whole: Digest, find: Callable[[], Digest], content: bytes
) -> None:
    """Nor is a page lost; they are drawn again."""
    draw(tmp_path)
    [file] = (tmp_path / "cache/thumbnails").rglob(shipped_digest.TABLE)
    file.write_bytes(content)
    assert not any(find().thumbnails)
    assert draw(tmp_path) == 1
    assert find().thumbnails == whole.thumbnails


def test_a_damaged_digest_is_none(tmp_path: Path, whole: Digest) -> None:
    """Pages then say that there is none."""
    fingerprint = str(whole.about["fingerprint"])
    place = digest_path(tmp_path / "ships", SUITE, DATASET, fingerprint)
    (place / "about.json").write_text(json.dumps([]), encoding="utf-8")
    assert find_digest(tmp_path / "results", SUITE, DATASET, fingerprint) is None
    assert draw(tmp_path) == 0
