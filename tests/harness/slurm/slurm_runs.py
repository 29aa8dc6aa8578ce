"""Runs that tests hand to Slurm, and what they leave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet

from harness import plan, registry, results
from harness.data.catalogue import find_declaration, locate
from harness.execution.watch import Watch
from harness.plan.spec import RunSpec
from harness.results import RunRecord
from harness.results.locks import run_name

from .slurm_cluster import Cluster


@dataclass
class Told:
    """What an executor tells."""

    finished: dict[str, RunRecord] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    queued: set[tuple[int, int]] = field(default_factory=set)

    def watch(self) -> Watch:
        """Return a watch that takes it up."""
        return Watch(
            started=lambda spec: self.said.append(f"{spec} started"),
            updated=lambda spec, update: None,
            finished=lambda spec, record: self.finished.update({str(spec): record}),
            queue=lambda queued, running: self.queued.add((queued, running)),
            told=self.said.append,
        )

    @contextmanager
    def beside(self, cluster: Cluster) -> Iterator[None]:
        """Let a failure say what had been told until then, and what Slurm knew."""
        try:
            yield
        except AssertionError as error:
            jobs = [f"{job} {state}" for job, state in cluster.jobs().items()]
            log = (cluster.folder / "slurmctld.log").read_text(encoding="utf-8", errors="replace")
            error.add_note("\n".join([*self.said, *jobs, *log.splitlines()[-30:]]))
            raise


def plan_seeds(
    plugin: Path, dolls: Path, *seeds: int, method: str = "slow", **settings: object
) -> list[RunSpec]:
    """Plan runs of a method, with settings as of `--set`."""
    suite = plan.Suite("demo", "Demo", "tiny", tuple(seeds), ())
    choices = plan.choose([method], registry.list_methods([plugin]), "tiny", False)
    return plan.plan(suite, [locate(find_declaration(str(dolls)))], choices, tuple(seeds), settings)


def figures(spec: RunSpec, folder: Path) -> dict[str, object]:
    """Return all that a run has measured, without times."""
    path = spec.path(folder)
    history = results.StoredRun(spec.record(), path).history()
    found: dict[str, object] = {
        file.parent.name: pyarrow.parquet.read_table(file)
        for file in path.glob("evaluations/*/queries.parquet")
    }
    rows = [{name: row[name] for name in row if name != "seconds"} for row in history]
    weights = (path / "weights" / "selected.pt").read_bytes()
    return {**found, "history": rows, "weights": weights}


def has_checkpoint(spec: RunSpec, folder: Path) -> bool:
    """Tell whether an unfinished run has one."""
    return (results.working_folder(spec.path(folder)) / "weights" / "last.pt").is_file()


def job_of(spec: RunSpec, folder: Path) -> str:
    """Return the job that a run was last submitted as."""
    file = folder / ".slurm" / f"{run_name(spec.path(folder), folder)}.json"
    return str(json.loads(file.read_text(encoding="utf-8"))["job"])
