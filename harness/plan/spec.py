"""One run, resolved: what is run, on what, and the key of its content."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness import registry, results
from harness.data.declaration import SPLITS, Located
from harness.data.noise import Noise
from harness.limits import RUN_OPTIONS
from harness.plan.beside import NOTHING, Beside, uses_of
from harness.registry.settings import build
from harness.results import RunRecord
from harness.results.paper import ExtraData, Paper
from harness.tie_order import IN_ROWS

if TYPE_CHECKING:
    from harness.data.crowds import Crowd

# A change of how runs are scored or recorded that the code hash cannot see raises this.
PROTOCOL_VERSION = 2
READABLE_VERSIONS = (IN_ROWS, PROTOCOL_VERSION)  # whose results are verified and shown
PROTOCOL = {
    "version": PROTOCOL_VERSION,
    "queries": "every test caption is a query, every test image is in the gallery",
    "match": "the same person; no camera filter",
    "order": "by cosine in float32, ties in an order drawn from the dataset's fingerprint",
    "selection": "the epoch with the best val R1; test chooses nothing",
}
VALIDATION = {
    **PROTOCOL,
    "queries": "every val caption is a query, every val image is in the gallery",
    "selection": "the epoch with the best val R1, whose figures these are; test is not read",
}
# Behind the key of checkpoints that hold what test says of their epochs, too.
AUDITED = "-audited"


@dataclass(frozen=True)
class FurtherEvaluation:
    """A trained run scored in another way: never a reason to train again.

    Either re-ranked, or asked other queries, or on the test split of another dataset, or among a
    crowd, by a scan of all or through an index.
    """

    key: str
    command: str
    rerank: str = ""  # as `harness.rerank.parse_reranking` reads it
    queries: str = ""  # the name of a query transform
    on: Located | None = None
    crowd: Crowd | None = None
    encoder: str = ""  # of a crowd: the code that encodes it, and what its weights stand on
    reported_as: tuple[str, ...] = ()  # what the method's paper calls it

    @property
    def name(self) -> str:
        if self.crowd:
            return results.crowd_name(self.crowd.name, self.crowd.index)
        return self.rerank or self.queries or f"on-{self.on.declaration.name if self.on else ''}"

    def is_stored(self, run: Path) -> bool:
        """Tell whether a run's folder holds this very evaluation, without an error."""
        record = results.read_evaluation(results.evaluation_path(run, self.name))
        return record is not None and record.error is None and record.key == self.key


