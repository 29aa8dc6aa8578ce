import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from harness.data.auditing.audit import Rows, audit, audit_across, audit_split, rank1_ceiling


def rows(
    people: Sequence[int],
    captions: Sequence[Sequence[str]],
    hashes: Sequence[bytes | None] | None = None,
) -> Rows:
    """Return a split of which each image has a person, captions and a file."""
    return Rows(
        person_of_image=np.array(people),
        captions=[text for texts in captions for text in texts],
        image_of_caption=np.repeat(np.arange(len(people)), [len(texts) for texts in captions]),
        image_hashes=hashes or [bytes([image]) for image in range(len(people))],
    )


def test_sizes_are_counted() -> None:
    """Identities, images and captions, the fewest and most of each other, and lone images."""
    found = audit_split(rows([7, 7, 7, 2, 5], [["a", "b"], ["c"], ["d"], ["e"], list("fghi")]))
    assert (found["identities"], found["images"], found["captions"]) == (3, 5, 9)
    assert found["captions_per_image"] == {"min": 1, "max": 4}
    assert found["images_per_identity"] == {"min": 1, "max": 3}
    assert found["identities_with_one_image"] == 2


def test_equal_captions_are_counted_within_and_across_people() -> None:
    """Whitespace makes no difference, letters do; a text of two people counts for both."""
    captions = [["a man"], ["a  man\n"], ["a man", "a boy"], ["A man"], ["a boy"]]
    found = audit_split(rows([1, 1, 2, 3, 4], captions))
    assert found["duplicate_captions"] == {
        "within_a_person": 2,  # person 1 has "a man" twice
        "across_persons": 5,  # "a man" of 1, 1 and 2, "a boy" of 2 and 4
        "distinct_across_persons": 2,
    }
    assert found["rank1_ceiling"] == pytest.approx(100 * (2 + 1 + 1) / 6)


@pytest.mark.parametrize("seed", range(5))
def test_the_ceiling_is_what_the_best_ranking_reaches(seed: int) -> None:
    """Over every way to put a person first for each text, the most queries that can be right."""
    random = np.random.default_rng(seed)
    texts = random.choice(list("abc"), size=8).tolist()
    people = random.integers(0, 4, size=8)
    best = 0
    for first in itertools.product(range(4), repeat=3):
        first_of = dict(zip("abc", first, strict=True))
        right = sum(first_of[t] == p for t, p in zip(texts, people, strict=True))
        best = max(best, right)
    assert rank1_ceiling(texts, people) == pytest.approx(100 * best / 8)


def test_without_shared_captions_nothing_is_out_of_reach() -> None:
    """Captions that one person has several times cost nothing."""
    assert rank1_ceiling(["x", "x", "y"], np.array([4, 4, 9])) == 100


def test_odd_captions_are_counted() -> None:
    """Empty ones, line breaks and outer spaces, each on its own."""
    found = audit_split(rows([1, 2], [["", " ", "a\nb"], [" a", "b\r\n", "fine"]]))
    assert found["odd_captions"] == {"empty": 2, "line_breaks": 2, "outer_spaces": 3}


def test_equal_files_are_counted_where_all_were_read() -> None:
    """A file that several rows hold is a duplicate; with a file unread nothing is claimed."""
    captions = [["a"], ["b"], ["c"], ["d"]]
    hashed = audit_split(rows([1, 1, 2, 3], captions, [b"x", b"x", b"y", b"y"]))
    assert hashed["duplicate_images"] == {
        "within_a_person": 2,
        "across_persons": 2,
        "distinct_across_persons": 1,
    }
    unread = audit_split(rows([1, 1, 2, 3], captions, [b"x", b"x", None, b"y"]))
    assert unread["duplicate_images"] is None


def test_what_splits_share_is_counted() -> None:
    """An identity or a file in two splits is a leak; numbers are said, not names."""
    train = rows([1, 1, 2], [["a"]] * 3, [b"p", b"p", b"q"])
    val = rows([2, 3], [["a"]] * 2, [b"q", b"r"])
    test = rows([4, 2], [["a"]] * 2, [b"s", b"q"])
    assert audit_across([train, val, test]) == {"identities": 1, "image_files": 1}
    assert audit_across([train]) == {"identities": 0, "image_files": 0}
    unread = rows([9], [["a"]], [None])
    assert audit_across([train, unread]) == {"identities": 0, "image_files": None}
    both = audit({"train": train, "test": test})
    assert both["across"]["identities"] == 1
    assert both["splits"] == {"train": audit_split(train), "test": audit_split(test)}
