"""Which images may stand in a crowd beside a test split."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from harness.data.auditing.strangers import (
    BROKEN,
    NEAR_TEST,
    OF_TEST,
    TWICE,
    Audited,
    audit_strangers,
)
from harness.data.paperdolls.looks import PAPERDOLLS
from harness.data.paperdolls.strangers import draw_stranger, people_of_test

KNOWN = people_of_test(PAPERDOLLS)


def save(image: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    """Return an image file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def drawn(number: int) -> Image.Image:
    """Return a drawn person."""
    return draw_stranger(number, PAPERDOLLS, KNOWN)


def gone() -> bytes:
    """Fail as a file does that is not there."""
    raise FileNotFoundError("nowhere")


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Audited]:
    """Hold images against a test split of twelve, in a cache of its own."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    test = [save(drawn(number)) for number in range(12)]

    def call(images: dict[str, bytes | Callable[[], bytes]], stands: str = "as ever") -> Audited:
        named = [
            (name, one if callable(one) else partial(bytes, one)) for name, one in images.items()
        ]
        return audit_strangers(named, stands, iter(test), "f", lambda what, done, of: None)

    return call


def test_what_is_of_the_test_split_is_left_out(audit: Callable[..., Audited]) -> None:
    """The same file, and an image that was compressed, scaled, blurred or brightened a little."""
    image = drawn(3)
    found = audit(
        {
            "same.png": save(image),
            "compressed.jpg": save(image, "JPEG", quality=40),
            "scaled.png": save(image.resize((64, 192))),
            "blurred.png": save(image.filter(ImageFilter.GaussianBlur(0.6))),
            "brighter.png": save(image.point(lambda level: min(255, level + 2))),
        }
    )
    assert found.names == []
    assert found.left_out == {OF_TEST: 1, NEAR_TEST: 4}


def test_other_people_stay(audit: Callable[..., Audited]) -> None:
    """Though they wear as much, stand before the same places and are drawn by the same hand."""
    found = audit({f"{number}": save(drawn(number)) for number in range(12, 212)})
    assert len(found.names) == 200
    assert not found.left_out


def test_what_is_broken_or_there_twice_is_told(audit: Callable[..., Audited]) -> None:
    """Of copies the first stays."""
    whole = save(drawn(20))
    found = audit(
        {"a": whole, "b": whole, "cut": whole[:60], "text": b"<script>", "none": b"", "gone": gone}
    )
    assert found.names == ["a"]
    assert found.left_out == {TWICE: 1, BROKEN: 4}


def test_the_order_is_that_of_content(audit: Callable[..., Audited]) -> None:
    """Renamed files are the same crowd; one file more or less is another."""
    files = [save(drawn(number)) for number in range(20, 24)]
    one = audit({f"a{number}": file for number, file in enumerate(files)}, "one")
    other = audit({f"z{9 - number}": file for number, file in enumerate(files)}, "other")
    assert one.content == other.content
    assert [name[1:] for name in one.names] == [str(9 - int(name[1:])) for name in other.names]
    assert audit({"a": files[0]}, "fewer").content != one.content


def test_what_was_found_is_remembered(audit: Callable[..., Audited]) -> None:
    """As long as the files stand as they stood."""
    first = audit({"a": save(drawn(20))}, "then")
    assert audit({"a": gone}, "then") == first
    assert audit({"a": gone}, "now").left_out == {BROKEN: 1}
