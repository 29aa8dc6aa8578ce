"""Crowds: who is drawn, and what is kept of it."""

from pathlib import Path

import numpy as np
import pytest

from harness.data import crowd_images
from harness.data.crowd_images import Drawn, open_crowd
from harness.data.crowds import drawn_crowd
from harness.data.paperdolls.looks import CROWDDOLLS, PAPERDOLLS
from harness.data.paperdolls.people.families import SHARES
from harness.data.paperdolls.strangers import draw_stranger, people_of_test, stranger


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Chunks of four images, in a cache of their own."""
    monkeypatch.setattr(crowd_images, "CHUNK", 4)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    return tmp_path


def test_nobody_of_the_test_split_is_a_stranger() -> None:
    """Strangers are of its share of all people, so of no training person, and none of its own."""
    known = people_of_test(PAPERDOLLS)
    assert len(known) == PAPERDOLLS.sizes.test
    drawn = [stranger(number, PAPERDOLLS, known).digest() for number in range(60)]
    assert not known & {*drawn}
    assert all(digest[0] in SHARES["test"] for digest in drawn)
    taken = stranger(7, PAPERDOLLS, {*known, drawn[7]}).digest()
    assert taken not in {*known, drawn[7]}


def test_a_stranger_depends_on_the_number_and_the_look_alone() -> None:
    """Drawn alone or after others, the same; by another number, seed or look, another image."""
    known = people_of_test(PAPERDOLLS)

    def draw(number: int, seed: int = 0) -> bytes:
        return draw_stranger(number, PAPERDOLLS, known, seed).tobytes()

    images = [draw(number) for number in range(6)]
    assert draw(5) == images[5]
    assert len({*images, draw(0, seed=1)}) == 7
    assert draw_stranger(0, CROWDDOLLS, known).tobytes() not in images


def test_what_is_drawn_is_kept_and_grows(small: Path) -> None:
    """A larger crowd begins with a smaller one; a file that is cut short is drawn again."""
    first = open_crowd(drawn_crowd("paperdolls", 6), (96, 32))(0, 6)
    files = sorted(small.glob("crowds/drawn-*/*.npy"))
    assert [len(np.load(file)) for file in files] == [4, 2]
    files[0].write_bytes(files[0].read_bytes()[:1000])
    images = open_crowd(drawn_crowd("paperdolls", 10), (96, 32))
    assert np.array_equal(images(0, 6), first)
    assert np.array_equal(images(3, 9)[:3], first[3:])
    known = people_of_test(PAPERDOLLS)
    expected = np.asarray(draw_stranger(8, PAPERDOLLS, known)).transpose(2, 0, 1)
    assert np.array_equal(images(8, 9)[0], expected)
    assert images(0, 2).shape == (2, 3, 96, 32)
    assert open_crowd(drawn_crowd("paperdolls", 2), (32, 16))(0, 2).shape == (2, 3, 32, 16)


def test_what_is_there_is_not_drawn_again(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed process left is gone on from."""
    crowd = drawn_crowd("paperdolls", 8)
    Drawn(crowd).images(0, 6)
    drawn: list[int] = []
    real = Drawn._draw

    def noting(self: Drawn, number: int) -> np.ndarray:
        drawn.append(number)
        return real(self, number)

    monkeypatch.setattr(Drawn, "_draw", noting)
    Drawn(crowd).images(0, 8)
    assert drawn == [6, 7]


def test_content_is_what_is_drawn_not_how_many() -> None:
    """Features of a smaller crowd serve a larger one, and those of another look none."""
    one, more = drawn_crowd("paperdolls", 5), drawn_crowd("paperdolls", 500)
    assert one.content == more.content
    assert one.content != drawn_crowd("crowddolls", 5).content
