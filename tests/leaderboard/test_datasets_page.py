from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.auditing.audit import Rows, audit, count
from leaderboard import datasets
from leaderboard.datasets.histograms import count_by, describe, histogram
from leaderboard.reported.tables import FOLDER
from leaderboard.site import render
from leaderboard.site.folder import write_site
from leaderboard.site.site import load_site

FINGERPRINT = "feedc0ffee" * 4


@pytest.fixture
def build(results: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that writes the page of datasets and nothing else."""

    def write() -> Path:
        site = load_site(results, FOLDER)
        write_site({**render.make_assets(site), **datasets.make_files(site)}, tmp_path / "site")
        return tmp_path / "site/datasets.html"

    return write


def make_rows(people: list[int], captions: list[str], images: list[bytes | None]) -> Rows:
    """Return a split with a caption for each image."""
    return Rows(np.asarray(people), captions, np.arange(len(captions)), images)


def audited(digest: Path, splits: dict[str, Rows]) -> None:
    """Write the counts and the audit of some splits into a digest."""
    about = json.loads((digest / "about.json").read_text())
    about |= {"counts": {name: count(rows) for name, rows in splits.items()}}
    about |= {"audit": audit(splits)}
    (digest / "about.json").write_text(json.dumps(about))


def test_counts_stand_by_split(
    add_answers: Callable[..., Path], add_digest: Callable[..., Path],
    build: Callable[[], Path], read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """Identities, images and captions of each split stand in its row, as the digest has them."""
    add_answers("one", 1.0)
    train = make_rows([1, 1, 2], ["a man", "a boy", "a girl"], [b"1", b"2", b"3"])
    test = make_rows([3, 4], ["a lady", "a kid"], [b"4", b"5"])
    audited(add_digest(), {"train": train, "test": test})
    page = read_page(build())
    rows = {row[0]: row[1:] for row in page.rows}
    assert rows["trainmethods learn from it"] == ["2", "3", "3", "1", "1\N{EN DASH}2"]
    assert rows["testis scored"] == ["2", "2", "2", "1", "1"]
    assert FINGERPRINT in page.text


@pytest.mark.parametrize(
    ("verdict", "shown"),
    [
        ({"status": "official", "reason": "so", "annotation": {"test": "e4"}}, "official: so"),
        ({"status": "official", "reason": "so"}, "official numbers: so"),
        ({"status": "official numbers", "reason": "so", "annotation": {}}, "official numbers: so"),
        ({"status": "not official", "reason": "so", "annotation": {}}, "not official: so"),
    ],
)
def test_official_is_said_of_the_annotation_alone(
    add_answers: Callable[..., Path], add_digest: Callable[..., Path],
    build: Callable[[], Path], read_page: Callable[[Path], Any],
    verdict: dict[str, Any], shown: str,
) -> None:  # fmt: skip
    """What older code called official, by counts, is not called so."""
    add_answers("one", 1.0)
    digest = add_digest()
    about = json.loads((digest / "about.json").read_text())
    about |= {"drawn": False, "verdict": verdict}
    (digest / "about.json").write_text(json.dumps(about))
    assert f"Verdict{shown}" in " ".join(read_page(build()).text.split())


def test_the_audit_says_what_is_wrong(
    add_answers: Callable[..., Path], add_digest: Callable[..., Path],
    build: Callable[[], Path], read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """Shared captions with their ceiling, shared people and repeated images are said in words."""
    add_answers("one", 1.0)
    train = make_rows([1, 2], ["a man", "a boy"], [b"1", b"2"])
    captions = ["a lady", "a lady", " a kid\n", "a cap"]
    test = make_rows([2, 3, 3, 4], captions, [b"2", b"4", b"5", b"6"])
    audited(add_digest(), {"train": train, "test": test})
    text = " ".join(read_page(build()).text.split())
    assert "describe several people in the same words: 2 of 4, with 1 text." in text
    assert "no method can pass an R1 of 75.00 %" in text
    assert "Identities in more than one split: 1." in text
    assert "Image files in more than one split, the same byte by byte: 1." in text
    assert "with a single image, so that their captions have one right answer: 2." in text
    assert "cleaned before they are used: 1 with line breaks and 1 with spaces" in text


def test_a_clean_dataset_is_called_clean(
    add_answers: Callable[..., Path], add_digest: Callable[..., Path],
    build: Callable[[], Path], read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """Without a shared caption, person or image the page says so, and no ceiling is claimed."""
    add_answers("one", 1.0)
    train = make_rows([1], ["a man"], [b"1"])
    test = make_rows([2, 2], ["a boy", "a lady"], [b"2", b"3"])
    audited(add_digest(), {"train": train, "test": test})
    text = " ".join(read_page(build()).text.split())
    assert "an R1 of 100 % is possible" in text
    assert "The splits share no identity and no image file." in text
    assert "no method can pass" not in text


def test_a_ceiling_just_below_100_is_not_rounded_up(
    add_answers: Callable[..., Path], add_digest: Callable[..., Path],
    build: Callable[[], Path], read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """A ceiling of 99.999 % does not look like 100 %."""
    add_answers("one", 1.0)
    digest = add_digest()
    audited(digest, {"test": make_rows([2, 3], ["a boy", "a boy"], [b"2", b"3"])})
    about = json.loads((digest / "about.json").read_text())
    about["audit"]["splits"]["test"]["rank1_ceiling"] = 99.999
    (digest / "about.json").write_text(json.dumps(about))
    assert "no method can pass an R1 of 99.99 %" in " ".join(read_page(build()).text.split())


def test_images_that_were_not_read_are_not_called_different(
    add_answers: Callable[..., Path], add_digest: Callable[..., Path],
    build: Callable[[], Path], read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """Where image files lie elsewhere, the page says that they were not compared."""
    add_answers("one", 1.0)
    test = make_rows([2, 3], ["a boy", "a man"], [None, None])
    audited(add_digest(), {"train": make_rows([1], ["a kid"], [b"1"]), "test": test})
    page = read_page(build())
    assert "Image files were not compared" in page.text
    assert page.row("Images that show several people")[-1] == "not counted"


def test_the_sample_shows_what_may_be_shown(
    add_answers: Callable[..., Path], add_digest: Callable[..., Path],
    build: Callable[[], Path], read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """A dozen people stand with image, id and captions; each picture is a file of the site."""
    add_answers("one", 1.0)
    add_digest(captions=["A <b>bold</b> man"])
    page = read_page(path := build())
    sources = [source for source in page.attributes("src") if source.endswith(".jpg")]
    assert len(sources) == 12
    assert all((path.parent / source).read_bytes()[:2] == b"\xff\xd8" for source in sources)
    assert "A <b>bold</b> man" in page.text
    assert "image-000" in page.text
    assert "an image each of 12 of the 24 people" in page.text.lower()


def test_the_sample_hides_what_may_not_be_shown(
    add_answers: Callable[..., Path], add_digest: Callable[..., Path],
    build: Callable[[], Path], read_page: Callable[[Path], Any],
) -> None:  # fmt: skip
    """Where the licence lets nothing be shown there are ids and counts, and words that say why."""
    add_answers("one", 1.0)
    digest = add_digest(shown=True, captions=["A secret caption"])
    about = json.loads((digest / "about.json").read_text())
    (digest / "about.json").write_text(json.dumps({**about, "shown": False}))
    page = read_page(path := build())
    assert page.attributes("src") == ["assets/copy.js", "assets/frames.js"]
    assert not list(path.parent.glob("samples/**/*.jpg"))
    assert "secret" not in page.text
    assert "5 words, 0 attributes named" in page.text
    assert "does not let a page show images and captions" in " ".join(page.text.split())


def test_a_missing_digest_is_said(
    add_run: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """Without a digest the recorded counts stand, and the page says that nothing was audited."""
    add_run("one", 40.0)
    page = read_page(build())
    assert "Not audited." in page.text
    assert "200" in page.row("testis scored")
    assert "Sample" not in page.text


@pytest.mark.parametrize(
    "about", [{}, {"audit": 3, "counts": []}, {"audit": {"splits": {"test": 1}}}]
)
def test_a_digest_that_tells_less_shows_less(
    about: dict[str, Any], add_answers: Callable[..., Path], add_digest: Callable[..., Path],
    build: Callable[[], Path],
) -> None:  # fmt: skip
    """An audit of another form is left out, and the page is built."""
    add_answers("one", 1.0)
    digest = add_digest()
    known = json.loads((digest / "about.json").read_text())
    known = {name: known[name] for name in ("schema_version", "fingerprint")} | about
    (digest / "about.json").write_text(json.dumps(known))
    assert "nobody chose them" in build().read_text()


def test_another_content_is_another_section(
    add_run: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any]
) -> None:
    """Runs that saw two contents of one dataset make two sections, each with a warning."""
    add_run("one", 40.0)
    add_run("two", 41.0, data={"title": "PaperDolls", "fingerprint": "0123456789abcdef"})
    page = read_page(build())
    anchors = [name for name in page.attributes("id") if name.startswith("dataset-")]
    assert len([name for name in anchors if name.count("-") == 2]) == 2
    assert page.text.count("2 contents under the name paperdolls") == 2


def test_a_fingerprint_that_is_a_path_reads_nothing(
    add_run: Callable[..., Path], build: Callable[[], Path], read_page: Callable[[Path], Any],
    add_digest: Callable[..., Path],
) -> None:  # fmt: skip
    """A record cannot make the page read a folder that is no digest of its dataset."""
    add_digest(dataset="other")
    escape = f"x/../../other/dataset-{FINGERPRINT[:12]}"
    add_run("one", 40.0, data={"title": "PaperDolls", "fingerprint": escape})
    assert "Not audited." in read_page(build()).text


def test_bars_count_every_value() -> None:
    """The bars of a histogram hold all values, however far apart they lie."""
    values = np.array([1, 2, 2, 3, 90, 500])
    chart = str(histogram("x", "words", "captions", values).chart)
    assert sum(int(number) for number in re.findall(r"<title>[^<]*: (\d+)</title>", chart)) == 6
    assert len(re.findall('class="bar"', chart)) <= 33


def test_distributions_are_told_in_words() -> None:
    """The median, the middle half and the ends are those of the values."""
    assert describe(np.array([4, 4, 4])) == "always 4"
    told = describe(np.array([1, 2, 3, 4, 9]))
    assert told == "median 3, half from 2 to 4, all from 1 to 9"
    assert sorted(count_by(np.array([7, 8, 7, 7]))) == [1, 3]
