from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.data.breaking import break_pairs
from harness.data.noise import Noise, parse_noise
from harness.data.schema import Integers, Split
from harness.errors import HarnessError

PEOPLE, IMAGES, CAPTIONS = 30, 4, 2  # images a person, captions an image
COUNT = PEOPLE * IMAGES * CAPTIONS


@pytest.fixture
def split() -> Split:
    """30 people in order, 4 images each, 2 captions an image."""
    rows = np.arange(PEOPLE * IMAGES)
    return Split(
        name="train",
        encoded=lambda row: b"",
        image_ids=tuple(map(str, rows)),
        captions=tuple(f"caption {row}" for row in range(COUNT)),
        image_of_caption=np.repeat(rows, CAPTIONS),
        person_of_image=1000 + rows // IMAGES,
    )


def wrong(split: Split, broken: Split) -> Integers:
    """Return the captions that stand with an image of another person."""
    return np.flatnonzero(split.person_of_caption != broken.person_of_caption)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.8, 0.99])
def test_a_share_of_the_captions_stands_with_other_people(split: Split, rate: float) -> None:
    """Just so many as were asked for, and every image has as many captions as before."""
    broken = break_pairs(split, Noise(rate), seed=3)
    moved = np.flatnonzero(split.image_of_caption != broken.image_of_caption)
    assert len(moved) == round(rate * COUNT)
    assert np.array_equal(wrong(split, broken), moved)
    assert np.array_equal(np.bincount(broken.image_of_caption), np.bincount(split.image_of_caption))
    assert replace(broken, image_of_caption=split.image_of_caption) == split


def test_the_seed_decides_which(split: Split) -> None:
    """Any method with the same seed meets the same wrong pairs."""
    first, again, other = (
        break_pairs(split, Noise(0.3), seed).image_of_caption for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_more_noise_breaks_what_less_of_it_does(split: Split) -> None:
    """So a curve over rates is one of the same pairs, and more."""
    little, much = (set(wrong(split, break_pairs(split, Noise(r), 0))) for r in (0.2, 0.5))
    assert little < much


def test_wrong_pairs_are_not_of_a_pattern(split: Split) -> None:
    """The captions of one person go to many others."""
    broken = break_pairs(split, Noise(0.9), seed=0)
    others = [
        len(set(broken.person_of_caption[split.person_of_caption == person]))
        for person in split.person_of_image[::IMAGES]
    ]
    assert np.mean(others) > 6  # of 8 captions


def test_an_index_file_gives_rows_the_captions_that_it_lists(split: Split, tmp_path: Path) -> None:
    """Row i keeps its image and its person, and takes the caption index[i], as in RDE's code."""
    index = np.random.default_rng(0).permutation(COUNT)
    np.save(tmp_path / "index.npy", index)
    noise = parse_noise(str(tmp_path / "index.npy"))
    assert noise
    broken = break_pairs(split, noise, seed=0)
    for row in range(COUNT):
        assert broken.image_of_caption[index[row]] == split.image_of_caption[row]
        assert broken.person_of_caption[index[row]] == 1000 + row // (IMAGES * CAPTIONS)
    assert np.array_equal(
        broken.image_of_caption, break_pairs(split, noise, seed=1).image_of_caption
    )


def test_an_index_file_of_another_training_set_is_refused(split: Split, tmp_path: Path) -> None:
    """It would break other pairs than those that it was made of."""
    np.save(tmp_path / "index.npy", np.arange(COUNT - 1)[::-1])
    noise = parse_noise(str(tmp_path / "index.npy"))
    assert noise
    with pytest.raises(HarnessError, match="made for 239 training captions; here there are 240"):
        break_pairs(split, noise, seed=0)


def test_a_share_of_less_than_a_caption_is_refused(split: Split) -> None:
    """A run with it would have no wrong pair, and be called one with some."""
    with pytest.raises(HarnessError, match=r"0\.001 of 240 training captions is less than one"):
        break_pairs(split, Noise(0.001), seed=0)


@pytest.mark.parametrize(("people", "rate"), [(1, 0.5), (30, 0.004)])
def test_what_cannot_be_broken_is_refused(split: Split, people: int, rate: float) -> None:
    """Of one person alone, or of a single caption, no pair can be made wrong."""
    few = replace(split, person_of_image=split.person_of_image % people)
    with pytest.raises(HarnessError, match="cannot be given to images of other people"):
        break_pairs(few, Noise(rate), seed=0)
