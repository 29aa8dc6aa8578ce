"""What evaluating a run takes: a few batches encoded, the rest scored with drawn embeddings.

Scoring does not hang on what embeddings say, so that all of it is done, on embeddings drawn at
random. Encoding and re-scoring cost alike for each item and pair: some are measured.

Shapes: M images and N captions of a split, D the width of an embedding.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from harness import evaluation
from harness.data.pixels import Pixels
from harness.data.schema import Split
from harness.evaluation.clock import seconds
from harness.evaluation.embeddings import Embeddings, write_embeddings
from harness.evaluation.encode import BATCH
from harness.evaluation.rescoring import TOKEN_BYTES
from harness.evaluation.write import write_evaluation
from harness.method import Encoded, Method
from harness.plan.spec import FurtherEvaluation, RunSpec
from harness.results import HIGHLIGHTS, PRIMARY_EVALUATION, REVERSE_EVALUATION
from harness.run.evaluate import evaluated
from harness.run.further import add_evaluations
from harness.run.highlights import write_highlights
from harness.run.open_run import OpenRun

ENCODED = 4 * BATCH  # items of each modality that are encoded to time it
ASKED = 48  # captions whose candidates are re-scored
Result = TypeVar("Result")

HALF = 2  # bytes of a number of a token that waits to be re-scored


@dataclass(frozen=True)
class ItemCosts:
    """Seconds that an item or a pair takes, and what an item holds."""

    image: float
    text: float
    pair: float  # 0 where nothing is re-scored
    image_bytes: int  # of the tokens that wait to be re-scored
    text_bytes: int
    width: int  # of an embedding

    def seconds(self, split: Split, candidates: int) -> float:
        """Return what it takes to encode a split, and to re-score candidates of its captions."""
        images, captions = len(split.image_ids), len(split.captions)
        encoding = images * self.image + captions * self.text
        if not candidates or not self.pair:
            return encoding
        # Captions that do not fit into a block are encoded once for each block of images.
        fits = 2 * captions * self.text_bytes < TOKEN_BYTES
        blocks = 1 if fits else -(-2 * images * self.image_bytes // TOKEN_BYTES)
        pairs = captions * min(candidates, images)
        again = images * self.image + blocks * captions * self.text
        return encoding + again + pairs * self.pair

    def token_megabytes(self, split: Split) -> float:
        """Return the most that tokens of a split hold at a time, while it is re-scored."""
        sizes = len(split.image_ids) * self.image_bytes, len(split.captions) * self.text_bytes
        return sum(min(2 * size, TOKEN_BYTES) for size in sizes) / 1024**2


def probe_items(opened: OpenRun, name: str) -> ItemCosts:
    """Encode a few batches of a split, and re-score a few queries where the method does."""
    method, device = opened.method, opened.device
    split, pixels = opened.data.splits[name], opened.data.pixels[name]
    method.to(device).eval()
    by_length = sorted(split.captions, key=len)
    every = max(1, len(by_length) // ENCODED)
    texts = [*by_length[::every], by_length[-1]]  # of all lengths, the longest too
    count = min(ENCODED, len(split.image_ids))

    def encode_images(count: int) -> Encoded:
        return evaluation.encode_images(
            method, lambda rows: pixels(np.asarray(rows)), count, device
        )

    with torch.no_grad():
        encode_images(min(count, BATCH))  # compiles
        evaluation.encode_texts(method, texts[:BATCH], device)
        image, images = _timed(device, lambda: encode_images(count))
        text, _ = _timed(device, lambda: evaluation.encode_texts(method, texts, device))
    width = images.embedding.shape[1]
    costs = ItemCosts(image / count, text / len(texts), 0.0, 0, 0, width)
    if not opened.recipe.candidates or not evaluation.rescores(method):
        return costs
    return _with_pairs(costs, method, split, pixels, opened.recipe.candidates, device)


def _with_pairs(
    costs: ItemCosts,
    method: Method,
    split: Split,
    pixels: Pixels,
    candidates: int,
    device: torch.device,
) -> ItemCosts:
    """Add what a pair takes, by the candidates of a few captions among the first images."""
    part = _first_images(split, max(candidates, BATCH))
    features = evaluation.encode_split(method, part, pixels, device, _drawn(part, costs.width))

    def score(count: int) -> object:
        return evaluation.score_text_to_image(method, features, part, count, top=0)

    score(1)  # compiles
    took, _ = _timed(device, lambda: score(candidates))
    alone = costs.seconds(part, 0)
    pairs = len(part.captions) * min(candidates, len(part.image_ids))
    with torch.no_grad():
        longest = torch.tensor([int(np.argmax([len(text) for text in part.captions]))])
        sizes = [
            features.image_items.encode(torch.arange(1)),
            features.text_items.encode(longest),
        ]
    image_bytes, text_bytes = (HALF * one.tokens.numel() for one in sizes if one.tokens is not None)
    return replace(
        costs,
        pair=max(0.0, took - alone) / pairs,
        image_bytes=image_bytes,
        text_bytes=text_bytes,
    )


def _first_images(split: Split, count: int) -> Split:
    """Return the first images of a split, with a few of their captions."""
    count = min(count, len(split.image_ids))
    rows = np.flatnonzero(split.image_of_caption < count)
    rows = rows[:: max(1, len(rows) // ASKED)]
    return replace(
        split,
        image_ids=split.image_ids[:count],
        captions=tuple(split.captions[row] for row in rows),
        image_of_caption=split.image_of_caption[rows],
        person_of_image=split.person_of_image[:count],
        cameras=split.cameras and split.cameras[:count],
    )


def _drawn(split: Split, width: int) -> Embeddings:
    """Return embeddings of a split, drawn at random: (M, D), (N, D)."""
    generator = torch.Generator().manual_seed(0)

    def draw(count: int) -> Tensor:
        return torch.randn(count, width, generator=generator)

    return Embeddings(draw(len(split.image_ids)), draw(len(split.captions)), 0.0, 0.0)


def val_seconds(opened: OpenRun, items: ItemCosts, name: str) -> float:
    """Return what the figures of an epoch on a split take."""
    split = opened.data.splits[name]
    features = _drawn_features(opened, items, name)

    def score() -> object:
        return evaluation.score_text_to_image(opened.method, features, split, 0, top=0)

    score()  # compiles
    scoring, _ = _timed(opened.device, score)
    return items.seconds(split, opened.recipe.val_candidates) + scoring


def _drawn_features(opened: OpenRun, items: ItemCosts, name: str) -> evaluation.Features:
    split, pixels = opened.data.splits[name], opened.data.pixels[name]
    stored = _drawn(split, items.width)
    return evaluation.encode_split(opened.method, split, pixels, opened.device, stored)


@dataclass(frozen=True)
class EndCosts:
    """What a run takes behind its last step."""

    seconds: float
    bytes: int  # that it leaves


def probe_end(
    opened: OpenRun,
    items: ItemCosts,
    spec: RunSpec,
    further: tuple[FurtherEvaluation, ...],
    times: int,
) -> EndCosts:
    """Do what comes behind the last step with drawn embeddings, encoding and re-scoring aside.

    `times` is how many weights are evaluated on test.
    """
    test, pixels, device = opened.data.splits["test"], opened.data.pixels["test"], opened.device
    features = _drawn_features(opened, items, "test")
    place = opened.evaluations

    def by_text() -> None:
        scores = evaluation.score_text_to_image(opened.method, features, test)
        write_evaluation(place / PRIMARY_EVALUATION, scores, test)

    def once() -> None:
        write_embeddings(opened.embeddings(opened.located), features.embeddings)
        reverse = evaluation.score_image_to_text(features, test)
        write_evaluation(place / REVERSE_EVALUATION, reverse, test, query="image")
        add_evaluations(opened.work, further, evaluated(spec, opened, features))
        write_highlights(opened.work / HIGHLIGHTS, opened.method, test, pixels, device)

    each, _ = _timed(device, by_text)
    rest, _ = _timed(device, once)
    encoding = items.seconds(test, opened.recipe.candidates)
    size = _bytes_in(opened.work)
    for folder in (place, opened.embeddings(opened.located).parent):
        shutil.rmtree(folder, ignore_errors=True)
    (opened.work / HIGHLIGHTS).unlink(missing_ok=True)
    return EndCosts(times * (each + encoding) + rest, size)


def _bytes_in(folder: Path) -> int:
    """Return the bytes of what is below a folder, weights left aside."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".pt")
    return sum(file.stat().st_size for file in files)


def _timed(device: torch.device, work: Callable[[], Result]) -> tuple[float, Result]:
    """Do something; return the seconds that it takes, and what it gives."""
    began = seconds(device)
    found = work()
    return seconds(device) - began, found
