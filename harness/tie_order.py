"""The order in which gallery rows rank that score the same: part of the protocol.

Version 1 took them in the order of the dataset, where rows of one person follow each other: an
encoder that ties all rows then did better than chance by all metrics but R1. Since version 2 the
order is drawn from the dataset's fingerprint, once for its images and once for its captions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

IMAGES, CAPTIONS = "images", "captions"  # what the rows of a gallery are
IN_ROWS = 1  # the version of the protocol whose ties are in the dataset's order


def tie_order(fingerprint: str, gallery: str, count: int) -> Integers:
    """Return the rows 0 to `count` of a gallery of images or captions, drawn: the first wins ties.

    The seed is the number that the first 8 bytes of the SHA-256 of "FINGERPRINT images" (or
    captions) are, the most significant first. Rows stand in the order of the first `count` raw
    numbers of PCG64, which numpy promises never to change, as it does not of permutations.
    """
    digest = hashlib.sha256(f"{fingerprint} {gallery}".encode()).digest()
    drawn = np.random.PCG64(int.from_bytes(digest[:8], "big")).random_raw(count)
    return np.argsort(drawn, kind="stable")


def recorded_order(
    protocol: Mapping[str, Any], fingerprint: str, gallery: str, count: int
) -> Integers:
    """Return the order by the version of the protocol that a record tells of."""
    if protocol.get("version") == IN_ROWS:
        return np.arange(count)
    return tie_order(fingerprint, gallery, count)