@dataclass(frozen=True)
class RunSpec:
    """One run, resolved: everything a worker needs to execute it."""

    suite: str
    located: Located
    method: str
    variant: str
    seed: int
    scale: str
    key: str  # of the figures
    weights_key: str
    plugin: registry.Plugin
    description: Mapping[str, Any]  # of the method
    changes: Mapping[str, Any]
    tables: tuple[results.Place, ...]
    config: Mapping[str, Any]
    recipe: Mapping[str, Any]
    command: str
    suite_argument: str
    dataset_argument: str
    evaluations: tuple[FurtherEvaluation, ...] = ()
    stage_keys: tuple[str, ...] = ()  # of every stage but the last: equal keys, equal weights
    code: str = ""  # that the weights stand on, as it was planned
    files: str = ""  # a hash of the plugin's files then
    audit_selection: bool = False  # asked for; see `is_audited`
    beside: Beside = NOTHING  # what it is trained on beside its dataset's training split
    noise: Noise | None = None  # wrong pairs in the training set

    splits: ClassVar[tuple[str, ...]] = SPLITS  # of the dataset, that the run reads
    protocol: ClassVar[Mapping[str, Any]] = PROTOCOL

    @property
    def uses(self) -> dict[str, Any]:
        """What of each of `harness.plan.features.FEATURES` it uses, as its keys hold it."""
        return uses_of(self.beside, self.noise)

    @property
    def is_audited(self) -> bool:
        """Tell whether each epoch is scored on test too, apart from all that is ranked.

        What is not trained has no epochs, and is not asked.
        """
        return self.audit_selection and bool(self.recipe["stages"])

    @property
    def resume_key(self) -> str:
        """What a checkpoint that a killed process left has to be of."""
        return f"{self.weights_key}{self._options}{AUDITED if self.is_audited else ''}"

    @property
    def _options(self) -> str:
        """How the run is executed, as its checkpoints tell it: with others they would end in other
        bits, and the record would not tell how they came about."""
        return "".join(f" {name}={self.recipe[name]}" for name in RUN_OPTIONS)

    @property
    def is_tested(self) -> bool:
        """Tell whether test figures are made of it."""
        return "test" in self.splits

    @property
    def dataset(self) -> str:
        return self.located.declaration.name

    @property
    def name(self) -> str:
        """The method or variant as the command line names it: irra, or irra:+SDM."""
        return results.variant_name(self.method, self.variant)

    def stages_path(self, results_folder: Path) -> Path:
        """Return the folder of the checkpoints that variants of the method share."""
        return results.stages_path(results_folder, self.suite, self.dataset, self.method)

    def shared_stages(self, results_folder: Path) -> list[Path]:
        """Return the folders of the checkpoints at the end of each stage but the last.

        Those of audited runs lie apart: they hold what test says of their epochs.
        """
        kind = AUDITED if self.is_audited else ""
        return [self.stages_path(results_folder) / f"{key}{kind}" for key in self.stage_keys]

    def path(self, results_folder: Path) -> Path:
        """Return the folder of the run."""
        return results.run_path(
            results_folder, self.suite, self.dataset, self.method, self.variant, self.seed
        )

    def is_trained(self, results_folder: Path) -> bool:
        """Tell whether this very run, by content, has been finished without an error."""
        record = results.read_record(self.path(results_folder))
        return record is not None and record.status == "ok" and record.key == self.key

    def stored_training(self, results_folder: Path) -> RunRecord | None:
        """Return the record of a run with these weights, whatever scored them; None without."""
        if not self.recipe["stages"]:
            return None
        return results.read_trained(self.path(results_folder), self.weights_key)

    def lacks_audit(self, results_folder: Path) -> bool:
        """Tell whether an audit is asked for of weights that are there and were made without.

        Only training them again would tell: those of the other epochs are gone.
        """
        if not self.is_audited:
            return False
        is_there = self.is_trained(results_folder) or self.stored_training(results_folder)
        record = results.read_record(self.path(results_folder)) if is_there else None
        return record is not None and record.test_selected_epoch is None

    def is_complete(self, results_folder: Path) -> bool:
        """Tell whether it is, with every evaluation that is asked for."""
        path = self.path(results_folder)
        return self.is_trained(results_folder) and not self.missing(path)

    def missing(self, path: Path) -> list[FurtherEvaluation]:
        """Return the evaluations that a run's folder does not hold yet."""
        return [evaluation for evaluation in self.evaluations if not evaluation.is_stored(path)]

    def record(self) -> RunRecord:
        """Return what is known of the run before it starts."""
        declaration = self.located.declaration
        description = self.description
        extra_data = description["extra_data"].get(self.config["backbone"])
        return RunRecord(
            status="ok",
            key=self.key,
            weights_key=self.weights_key,
            suite=self.suite,
            dataset=self.dataset,
            method=self.method,
            variant=self.variant,
            seed=self.seed,
            scale=self.scale,
            title=description["title"],
            summary=description["summary"],
            paper=build(Paper, description["paper"]) if description["paper"] else "",
            url=description["url"],
            extra_data=self.beside.add_to(build(ExtraData, extra_data) if extra_data else None),
            supervision=self.config["supervision"],
            changes=self.changes,
            tables=self.tables,
            config=self.config,
            recipe=self.recipe,
            protocol=self.protocol,
            data={
                "title": declaration.title,
                "fingerprint": self.located.fingerprint,
                "drawn": declaration.drawn is not None,
                "note": declaration.note,
                "licence": declaration.licence,
                "url": declaration.url,
                **self.beside.record(),
            },
            uses=self.uses,
            environment={"python": platform.python_version(), "platform": platform.platform()},
            command=f"{self.command} --audit-selection" if self.is_audited else self.command,
            suite_argument=self.suite_argument,
            dataset_argument=self.dataset_argument,
            noise=self.noise.record() if self.noise else {},
            started=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def __str__(self) -> str:
        return f"{self.dataset} {self.method}:{self.variant} seed {self.seed}"


@dataclass(frozen=True)
class Trial(RunSpec):
    """A run that is trained and scored on val alone, to choose settings; it is on no ranking.

    Its key is that of its val figures, and its record's metrics are they.
    """

    settings: str = ""  # a digest of the config, the recipe and the data

    splits: ClassVar[tuple[str, ...]] = ("train", "val")
    protocol: ClassVar[Mapping[str, Any]] = VALIDATION

    @property
    def resume_key(self) -> str:
        return f"{self.key}{self._options}"  # a checkpoint holds the figures of its epochs, too

    def stages_path(self, results_folder: Path) -> Path:
        return super().stages_path(results_folder / results.TUNING)

    def path(self, results_folder: Path) -> Path:
        return results.trial_path(
            results_folder, self.suite, self.dataset, self.method, self.settings, self.seed
        )


@dataclass(frozen=True)
class Probe(RunSpec):
    """A few steps of a run, to tell what all of it would take; there is one for all its seeds.

    Its key is that of what it measures, and its folder lies where what can be made again does.
    """

    asked: tuple[FurtherEvaluation, ...] = ()  # of the run: a probe has none of its own

    @property
    def is_tested(self) -> bool:
        return False  # it reads the test split, and makes no figures of it

    @property
    def resume_key(self) -> str:
        return self.key

    def path(self, results_folder: Path) -> Path:
        return results.probe_path(results_folder, self.method, self.key)

    def __str__(self) -> str:
        return f"trying steps of {self.dataset} {self.name}"
