"""The data of a stored run: its test split as the results tell it, the rest where it is asked for.

A results folder keeps a digest of each dataset, which is enough to name what was found. Only where
pixels or training captions are wanted, the dataset itself is opened, and has to be the same.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch

from harness import plan
from harness.data.catalogue import locate
from harness.data.declaration import Declaration, Located
from harness.data.digest import Digest, digest_path, read_digest
from harness.data.loading import load_split
from harness.data.pixels import Pixels, open_pixels, pixel_folder
from harness.data.schema import Integers, Split, TrainView
from harness.errors import HarnessError
from harness.evaluation.embeddings import Embeddings, embeddings_path, read_embeddings
from harness.method import Supervision
from harness.progress import Show
from harness.results import RunRecord, StoredRun
from harness.tie_order import IMAGES, recorded_order


@dataclass(frozen=True)
class StoredSplit:
    """The test split of a run."""

    split: Split
    shown: bool  # whether captions and images may be shown and handed on
    thumbnails: Sequence[bytes | None]  # M, JPEG; None where not to be shown


def read_test_split(run: StoredRun, show: Show) -> StoredSplit:
    """Return the test split of a run; image files and missing digests come from the dataset.

    Raises:
        HarnessError: there is no digest and the dataset is not here, or has another content now.
    """
    record = run.record
    opened = cache(lambda: load_split(locate_again(record, show), "test"))
    name = digest_path(Path(), record.suite, record.dataset, _fingerprint(record)).name
    digest = read_digest(run.path.absolute().parents[2] / name)  # beside the methods
    if digest is None:
        shown = _declaration(record).thumbnails
        return StoredSplit(opened(), shown, [None] * len(opened().image_ids))
    shown = digest.about.get("shown") is True
    return StoredSplit(
        _split_of(digest, lambda row: opened().encoded(row), _fingerprint(record)),
        shown,
        digest.thumbnails,
    )


def read_stored_embeddings(run: StoredRun, split: Split) -> Embeddings | None:
    """Return the embeddings that a run stored of its test split; None where it kept none."""
    return read_embeddings(embeddings_path(run.path, _fingerprint(run.record)), split)


def say_no_embeddings(record: RunRecord) -> str:
    """Say that a run keeps no embeddings, and what to do about it."""
    name = f"{record.name} seed {record.seed}"
    if record.handed_in:
        return (
            f"{name} is {record.mark} and keeps no embeddings: only features that cosine compares "
            "are kept. What was handed in holds them."
        )
    return (
        f"{name} keeps no embeddings (--keep none), or damaged ones. Train it again: "
        f"{record.command} --force --keep selected"
    )


def open_test_pixels(record: RunRecord, split: Split, size: tuple[int, int]) -> Pixels:
    """Return a reader of a run's test images at (height, width), decoded when first asked for."""
    folder = pixel_folder(_fingerprint(record))
    opened = cache(lambda: open_pixels(split, size, folder))
    return lambda rows: opened()(rows)


def order_of_images(record: RunRecord, split: Split) -> Integers:
    """Return the rows of a run's test images in the order in which it ranks what scores the same.

    That is by the version of the protocol that scored the run.
    """
    count = len(split.image_ids)
    return recorded_order(record.protocol, _fingerprint(record), IMAGES, count)


def read_training_captions(record: RunRecord, show: Show) -> Sequence[str]:
    """Return the training captions in the order in which the run's method was given them."""
    split = load_split(locate_again(record, show), "train")
    view = TrainView(split, lambda rows: torch.empty(0), Supervision.PAIRS, record.seed)
    return view.captions  # pixels are not asked for


def locate_again(record: RunRecord, show: Show) -> Located:
    """Return the files of the dataset that a run was made on.

    Raises:
        HarnessError: it is not here, or its content is another one now.
    """
    located = locate(_declaration(record), show)
    if located.fingerprint != _fingerprint(record):
        raise HarnessError(
            f"Dataset {record.dataset!r} has another content now than when the run was made. "
            f"Restore it, or run again: {record.command}"
        )
    return located


def _declaration(record: RunRecord) -> Declaration:
    """Return how the dataset is declared, by what named it when the run was made."""
    named = {"--suite": record.suite_argument, "--dataset": record.dataset_argument}
    if not record.suite_argument:  # older code told it in the command alone
        named = dict(pairwise(shlex.split(record.command)))
    suite = plan.read_suite(named.get("--suite", record.suite))
    return suite.find_declaration(named.get("--dataset", record.dataset))


def _fingerprint(record: RunRecord) -> str:
    return str(record.data.get("fingerprint"))


def _split_of(digest: Digest, encoded: Callable[[int], bytes], fingerprint: str) -> Split:
    return Split(
        name="test",
        encoded=encoded,
        image_ids=tuple(digest.image_ids),
        captions=tuple(caption or "" for caption in digest.captions),
        image_of_caption=digest.image_of_caption,
        person_of_image=digest.person_of_image,
        fingerprint=fingerprint,
    )
