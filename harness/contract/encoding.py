"""Checks of what a method makes of images and captions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from harness.contract.broken import Broken
from harness.contract.case import BATCH, ITEMS, Case
from harness.contract.elsewhere import encode_elsewhere, strangers
from harness.contract.observation import Handed, inputs_of_modules
from harness.contract.subject import Subject
from harness.contract.supervision import refuse_hidden_people
from harness.evaluation import rescores
from harness.method import Encoded
from harness.run.environment import peak_memory

TOLERANCE = 1e-4  # of an embedding, alone or among others: the order of sums may differ
# The least between the darkest and the brightest value of a channel: bytes that are divided by 255
# and then normalised as if they were not span 0.015, others 3.7, and mean colours of images 0.1.
CONTRAST = 0.03
PRECISE = torch.float32, torch.float64
TIMES = 3


def encodes(subject: Subject) -> str:
    """Images and captions land in one space: (B, D) floats, finite, not all alike."""
    images, texts = _built(subject).features()
    if images.shape != texts.shape:
        raise Broken(f"{ITEMS} images became {tuple(images.shape)}, captions {tuple(texts.shape)}")
    for name, embedding in (("images", images), ("captions", texts)):
        if not embedding.is_floating_point():
            raise Broken(f"embeddings of {name} are {embedding.dtype}")
        if not torch.isfinite(embedding).all():
            raise Broken(f"embeddings of {name} hold NaN or infinity")
        if not embedding.float().std(dim=0).max() > 0:
            raise Broken(f"embeddings of {name} are all alike")
    return f"{images.shape[1]} dimensions, {_name(images.dtype)}"


def _built(subject: Subject) -> Case:
    """Build the method as published. Raises Broken."""
    try:
        return subject.case()
    except Exception as error:
        refuse_hidden_people(subject, lambda case: None, error)
        raise Broken(
            f"it is not built: {type(error).__name__}: {error}",
            "Method.__init__(config, train) is handed the config of the recipe and counts and "
            "captions of the training split.",
        ) from error


def encodes_twice_alike(subject: Subject) -> str:
    """In evaluation mode the same items have the same embeddings whenever they are encoded."""
    case = subject.case()
    worst = _distance(case.features(), case.features())
    if not worst <= TOLERANCE:
        raise Broken(f"encoding twice differs by {worst:.2g}")
    return f"largest difference {worst:.1g}"


def is_precise(subject: Subject) -> str:
    """Embeddings are of full precision, and pixels reach the modules with their contrast."""
    case = subject.case()
    with torch.no_grad(), inputs_of_modules(case.method.eval()) as handed:
        case.method.encode_images(case.images)
    first = [one for one in handed if one.shape[0] == ITEMS][:1]
    _refuse_dark(first, "in encode_images")
    of_image = tuple(case.images.shape[1:])
    trained = [one for one in subject.trained.handed if one.shape[1:] == of_image]
    _refuse_dark(trained, "in training")
    for name, embedding in zip(("images", "captions"), case.features(), strict=True):
        if embedding.dtype not in PRECISE:
            raise Broken(
                f"embeddings of {name} are {_name(embedding.dtype)}: scores of many images tie",
                "Return float32: embedding.float() before it is normalised.",
            )
    return f"{_name(embedding.dtype)}"


def _refuse_dark(handed: list[Handed], when: str) -> None:
    for one in handed:
        if one.contrast < CONTRAST:
            raise Broken(
                f"{when}, {one.module} is handed images of values from {one.low:.4f} to "
                f"{one.high:.4f}: they seem to be divided by 255 twice"
            )


def does_not_depend_on_the_batch(subject: Subject) -> str:
    """Encoded alone or among others, with more or less padding, an item is the same."""
    case = subject.case()
    images, texts = case.features()
    worst = 0.0
    with torch.no_grad():
        for row in range(ITEMS):
            alone = (
                _embedding(case.method.encode_images(case.images[row : row + 1])),
                _embedding(case.method.encode_texts([case.captions[row]])),
            )
            worst = max(worst, _distance(alone, (images[row : row + 1], texts[row : row + 1])))
    if not worst <= TOLERANCE:
        raise Broken(f"an item encoded alone differs by {worst:.2g} from the same among {ITEMS}")
    return f"largest difference {worst:.1g}"


def reads_nothing_else(subject: Subject) -> str:
    """People whom nobody knows are encoded alike where the cache holds their labels."""
    case = subject.trained.case
    images, captions = case.images, case.captions
    height, width = images.shape[2:]
    with strangers((height, width)) as them:
        case.images, case.captions = them.images, them.captions
        here = case.features()
        case.images, case.captions = images, captions
        worst = _distance(here, encode_elsewhere(subject, them))
    if not worst <= TOLERANCE:
        raise Broken(
            f"embeddings differ by {worst:.2g} where the cache folder holds other test labels: "
            "it reads them"
        )
    return f"{len(them.images)} images and {len(them.captions)} captions of unknown people"


def scores_pairs_again(subject: Subject) -> str:
    """Where it re-scores, every pair of a caption and an image gets one finite number."""
    case = subject.case()
    if not rescores(case.method):
        return "does not re-score"
    case.method.eval()
    with torch.no_grad():
        texts, images = (
            case.method.encode_texts(case.captions),
            case.method.encode_images(case.images),
        )
        if not (isinstance(texts, Encoded) and isinstance(images, Encoded)):
            raise Broken("it re-scores, and its encoders return no tokens")
        scores = case.method.rescore(texts, images, torch.arange(ITEMS))
    if scores.shape != (ITEMS,) or not torch.isfinite(scores).all():
        raise Broken(f"{ITEMS} pairs became {tuple(scores.shape)}, finite or not")
    return f"{ITEMS} pairs"


def takes(subject: Subject) -> str:
    """Measure what encoding, a training step and the process cost."""
    case, steps = subject.trained.case, subject.trained.steps
    case.features()  # what is loaded on the first call does not count
    case.method.eval()
    with torch.no_grad():
        image = _milliseconds(partial(case.method.encode_images, case.images)) / ITEMS
        text = _milliseconds(partial(case.method.encode_texts, case.captions)) / ITEMS
    told = f"{image:.1f} ms an image, {text:.1f} ms a caption"
    if steps:
        ends = [step.seconds for step in steps]
        least = min(end - start for start, end in pairwise(ends))
        told += f", {1000 * least:.0f} ms a step of {BATCH}"
    return f"{told}, of the processor; {peak_memory():.0f} MB"


def _milliseconds(call: Callable[[], object]) -> float:
    """Return the processor's time, over all threads, of the fastest of a few calls."""
    taken = []
    for _ in range(TIMES):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return 1000 * min(taken)


def _embedding(encoded: Tensor | Encoded) -> Tensor:
    return encoded if isinstance(encoded, Tensor) else encoded.embedding


def _distance(one: tuple[Tensor, Tensor], two: tuple[Tensor, Tensor]) -> float:
    """Return the largest difference of images or captions, as a share of the item's length."""
    worst = 0.0
    for first, second in zip(one, two, strict=True):
        if first.shape != second.shape:
            return math.inf
        scale = second.abs().amax(dim=1, keepdim=True).clamp(min=1.0)
        worst = max(worst, float(((first - second).abs() / scale).max()))
    return worst


def _name(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")
