"""Which images may stand in a crowd beside a test split: none that is of it, nor any copy.

Left out are files that are broken, that stand twice, that are of the test split byte by byte, and
those that look like one of its images: shrunk to 8 x 24 grey values they differ by a few levels, as
an image does that was scaled or compressed anew. A crop of the same photograph, or another
photograph of the same person, is not seen by that: where a dataset tells people, those of the test
split are left out too, and else nobody can.

Shapes: B images of a batch, M images of the test split.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness import paths
from harness.data.decoding import decode_whole
from harness.data.decoding_key import decoding_key
from harness.files import write_json
from harness.progress import Show

VERSION = 1  # of what is compared: what was remembered of another one is not taken
SHRUNK = (8, 24)  # width and height
NEAR = 4.0  # levels of 255, the root of the mean square: what differs by less is a copy
BATCH = 512
THREADS = 4  # Pillow lets go of the interpreter while it decodes

BROKEN = "broken"
TWICE = "copies of one another"
OF_TEST = "files of the test split"
NEAR_TEST = "near copies of test images"
PEOPLE = "people of the test split"

Read = Callable[[], bytes]
Named = tuple[str, Read]  # an image by its name, and what reads its file
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Audited:
    """The images of a crowd, in the order of their hashes, and what was left out of it."""

    names: list[str]
    content: str  # a hash of their files
    left_out: Mapping[str, int]  # by why


def audit_strangers(
    images: Sequence[Named], stands: str, test: Iterable[bytes], fingerprint: str, show: Show
) -> Audited:
    """Return which of some images may stand beside a test split.

    Args:
        images: by name, in any order.
        stands: changes with any of their files, so that what was found is remembered.
        test: the image files of the split.
        fingerprint: of its dataset.
    """
    about = f"{VERSION} {decoding_key()} {stands} {fingerprint}"
    place = hashlib.sha256(about.encode()).hexdigest()[:24]
    memory = paths.cache_folder() / "crowds" / f"audit-{place}.json"
    with suppress(OSError, ValueError, TypeError):
        return Audited(**json.loads(memory.read_text(encoding="utf-8")))
    found = _audit(images, test, show)
    with suppress(OSError):  # without a cache it is only slower
        write_json(memory, asdict(found))
    return found


def _audit(images: Sequence[Named], test: Iterable[bytes], show: Show) -> Audited:
    hashes, shrunk = _look_at_test(test)
    left_out: Counter[str] = Counter()
    kept: dict[str, str] = {}  # name by hash
    done = 0
    for batch in _batches(images):
        with ThreadPoolExecutor(THREADS) as pool:
            looked = list(pool.map(lambda one: _look_at(one[1]), batch))
        near = _is_near(np.stack([one.shrunk for one in looked]), shrunk)
        for (name, _), one, is_near in zip(batch, looked, near, strict=True):
            why = _why_out(one, is_near, hashes, kept)
            if why:
                left_out[why] += 1
            else:
                kept[one.hash] = name
        done += len(batch)
        show("holding distractors against the test images", done, len(images))
    order = sorted(kept)
    content = hashlib.sha256(" ".join([decoding_key(), *order]).encode()).hexdigest()
    return Audited([kept[one] for one in order], content, dict(sorted(left_out.items())))


@dataclass(frozen=True)
class _Looked:
    """An image, looked at once."""

    hash: str  # of its file; empty where there is none to read
    shrunk: Floats  # (width * height,); zeros where it is broken
    is_broken: bool = False


def _why_out(one: _Looked, is_near: bool, hashes: set[str], kept: Mapping[str, str]) -> str:
    if one.is_broken:
        return BROKEN
    if one.hash in hashes:
        return OF_TEST
    if one.hash in kept:
        return TWICE
    return NEAR_TEST if is_near else ""


def _look_at(read: Read) -> _Looked:
    nothing = np.zeros(SHRUNK[0] * SHRUNK[1], np.float32)
    try:
        encoded = read()
        image = decode_whole(encoded)
    except (OSError, ValueError):
        return _Looked("", nothing, is_broken=True)
    return _Looked(hashlib.sha256(encoded).hexdigest(), _shrink(image))


def _shrink(image: Image.Image) -> Floats:
    small = image.convert("L").resize(SHRUNK, Image.Resampling.BOX)
    return np.asarray(small, np.float32).reshape(-1)


def _look_at_test(test: Iterable[bytes]) -> tuple[set[str], Floats]:
    """Return the hashes of the files of a test split, and what it looks like: (M, values)."""
    hashes, shrunk = set(), []
    for encoded in test:
        hashes.add(hashlib.sha256(encoded).hexdigest())
        with suppress(ValueError):  # what is broken has no copies
            shrunk.append(_shrink(decode_whole(encoded)))
    return hashes, np.stack(shrunk) if shrunk else np.empty((0, SHRUNK[0] * SHRUNK[1]), np.float32)


def _is_near(images: Floats, test: Floats) -> NDArray[np.bool_]:
    """Tell which images (B, values) look like one of the test split (M, values)."""
    if not len(test):
        return np.zeros(len(images), np.bool_)
    images, test = images - 128.0, test - 128.0  # smaller squares: less is lost of differences
    squares = np.square(images).sum(1)[:, None] + np.square(test).sum(1) - 2 * images @ test.T
    near: NDArray[np.bool_] = squares.min(1) <= NEAR**2 * images.shape[1]
    return near


def _batches(images: Sequence[Named]) -> Iterator[list[Named]]:
    rest = iter(images)
    while batch := list(islice(rest, BATCH)):
        yield batch
