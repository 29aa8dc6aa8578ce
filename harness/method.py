"""The contract between a method and the harness: everything a plugin author has to know.

A method is one ``torch.nn.Module`` that encodes images and captions, and says which named losses
train it. The harness owns the rest: data, order, optimiser, checkpoints, selection, scoring.

Shapes: B rows of a batch (one row is one caption with its image), H x W pixels, D the width of
the embedding, N image tokens, L text tokens, P pairs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from harness.progress import Show


class Supervision(StrEnum):
    """What a method may know of the training people."""

    NONE = "none"  # not trained
    PAIRS = "pairs"  # which caption describes which image
    IDENTITY = "identity"  # and which images show the same person


@dataclass(frozen=True)
class Encoded:
    """An embedding with, where the method re-scores, the tokens behind it."""

    embedding: Tensor  # (B, D)
    tokens: Tensor | None = None  # (B, N, D)
    mask: Tensor | None = None  # (B, N) bool, True where a token is real


@dataclass(frozen=True)
class Highlight:
    """Where in an image a method looks for words of its caption, or how alike it finds them."""

    start: int  # the words, as characters of the caption
    stop: int
    # Title -> (rows, columns) of weights, at least 0, over the image.
    maps: Mapping[str, Tensor] = field(default_factory=dict)
    similarity: float | None = None  # of the words to the whole image, a cosine


class NegativeCaption(NamedTuple):
    """A training caption, changed so that it describes someone else."""

    caption: int  # its index among the training captions
    tier: str  # the way of changing it
    text: str
    change: str  # for a reader: "jacket <-> shoes", "red -> blue"


@dataclass(frozen=True)
class Batch:
    """One step's rows. Indices number the training images and captions in a shuffled order."""

    images: Tensor  # (B, 3, H, W) uint8
    captions: list[str]  # B
    image_index: Tensor  # (B,) int64
    caption_index: Tensor  # (B,) int64
    person_ids: Tensor | None = None  # (B,) int64 from 0; None unless the supervision is IDENTITY
    # B each, as the indices: to read those from a graphics card waits for all that it has to do.
    image_numbers: Sequence[int] = ()
    caption_numbers: Sequence[int] = ()

    def __post_init__(self) -> None:
        for kind in ("image", "caption"):
            if not getattr(self, f"{kind}_numbers"):
                numbers = getattr(self, f"{kind}_index").tolist()
                object.__setattr__(self, f"{kind}_numbers", numbers)


@dataclass(frozen=True)
class TrainSummary:
    """What a method may know when it builds its heads."""

    image_count: int
    captions: Sequence[str]
    person_count: int | None = None  # None unless the supervision is IDENTITY


