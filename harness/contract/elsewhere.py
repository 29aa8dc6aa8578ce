"""Encoding in a process of its own, whose cache holds the labels of what is encoded."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness import paths
from harness.contract.broken import Broken
from harness.contract.case import Case
from harness.contract.subject import Subject
from harness.data.catalogue import find_declaration, locate, place_of_drawn, read_catalogue
from harness.data.loading import load_split
from harness.data.pixels import open_pixels
from harness.execution.local import preload
from harness.training.checkpoints import load_state

PEOPLE = 4  # with four images each
OF_DATA = {"datasets", "fingerprints", "pixels"}  # what a cache folder holds of datasets


@dataclass(frozen=True)
class Strangers:
    """People whom no code can know, and a cache folder that knows them."""

    images: Tensor  # (M, 3, H, W) uint8
    captions: list[str]  # N
    cache: Path


@contextmanager
def strangers(image_size: tuple[int, int]) -> Iterator[Strangers]:
    """Draw people from a seed that nobody is told, at (height, width).

    In their cache folder they are the test split of each drawn dataset.
    """
    from harness.data.paperdolls.build import write_paperdolls
    from harness.data.paperdolls.looks import Sizes

    with TemporaryDirectory() as scratch:
        folder, cache = Path(scratch, "drawn"), Path(scratch, "cache")
        write_paperdolls(folder, secrets.randbits(62), sizes=Sizes(train=1, val=1, test=PEOPLE))
        _fill(cache, folder)
        test = load_split(locate(find_declaration(str(folder))), "test")
        images = open_pixels(test, image_size, None)(np.arange(len(test.image_ids)))
        yield Strangers(images, list(test.captions), cache)


def _fill(cache: Path, folder: Path) -> None:
    """Put a dataset in the place of all others into a cache folder that is else as the user's."""
    mine = paths.cache_folder().absolute()
    drawn = (place_of_drawn(one).name for one in read_catalogue().values() if one.drawn)
    there = (path.name for path in mine.glob("datasets/*"))
    for name in {*drawn, *there}:
        shutil.copytree(folder, cache / "datasets" / name)
    for path in mine.glob("*"):
        if path.name not in OF_DATA:
            (cache / path.name).symlink_to(path)


def encode_elsewhere(subject: Subject, them: Strangers) -> tuple[Tensor, Tensor]:
    """Return the embeddings (M, D), (N, D) that a process gives which sees only their cache.

    It encodes with the weights of the trained subject.

    Raises:
        Broken: it raises there, or the process dies.
    """
    preload([subject.listing.plugin])
    context = multiprocessing.get_context("forkserver")
    there = str(them.cache), torch.get_num_threads()
    parts = subject.listing, subject.variants[0], subject.scale, subject.dolls
    with TemporaryDirectory() as scratch, ProcessPoolExecutor(1, context, _move, there) as pool:
        weights = Path(scratch, "weights.pt")
        torch.save(subject.trained.after, weights)
        found = pool.submit(_encode, parts, weights, them.images.numpy(), them.captions)
        try:
            encoded = found.result()
        except BrokenProcessPool as error:
            raise Broken("the process that encodes ended before it was done") from error
    if isinstance(encoded, str):
        raise Broken(f"where the cache holds another dataset, it raises {encoded}")
    images, texts = encoded
    return torch.from_numpy(images), torch.from_numpy(texts)


def _move(cache: str, threads: int) -> None:
    """Give this process another cache folder, and as many threads as the one that started it."""
    os.environ["HARNESS_CACHE"] = cache
    torch.set_num_threads(threads)


def _encode(
    parts: tuple[Any, ...], weights: Path, images: NDArray[np.uint8], captions: list[str]
) -> tuple[NDArray[Any], NDArray[Any]] | str:
    """Return embeddings, or what was raised: an exception of a plugin may not travel."""
    try:
        case = Case(*parts)
        load_state(case.method, torch.load(weights, weights_only=True))
        case.images, case.captions = torch.from_numpy(images), captions
        of_images, of_texts = case.features()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return of_images.numpy(), of_texts.numpy()
