"""Runs whose processes are spread over two nodes of a real Slurm, among them one that is killed."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import results
from harness.execution import local
from harness.plan.spec import RunSpec
from harness.results import RunRecord
from harness.run.options import Options
from harness.slurm import queue
from harness.slurm.commands import parse_settings

from ..training.spreading import spreading
from .slurm_cluster import Cluster, wait_until, why_not
from .slurm_runs import Told, figures, has_checkpoint, job_of, plan_seeds

pytestmark = [
    pytest.mark.xdist_group("slurm"),
    pytest.mark.exhaustive,
    pytest.mark.timeout(900),  # on a busy machine
    pytest.mark.skipif(bool(why_not()), reason=f"no Slurm: {why_not()}"),
]

# Every process tells at every step where it is.
TELLS = """
    import os, time
    names = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "SLURMD_NODENAME")
    told = " ".join(os.environ.get(name, "") for name in names)
    os.write(1, f"step {run.step} {told} {os.getpid()}\\n".encode())  # as a whole
    time.sleep(float(os.environ.get("TEST_STEP_SECONDS", "0")))
"""
STEPS = 12
REQUEUED, KILLED = range(2)  # seeds, by what happens to their jobs


@dataclass(frozen=True)
class Outcome:
    """What two runs have left."""

    specs: list[RunSpec]  # by seed
    told: Told
    slurm: Path
    local: Path
    death: RunRecord  # what was recorded of the run whose process was killed

    def steps(self, seed: int) -> list[list[str]]:
        """Return what each process told at each step: step, rank, local rank and so on."""
        log = (self.specs[seed].path(self.slurm) / "log.txt").read_text(encoding="utf-8")
        return [line.split()[1:] for line in log.splitlines() if line.startswith("step ")]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Slurm of two nodes, ended whatever happens."""
    cluster = Cluster(tmp_path_factory.mktemp("slurm-nodes"), nodes=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", cluster.environment["SLURM_CONF"])
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop_all()


@pytest.fixture(scope="module")
def outcome(
    cluster: Cluster, small_dolls: Path, toy_source: str, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """Two runs of four processes each, two on a node."""
    plugin = tmp_path_factory.mktemp("plugins") / "toy.py"
    plugin.write_text(spreading(toy_source, TELLS), encoding="utf-8")
    folder, told = tmp_path_factory.mktemp("results"), Told()
    specs = plan_seeds(plugin, small_dolls, REQUEUED, KILLED, method="toy", processes=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_STEP_SECONDS", "0.5")
        patch.setattr(queue, "SETTLE_SECONDS", 2.0)
        patch.setattr(queue, "POLL_SECONDS", (0.5, 1.0))
        options, settings = Options(folder / "slurm"), parse_settings(["nodes=2"])
        arguments = specs, options, told.watch(), settings
        call = threading.Thread(target=queue.execute_all, args=arguments, daemon=True)
        call.start()
        death = _interfere(cluster, specs, folder / "slurm")
        call.join(400)
        assert not call.is_alive()
    local.execute_all(specs, Options(folder / "local"), Told().watch())
    return Outcome(specs, told, folder / "slurm", folder / "local", death)


def _interfere(cluster: Cluster, specs: list[RunSpec], folder: Path) -> RunRecord:
    """Requeue a job, and kill a process of another on its second node; return the record of it."""
    requeued, killed = specs
    wait_until(lambda: has_checkpoint(requeued, folder))
    cluster.ask("scontrol", "requeue", job_of(requeued, folder))
    wait_until(lambda: has_checkpoint(killed, folder), 400)
    log = results.working_folder(killed.path(folder)) / "log.txt"
    (process,) = set(re.findall(r"^step \d+ 3 1 2 node2 (\d+)$", log.read_text(), re.MULTILINE))
    os.kill(int(process), signal.SIGKILL)
    wait_until(lambda: results.read_record(killed.path(folder)) is not None)
    record = results.read_record(killed.path(folder))
    assert record is not None
    return record


@pytest.mark.parametrize("seed", [REQUEUED, KILLED])
def test_a_run_over_two_nodes_ends_as_on_one_machine(outcome: Outcome, seed: int) -> None:
    """Requeued, or with a process killed: the bits are those of as many processes here."""
    spec = outcome.specs[seed]
    assert outcome.told.finished[str(spec)].status == "ok"
    assert figures(spec, outcome.slurm) == figures(spec, outcome.local)


def test_each_node_has_its_part_of_the_processes(outcome: Outcome) -> None:
    """Ranks count through, those that choose a graphics card begin anew on each node."""
    places = {tuple(told[1:5]) for told in outcome.steps(REQUEUED)}
    assert places == {
        ("0", "0", "2", "node1"),
        ("1", "1", "2", "node1"),
        ("2", "0", "2", "node2"),
        ("3", "1", "2", "node2"),
    }


@pytest.mark.parametrize("rank", range(4))
def test_a_job_that_is_queued_again_goes_on_from_its_checkpoint(
    outcome: Outcome, rank: int
) -> None:
    """What every process prints is in the run's log; the first leaves out and repeats no step."""
    steps = [int(told[0]) for told in outcome.steps(REQUEUED) if told[1] == str(rank)]
    assert set(steps) == set(range(STEPS))
    assert len(steps) <= STEPS + (rank > 0)  # the others may begin one that does not count


def test_a_process_that_is_killed_on_another_node_is_recorded(outcome: Outcome) -> None:
    """The record says who died and how; the run is tried once more, from its checkpoint."""
    error = outcome.death.error
    assert error is not None
    assert (outcome.death.status, error["kind"]) == ("killed", "ProcessDied")
    assert "process 3 of the run was killed by signal 9 (SIGKILL)" in error["traceback"]
    assert [text for text in outcome.told.said if f"seed {KILLED}: Slurm job" in text]
    assert len([told for told in outcome.steps(KILLED) if told[:2] == ["0", "0"]]) == 1


def test_nothing_of_a_run_is_left_on_any_node(cluster: Cluster, outcome: Outcome) -> None:
    """Jobs and the steps on their other nodes have ended, with all their processes."""
    wait_until(lambda: not cluster.jobs())
    assert outcome.told.finished
    wait_until(lambda: not cluster.left())