class TrainSet(Protocol):
    """The training split as a method sees it, numbered as in `Batch`."""

    captions: Sequence[str]
    image_of_caption: Tensor  # (captions,) int64
    captions_of_image: Sequence[Sequence[int]]
    person_of_image: Tensor | None  # (images,) int64; None unless the supervision is IDENTITY

    def pixels(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Return images as (B, 3, H, W) uint8."""

    def companion(
        self, name: str, by: Literal["caption", "image"] = "caption"
    ) -> Sequence[Sequence[Any]]:
        """Return further texts, or labels, of each caption or image; nothing is an empty list.

        `Config.companions` has to name it. Where it was made by image, a caption has what its image
        has; where it was made by caption, an image has what all of its captions have.
        """


class Download(Protocol):
    """Something that is fetched once and then lies here, as `harness.data.downloads` has it."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def is_here(self) -> bool:
        """Tell whether it is here; asks nobody elsewhere."""

    def size(self) -> int | None:
        """Return the bytes that would be fetched; None where nobody tells."""

    def fetch(self, show: Show) -> None:
        """Fetch it, or what is left of it, and show how far that is. Raises HarnessError."""


class Run(Protocol):
    """Where training stands, and what the harness offers to a method while it trains."""

    stage: int
    epoch: int  # within the stage, from 0
    step: int  # within the stage, from 0
    steps_per_epoch: int
    device: torch.device
    losses: Mapping[str, float]  # name -> weight of the losses that are on in this stage

    @property
    def train(self) -> TrainSet:
        """The training set, as `prepare` is handed it; of a stage with `data`, its own."""

    def generator(self, purpose: str) -> torch.Generator:
        """Return a CPU generator that depends on the seed, the step and the purpose alone.

        Within `measure`, on the number of the batch too.
        """

    def encode(self, train: TrainSet) -> tuple[Encoded, Encoded]:
        """Encode every training image and caption without gradient, on the device."""

    def measure(self, function: Callable[[Batch], Any]) -> Any:
        """Apply a function to every training pair before an epoch: losses by pair, features.

        Each caption comes once, in batches of the stage's size that are drawn anew for every epoch,
        without gradient, with the method in evaluation mode and in the precision of the steps. The
        function gives tensors (B, ...), or structures of them as in `spread`, which it may call.
        They come back on the device with a row for each caption, (captions, ...), by its index.
        Beside them no more is in memory than one batch.
        """

    def tell(self, doing: str) -> None:
        """Show what takes long outside the steps: "tagging captions: 1024 of 68126"."""

    def spread(self, function: Callable[..., Any], *rows: Any) -> Any:
        """Apply a function that treats rows one by one, such as an encoder.

        Where several processes train a run together, each is handed the same batch, applies the
        function to its share of the rows, and gets the outputs of all, with their gradients. Where
        a run is trained in chunks, it is applied to one after the other, and for the gradients
        once more.

        So it takes and gives tensors (B, ...), or dataclasses, tuples, lists and dictionaries of
        them, and gradients reach what else it uses through parameters alone. What sees the whole
        batch, such as batch norm, stays outside.
        """

    def report_pairs(self, name: str, images: Tensor, captions: Tensor) -> None:
        """Report image-caption index pairs that the method believes show one person.

        The harness, which knows the identities it withheld, records by epoch how many were
        reported and what share of them is right.
        """

    def report_clean(self, clean: Tensor) -> None:
        """Report which training pairs the method believes to be right in this epoch.

        (captions,) by caption index: bool, or shares from 0 to 1, of which 0.5 and more is clean.
        What is reported last in an epoch stands. Where a run has wrong pairs, `--noise`, the
        harness records precision and recall by epoch; elsewhere how many were called clean.
        """


@dataclass(frozen=True)
class Stage:
    """One stretch of training with an optimiser and a schedule of its own."""

    epochs: int
    learning_rate: float
    batch_size: int = 64
    optimizer: str = "adam"  # a name in harness.training.optimization.OPTIMIZERS
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float | None = None  # added to what Adam and its kin divide by; None: the optimiser's own
    weight_decay: float = 0.0
    undecayed: tuple[str, ...] = ()  # kinds of parameters that do not decay: names in UNDECAYED
    schedule: str = "cosine"  # a name in harness.training.optimization.SCHEDULES
    warmup_epochs: float = 0.0
    warmup_start: float = 0.1  # share of the learning rate, up to 1, at which the warm-up starts
    schedule_end: float = 0.0  # share of the learning rate, up to 1, at which the schedule ends
    clip_norm: float | None = None
    # Of each person in a batch, which then holds as many people as fit; 0: captions in any order.
    # Needs IDENTITY. An epoch has as many rows as there are captions, and visits people alike.
    images_per_person: int = 0
    # Batches whose gradients, averaged over their rows, make a step of the optimiser. `run.step`
    # counts batches. With more than one a method has no `after_step`.
    accumulate: int = 1
    # A dataset, by name or folder, whose training split this stage trains on; None: the run's own.
    # Its images, captions and people are numbered from 0, as if there were no others; where it
    # names nobody, person ids are None.
    data: str | None = None
    losses: tuple[str, ...] | None = None  # the names that train here; None: all of the config
    # Config fields that play no part up to the end of this stage. Variants that differ in them and
    # in losses of later stages alone share its checkpoint; one stage is trained once a seed.
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """How a method is trained at one scale."""

    backbone: str
    image_size: tuple[int, int]  # (height, width)
    stages: tuple[Stage, ...] = ()
    threads: int | None = None  # None: as many as there are; the number decides the bits
    processes: int = 1  # that train a run together, a GPU each; they decide the bits too
    precision: str = "no"  # "no", "fp16" or "bf16", used where the device has it
    # In which `Run.spread` encodes a batch, each twice, with so much less memory; "auto": as few as
    # fit on the graphics card.
    chunks: int | Literal["auto"] = 1
    candidates: int = 0  # how many images of a query a method that re-scores looks at again
    val_candidates: int = 0  # the same on val, after every epoch; 0: by cosine
    config: Mapping[str, Any] = field(default_factory=dict)  # what this scale changes
    # Ablation tables, as a method's own, that this scale alone has: rows of other backbones.
    ablations: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    """The settings of a method: extend it as a frozen dataclass with the paper's values."""

    supervision: Supervision = Supervision.PAIRS
    backbone: str = ""  # from the recipe
    image_size: tuple[int, int] = (0, 0)  # from the recipe
    losses: Mapping[str, float] = field(
        default_factory=dict
    )  # name -> weight; an absent loss is off
    # Names of further texts or labels that it trains with, see `TrainSet.companion`.
    companions: tuple[str, ...] = ()


class Method(nn.Module, ABC):
    """A text-to-image person retrieval method.

    `config_class` declares the settings, `recipes` a `Recipe` for each scale. `ablations` holds
    the paper's tables: table -> row label -> the config fields that the row changes. Heads are
    built whether or not a row uses them, so that all rows of one seed start from the same weights.
    `evaluations` holds what the paper prints of the trained method scored in another way: the
    label it prints -> re-rankings, as `harness run --rerank` takes them. `reads` names the data
    files beside its module that it opens, written out: another content of them is another method.
    """

    config_class: ClassVar[type[Config]] = Config
    recipes: ClassVar[Mapping[str, Recipe]] = {}
    ablations: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {}
    evaluations: ClassVar[Mapping[str, Sequence[str]]] = {}
    reads: ClassVar[Sequence[str]] = ()
    spreads: ClassVar[bool] = False  # whether its encoders are called through `run.spread`

    def __init__(self, config: Any, train: TrainSummary) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def encode_images(self, images: Tensor) -> Tensor | Encoded:
        """(B, 3, H, W) uint8 -> (B, D)."""

    @abstractmethod
    def encode_texts(self, captions: Sequence[str]) -> Tensor | Encoded:
        """B captions -> (B, D)."""

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        """Return named, weighted scalars; the harness minimises their sum."""
        raise TypeError(f"{type(self).__name__} has training stages but no training_losses")

    def forward(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        return self.training_losses(batch, run)

    # Optional, each with a default that does nothing.

    @classmethod
    def downloads(cls, config: Any) -> Sequence[Download]:
        """Name what a config needs from elsewhere: it is fetched before anything is trained.

        What is not named is fetched where it is first used, if there is a network then.
        """
        return ()

    def parameter_groups(self, stage: Stage) -> Iterable[dict[str, Any]]:
        """Return optimiser groups; a group without `lr` takes the stage's.

        They need not tell apart what does not decay: the stage's `undecayed` is for all groups.
        """
        return [{"params": [p for p in self.parameters() if p.requires_grad]}]

    def prepare(self, train: TrainSet, run: Run) -> None:
        """Once before the first step: mine negatives, fill memory banks."""

    def begin_epoch(self, run: Run) -> None:
        """Before each epoch, with `run.step` at its first: cluster features, divide pairs by loss.

        A resumed epoch begins midway: what it leaves has to be a buffer, which may change its size.
        """

    def after_step(self, batch: Batch, run: Run) -> None:
        """After each optimiser step: update what gradients do not."""

    def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        """Score P captions with their images: (P,). Where overridden, list tops are re-scored.

        `image_of_text` (P,) numbers the image of each caption: several captions may share one.
        """
        raise NotImplementedError(f"{type(self).__name__} does not re-score")

    def negative_captions(self, train: TrainSet, run: Run) -> Sequence[NegativeCaption]:
        """Return what a method that changes captions to train against makes of the training ones.

        Called as `prepare` is, for `harness inspect negatives` to show.
        """
        return ()

    def highlight(self, images: Tensor, captions: Sequence[str]) -> Sequence[Sequence[Highlight]]:
        """(B, 3, H, W) uint8 with a caption each -> B lists, which its page draws.

        Called with gradients on, in evaluation mode.
        """
        return [()] * len(captions)
