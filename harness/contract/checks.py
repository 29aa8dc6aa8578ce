"""The checks of `harness check`; the tests run them over the whole registry.

A check raises `Broken` with what it found, or returns what it measured, in words.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from harness.contract.case import BATCH, ITEMS, Case, Subject
from harness.data.schema import Split
from harness.evaluation import rescores
from harness.method import Encoded, Supervision
from harness.results.paper import UNDISCLOSED
from harness.run.environment import peak_memory

TOLERANCE = 1e-4  # of an embedding, alone or among others: the order of sums may differ
SHOWN = 5  # names in a message


class Broken(Exception):
    """A method does not keep to the contract; the message says in what."""


@dataclass(frozen=True)
class Check:
    """One promise of a method, and what to do where it is not kept."""

    title: str
    run: Callable[[Subject], str]
    advice: str


def encodes(subject: Subject) -> str:
    """Images and captions land in one space: (B, D) floats, finite, not all alike."""
    images, texts = subject.case().features()
    if images.shape != texts.shape:
        raise Broken(f"{ITEMS} images became {tuple(images.shape)}, captions {tuple(texts.shape)}")
    for name, embedding in (("images", images), ("captions", texts)):
        if not embedding.is_floating_point():
            raise Broken(f"embeddings of {name} are {embedding.dtype}")
        if not torch.isfinite(embedding).all():
            raise Broken(f"embeddings of {name} hold NaN or infinity")
        if not embedding.float().std(dim=0).max() > 0:
            raise Broken(f"embeddings of {name} are all alike")
    return f"{images.shape[1]} dimensions, {images.dtype}".replace("torch.", "")


def does_not_depend_on_the_batch(subject: Subject) -> str:
    """Encoded alone or among others, with more or less padding, an item is the same."""
    case = subject.case()
    images, texts = case.features()
    worst = 0.0
    with torch.no_grad():
        for row in range(ITEMS):
            alone = (
                (_embedding(case.method.encode_images(case.images[row : row + 1])), images),
                (_embedding(case.method.encode_texts([case.captions[row]])), texts),
            )
            for one, among in alone:
                scale = max(1.0, float(among[row].abs().max()))
                worst = max(worst, float((one[0] - among[row]).abs().max()) / scale)
    if not worst <= TOLERANCE:
        raise Broken(f"an item encoded alone differs by {worst:.2g} from the same among {ITEMS}")
    return f"largest difference {worst:.1g}"


def repeats(subject: Subject) -> str:
    """The same seed gives the same weights, before training and after."""
    one, two = subject.trained, subject.case()
    _refuse_differences("before training", one.before, two.method.state_dict())
    if not two.recipe.stages:
        return "not trained"
    _refuse_differences("after training", one.after, two.train())
    return "the same bits"


def respects_its_supervision(subject: Subject) -> str:
    """With the training people permuted, only an IDENTITY method trains other weights."""
    other = subject.case(change=_permuted)
    if not other.recipe.stages:
        return "not trained"
    supervision = Supervision(other.method.config.supervision)
    first, second = subject.trained.after, other.train()
    same = all(torch.equal(first[key], second[key]) for key in first)
    if supervision is Supervision.IDENTITY and same:
        raise Broken("it declares IDENTITY, and other person ids change nothing")
    if supervision is not Supervision.IDENTITY and not same:
        raise Broken(f"it declares {supervision.name}, and other person ids change its weights")
    return supervision.value


def survives_a_save_and_load(subject: Subject) -> str:
    """A method built from another seed, with the weights loaded, gives the same embeddings."""
    one, two = subject.trained.case, subject.case(seed=1)
    two.method.load_state_dict(one.method.state_dict())
    two.images, two.captions = one.images, one.captions
    for name, first, second in zip(
        ("images", "captions"), one.features(), two.features(), strict=True
    ):
        if not torch.equal(first, second):
            raise Broken(f"with its weights loaded, a new one encodes {name} otherwise")
    size = sum(value.numel() * value.element_size() for value in one.method.state_dict().values())
    return f"{size / 1e6:.1f} MB"


def gradients_reach_its_parameters(subject: Subject) -> str:
    """Training moves the weights; what stays as it was is named."""
    trained = subject.trained
    if not trained.case.recipe.stages:
        return "not trained"
    parameters = dict(trained.case.method.named_parameters())
    unmoved = [
        name
        for name, value in parameters.items()
        if value.requires_grad and torch.equal(value, trained.before[name])
    ]
    if len(unmoved) == len(parameters):
        raise Broken("no parameter changed in an epoch")
    return f"without one: {_listed(unmoved)}" if unmoved else f"all {len(parameters)}"


def rows_build_and_train(subject: Subject) -> str:
    """Every ablation row builds; the first and the last of them train exactly what they name."""
    labels = subject.labels
    for number, label in enumerate(labels):
        try:
            last = subject.case(number)
        except Exception as error:
            raise Broken(f"row {label!r} does not build: {error}") from error
    if last.recipe.stages:
        _refuse_other_losses(labels[0], subject.trained.case, subject.trained.after)
    if last.recipe.stages and len(labels) > 1:
        _refuse_other_losses(labels[-1], last, last.train())
    return f"{len(labels)} rows"


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


def tells_its_extra_data(subject: Subject) -> str:
    """Tell what it says it was trained on beside the benchmark, and where it says nothing."""
    told = subject.extra_data
    if told is None:
        return f"{UNDISCLOSED}: register(..., extra_data=ExtraData(...)) says it"
    return str(told)


def takes(subject: Subject) -> str:
    """Measure what encoding, a training step and the process cost."""
    case = subject.trained.case
    case.features()  # what is loaded on the first call does not count
    case.method.eval()
    with torch.no_grad():
        image = _milliseconds(partial(case.method.encode_images, case.images)) / ITEMS
        text = _milliseconds(partial(case.method.encode_texts, case.captions)) / ITEMS
    told = f"{image:.1f} ms an image, {text:.1f} ms a caption"
    if case.recipe.stages:
        steps = -(-len(case.view.captions) // BATCH) * len(case.recipe.stages)
        seconds = sum(row["seconds"] for row in case.history)
        told += f", {1000 * seconds / steps:.0f} ms a step of {BATCH}"
    return f"{told}, {peak_memory():.0f} MB"


CHECKS = (
    Check(
        "encodes images and captions",
        encodes,
        "encode_images and encode_texts return (B, D) of one D, finite, as floating-point numbers.",
    ),
    Check(
        "an item does not depend on its batch",
        does_not_depend_on_the_batch,
        "Mask padding, and use no statistics of a batch in evaluation mode (BatchNorm has eval()).",
    ),
    Check(
        "the same seed gives the same bits",
        repeats,
        "Draw from run.generator(purpose) or torch's global generator, never from time or a set's "
        "order.",
    ),
    Check(
        "its supervision is what it says",
        respects_its_supervision,
        "Declare Supervision.IDENTITY in the config where person ids are used; read them from the "
        "batch alone.",
    ),
    Check(
        "survives a save and load",
        survives_a_save_and_load,
        "What encoding needs is a parameter or a registered buffer, not set in prepare alone.",
    ),
    Check(
        "gradients reach its parameters",
        gradients_reach_its_parameters,
        "A loss that is named in config.losses has to depend on the parameters; mind detach().",
    ),
    Check(
        "ablation rows build and train",
        rows_build_and_train,
        "training_losses returns exactly the names of run.losses, as "
        "methods.blocks.objective.weighted does.",
    ),
    Check(
        "re-scores pairs",
        scores_pairs_again,
        "rescore returns (P,) finite scores, and the encoders return Encoded with tokens.",
    ),
    Check("tells its extra training data", tells_its_extra_data, ""),
    Check("what it costs", takes, ""),
)


def _embedding(encoded: Tensor | Encoded) -> Tensor:
    return encoded if isinstance(encoded, Tensor) else encoded.embedding


def _permuted(split: Split) -> Split:
    """Give the images of a split the people of others."""
    shuffled = np.random.default_rng(0).permutation(split.person_of_image)
    return replace(split, person_of_image=shuffled)


def _refuse_differences(when: str, one: dict[str, Tensor], two: dict[str, Tensor]) -> None:
    differing = [name for name in one if not torch.equal(one[name], two[name])]
    if differing:
        raise Broken(f"{when}, these differ between two runs of one seed: {_listed(differing)}")


def _refuse_other_losses(label: str, case: Case, weights: dict[str, Tensor]) -> None:
    trained, named = case.trained_losses(), set(case.method.config.losses)
    if trained != named:
        raise Broken(f"row {label!r} names {sorted(named)} and trains {sorted(trained)}")
    broken = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise Broken(f"row {label!r} ends with NaN or infinity in {_listed(broken)}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _milliseconds(call: Callable[[], object], times: int = 3) -> float:
    """Return the fastest of a few calls."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return 1000 * min(taken)
