import numpy as np
import pytest
import torch

from harness.data.schema import Split, TrainView
from harness.method import Supervision

PEOPLE, IMAGES, CAPTIONS = 30, 4, 2


@pytest.fixture
def split() -> Split:
    """30 people in order, 4 images each, 2 captions an image; an image's pixels are its row."""
    rows = np.arange(PEOPLE * IMAGES)
    return Split(
        name="train",
        encoded=lambda row: b"",
        image_ids=tuple(map(str, rows)),
        captions=tuple(f"caption {row}" for row in range(len(rows) * CAPTIONS)),
        image_of_caption=np.repeat(rows, CAPTIONS),
        person_of_image=1000 + rows // IMAGES,
    )


def view(split: Split, supervision: Supervision, seed: int = 0) -> TrainView:
    """Return the training view of a supervision."""
    return TrainView(split, lambda rows: torch.from_numpy(rows), supervision, seed)


def test_a_pairs_method_is_given_no_person(split: Split) -> None:
    """Neither the view nor the summary holds an identity, under any name."""
    seen = view(split, Supervision.PAIRS)
    assert seen.person_of_image is None
    assert seen.summary().person_count is None
    assert not [name for name in vars(seen) if "person" in name and vars(seen)[name] is not None]


def test_the_order_of_indices_tells_nothing(split: Split) -> None:
    """Neighbouring indices are no likelier to be one person than chance (3 of 119)."""
    seen = view(split, Supervision.PAIRS)
    rows, _ = seen.rows(torch.arange(PEOPLE * IMAGES), torch.arange(1))
    person = rows // IMAGES
    assert np.mean(person[1:] == person[:-1]) < 0.1
    captions = seen.image_of_caption.numpy()
    assert np.mean(captions[1:] == captions[:-1]) < 0.1


def test_identities_do_not_reach_the_numbering(split: Split) -> None:
    """With the people permuted, everything that a PAIRS method sees stays the same."""
    other = np.random.default_rng(0).permutation(split.person_of_image)
    permuted = Split(**{**vars(split), "person_of_image": other})
    first, second = view(split, Supervision.PAIRS), view(permuted, Supervision.PAIRS)
    assert first.captions == second.captions
    assert torch.equal(first.image_of_caption, second.image_of_caption)


def test_numbering_keeps_pairs_and_people_together(split: Split) -> None:
    """Through the shuffle a caption still has its image, an image its captions and its person."""
    seen = view(split, Supervision.IDENTITY)
    assert seen.person_of_image is not None
    for caption, image in enumerate(seen.image_of_caption.tolist()):
        row = int(seen.pixels([image])[0])
        assert int(seen.captions[caption].split()[1]) // CAPTIONS == row
        assert caption in seen.captions_of_image[image]
    rows = seen.pixels(range(PEOPLE * IMAGES)).numpy()
    pairs = set(zip((rows // IMAGES).tolist(), seen.person_of_image.tolist(), strict=True))
    assert len(pairs) == PEOPLE
    assert seen.summary().person_count == PEOPLE


def test_another_seed_numbers_anew(split: Split) -> None:
    """Each repetition has an order of its own."""
    first, second = view(split, Supervision.PAIRS, 0), view(split, Supervision.PAIRS, 1)
    assert first.captions != second.captions
