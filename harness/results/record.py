"""What is known of one run, and of a further evaluation of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from harness.printable import printable
from harness.results.handed_in import HandedIn
from harness.results.paper import ExtraData, Paper

Record = TypeVar("Record", "RunRecord", "EvaluationRecord")

SCHEMA_VERSION = 1


PRIMARY_EVALUATION = "text-to-image"


REVERSE_EVALUATION = "image-to-text"


LAST_EVALUATION = "last-epoch"  # of the last weights instead of those that val chose


TEST_EVALUATION = "test-selected"  # of the epoch that is best on test: an audit, never ranked


METRICS = {"r1": "R1", "r5": "R5", "r10": "R10", "map": "mAP", "minp": "mINP"}  # as printed


FULL = "full"  # the label of a method as published
TIED = "tied"  # beside the metrics: the percentage of queries whose figures hang on a tie


Place = tuple[str, str, int]  # an ablation table, a row's label and its position from 0


@dataclass(frozen=True)
class RunRecord:
    """Everything there is to know of one run. Figures are percent, seconds, milliseconds and MB."""

    status: str  # ok, error, timeout, killed or skipped
    key: str  # the content key: equal keys mean equal results
    suite: str
    dataset: str
    method: str
    variant: str  # the label; the method as published is "full"
    seed: int
    scale: str
    title: str
    summary: str = ""
    paper: Paper | str = ""  # a citation in records of older code
    url: str = ""
    extra_data: ExtraData | None = None  # None where nothing was said
    supervision: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)  # what the variant changes
    tables: tuple[Place, ...] = ()  # the rows of ablation tables that it stands for
    config: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(
        default_factory=dict
    )  # title, fingerprint, drawn, licence, counts
    environment: Mapping[str, Any] = field(default_factory=dict)  # versions, commit, hardware
    command: str = ""  # repeats the run
    suite_argument: str = ""  # as that names the suite; records of older code do not tell
    dataset_argument: str = ""  # and the dataset
    started: str = ""  # ISO 8601, UTC
    total_seconds: float = 0.0
    train_seconds: float = 0.0
    image_milliseconds: float = 0.0  # to encode one image
    text_milliseconds: float = 0.0  # to encode one caption
    peak_memory: float = 0.0
    parameters: int = 0
    selected_epoch: int | None = None  # from 1, chosen on val; None where nothing was trained
    # Of the primary evaluation, with the share of tied queries; version 1 of the protocol has none.
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: Mapping[str, str] | None = None  # kind, message, traceback
    weights_key: str = ""  # equal ones mean equal weights; older code did not write it
    # From 1, the best on test; None without --audit-selection. Nothing that is ranked reads it.
    test_selected_epoch: int | None = None
    images_per_second: float = 0.0  # trained, validation left aside; 0 where nobody measured it
    waiting_share: float = 0.0  # of the time of training, for data
    device_memory: float = 0.0  # the most that a graphics card held, beside that of the process
    handed_in: HandedIn | None = None  # files of others, where nothing was trained here
    # Wrong pairs that it was trained with, as `harness.data.noise.Noise` tells of them.
    noise: Mapping[str, Any] = field(default_factory=dict)
    doubt: str = ""  # what of its first epochs lies far outside those of earlier runs
    # Of what the keys of most runs do not hold, what those of this one do, by feature.
    uses: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def name(self) -> str:
        """The method or variant as the command line names it: irra, or irra:+SDM."""
        return variant_name(self.method, self.variant)

    @property
    def noise_label(self) -> str:
        """What its wrong pairs are called in the variant, in brackets at the end; "" without."""
        return self.variant.rpartition(" (")[2].removesuffix(")") if self.noise else ""

    @property
    def without_noise(self) -> str:
        """The variant that it is, but for its wrong pairs."""
        return self.variant.rpartition(" (")[0] if self.noise else self.variant

    @property
    def mark(self) -> str:
        """What it is marked as wherever it stands; empty of what was trained here."""
        return self.handed_in.mark if self.handed_in else ""


def variant_name(method: str, variant: str) -> str:
    """Return a method or variant as the command line names it: irra, or irra:+SDM."""
    return method if variant == FULL else f"{method}:{variant}"


def crowd_name(crowd: str, index: str = "") -> str:
    """Return what the evaluation among a crowd is called, by a scan of all or through an index."""
    return f"index-{index}-among-{crowd}" if index else f"among-{crowd}"


@dataclass(frozen=True)
class EvaluationRecord:
    """A further evaluation of a run's weights: what was done, and what it cost."""

    key: str  # equal keys mean equal results
    rerank: str = ""  # as `harness run --rerank` takes it
    queries: str = ""  # as `harness run --queries` takes it
    on: Mapping[str, Any] = field(default_factory=dict)  # the dataset of `harness evaluate --on`
    crowd: Mapping[str, Any] = field(default_factory=dict)  # of `harness evaluate --distractors`
    reported_as: tuple[str, ...] = ()  # what the method's paper calls it
    command: str = ""  # repeats it
    query_milliseconds: float = 0.0  # to rank the gallery for one query, encoding left aside
    cosine_milliseconds: float = 0.0  # the same by cosine alone
    error: Mapping[str, str] | None = None  # kind, message, traceback
    unchanged: int = 0  # queries that stayed as they were, where others were asked for


def parse_run(values: Any) -> RunRecord:
    """Return the record of a run from JSON; what it does not know is passed over.

    Raises ValueError: it is of another version, lacks something or holds another type.
    """
    version = values.get("schema_version") if isinstance(values, dict) else None
    if type(version) is not int or version != SCHEMA_VERSION:
        told = printable(repr(version), 60)
        raise ValueError(f"has schema version {told}; this harness reads {SCHEMA_VERSION}")
    return _parse(values, RunRecord)


def parse_evaluation(values: Any) -> EvaluationRecord:
    """Return the record of a further evaluation from JSON. Raises ValueError, as above."""
    return _parse(values, EvaluationRecord)


def _parse(values: Any, kind: type[Record]) -> Record:
    import msgspec

    try:
        return msgspec.convert(values, kind)
    except (msgspec.ValidationError, OverflowError, RecursionError) as error:
        raise ValueError(f"is no record: {printable(str(error), 200)}") from error
