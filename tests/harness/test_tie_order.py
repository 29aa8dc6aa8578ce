"""The order of ties is one that an outsider can draw again."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from harness.tie_order import recorded_order, tie_order

FINGERPRINT = "ab" * 32
FIRST_IMAGES = [1, 5, 7, 8, 9, 3, 0, 4, 2, 6]
FIRST_CAPTIONS = [8, 6, 1, 5, 9, 3, 4, 7, 2, 0]


def test_the_order_is_what_the_documentation_says() -> None:
    """Drawn again from the words alone, in Python's integers: the seed, PCG64, and a sort."""
    for gallery in ("images", "captions"):
        digest = hashlib.sha256(f"{FINGERPRINT} {gallery}".encode()).hexdigest()
        generator = np.random.PCG64(int(digest[:16], 16))
        drawn = [int(generator.random_raw()) for _ in range(500)]
        expected = sorted(range(500), key=drawn.__getitem__)
        assert tie_order(FINGERPRINT, gallery, 500).tolist() == expected


def test_the_order_never_changes() -> None:
    """What is stored was ranked by it: these are its first rows, whatever numpy is installed."""
    assert tie_order(FINGERPRINT, "images", 10).tolist() == FIRST_IMAGES
    assert tie_order(FINGERPRINT, "captions", 10).tolist() == FIRST_CAPTIONS


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_every_row_stands_in_it_once(count: int) -> None:
    """It is a permutation of any size, and another one of another dataset."""
    order = tie_order(FINGERPRINT, "images", count)
    assert sorted(order.tolist()) == list(range(count))
    assert count < 1000 or order.tolist() != tie_order("cd" * 32, "images", count).tolist()


def test_an_older_protocol_keeps_its_order() -> None:
    """Version 1 broke ties in the order of the dataset; what came after it draws."""
    asked = FINGERPRINT, "images", 50
    assert recorded_order({"version": 1}, *asked).tolist() == list(range(50))
    assert recorded_order({"version": 2}, *asked).tolist() == tie_order(*asked).tolist()
