"""Runs as jobs of a real Slurm on this machine, among them some that are killed and requeued."""

from __future__ import annotations

import os
import pickle
import re
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness import results
from harness.cli.tune import plan_points
from harness.errors import HarnessError
from harness.execution import local
from harness.execution.watch import Watch
from harness.plan.keys import code_of
from harness.plan.spec import RunSpec
from harness.results import RunRecord
from harness.run.options import Options
from harness.slurm import queue
from harness.slurm.commands import (
    TIME,
    count_nodes,
    group_by_need,
    parse_settings,
    require_slurm,
    submit_array,
)
from harness.slurm.job import Job

from ..execution.commands import Start, stepping
from .slurm_cluster import Cluster, wait_until, why_not
from .slurm_runs import Told, figures, has_checkpoint, job_of, plan_seeds

pytestmark = [pytest.mark.xdist_group("slurm"), pytest.mark.timeout(600)]  # on a busy machine
needs_slurm = pytest.mark.skipif(bool(why_not()), reason=f"no Slurm: {why_not()}")

# It takes as long as it is told, and prints which steps each start of its job has done. In its
# second epoch it waits for as long as there is a file called like its job, or `all`.
SLOW = """
    import os, time
    print("start", os.environ.get("SLURM_RESTART_COUNT", "0"), "step", run.step, flush=True)
    time.sleep(float(os.environ.get("TEST_STEP_SECONDS", "0")))
    job = "_".join(os.environ.get(f"SLURM_ARRAY_{one}_ID", "") for one in ("JOB", "TASK"))
    held = [os.path.join(os.environ.get("TEST_HELD", ""), name) for name in (job, "all")]
    while run.step == 8 and any(map(os.path.exists, held)):
        time.sleep(0.05)
"""
DOOMED, KILLED, REQUEUED, TIMED, LAST = range(5)  # seeds, by what happens to their jobs
STEPS = 12  # of a run of the toy on small dolls: two epochs


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Slurm of this machine, which `squeue` and the like find; ended whatever happens."""
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", cluster.environment["SLURM_CONF"])
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop_all()


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory, toy_source: str) -> Path:
    """The method `slow`."""
    file = tmp_path_factory.mktemp("plugins") / "slow.py"
    file.write_text(stepping(toy_source, "slow", SLOW), encoding="utf-8")
    return file


@dataclass(frozen=True)
class Outcome:
    """What a batch of runs has left."""

    specs: dict[int, RunSpec]  # by seed
    told: Told
    slurm: Path
    local: Path

    def log(self, seed: int) -> str:
        return (self.specs[seed].path(self.slurm) / "log.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def outcome(
    cluster: Cluster, plugin: Path, small_dolls: Path, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """Five runs, while their jobs, the node and the controller are interfered with."""
    folder, told = tmp_path_factory.mktemp("results"), Told()
    specs = dict(enumerate(plan_seeds(plugin, small_dolls, *range(5))))
    options = Options(folder / "slurm", jobs=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_STEP_SECONDS", "0.7")
        held = tmp_path_factory.mktemp("held")
        patch.setenv("TEST_HELD", str(held))
        (held / "all").touch()  # from before they start: none ends before it is interfered with
        patch.setattr(queue, "SETTLE_SECONDS", 2.0)
        patch.setattr(queue, "POLL_SECONDS", (0.5, 1.0))
        arguments = list(specs.values()), options, told.watch()
        call = threading.Thread(target=queue.execute_all, args=arguments, daemon=True)
        call.start()
        with told.beside(cluster):
            _interfere(cluster, list(specs.values()), folder / "slurm", told)
        call.join(240)
        assert not call.is_alive()
    finishing = [spec for seed, spec in specs.items() if seed != DOOMED]
    local.execute_all(finishing, Options(folder / "local", jobs=2), Told().watch())
    return Outcome(specs, told, folder / "slurm", folder / "local")


def _interfere(cluster: Cluster, specs: list[RunSpec], folder: Path, told: Told) -> None:
    """Kill a job, requeue one, end one's time; stop daemons for a while; kill one's every job."""
    doomed, killed, requeued, timed, last = specs
    wait_until(lambda: len(cluster.jobs()) == 5)
    held = [_hold(spec, folder) for spec in (requeued, timed)]
    held[0].with_name("all").unlink()
    first = job_of(doomed, folder)
    kill(cluster, first)
    wait_until(lambda: has_checkpoint(killed, folder))
    kill(cluster, job_of(killed, folder))
    wait_until(lambda: has_checkpoint(requeued, folder))
    cluster.ask("scontrol", "requeue", job_of(requeued, folder))
    held[0].unlink()
    wait_until(lambda: has_checkpoint(timed, folder))
    cluster.ask("scancel", "--signal=USR2", "--batch", job_of(timed, folder))
    held[1].unlink()
    cluster.stop("node1")
    time.sleep(2)
    cluster.start_node("node1")
    wait_until(lambda: has_checkpoint(last, folder))
    cluster.stop("slurmctld")
    wait_until(lambda: any("does not answer" in text for text in told.said))
    cluster.start_controller()
    wait_until(lambda: job_of(doomed, folder) != first)
    kill(cluster, job_of(doomed, folder), folder)


def _hold(spec: RunSpec, folder: Path) -> Path:
    """Let the job of a run not end before it is interfered with, however slow this is.

    Returns the file that holds it.
    """
    file = Path(os.environ["TEST_HELD"]) / job_of(spec, folder)
    file.touch()
    return file


def kill(cluster: Cluster, job: str, folder: Path | None = None) -> None:
    """Kill all processes of a job as soon as there are some; Slurm says so where it prints."""
    wait_until(lambda: cluster.processes(job))
    if folder is not None:
        with (folder / ".slurm" / "jobs" / f"{job}_0_log.err").open("a", encoding="utf-8") as file:
            file.write("slurmstepd: error: Detected 1 oom-kill event\n")
    for process in cluster.processes(job):
        os.kill(process, signal.SIGKILL)


@pytest.mark.exhaustive
@needs_slurm
@pytest.mark.parametrize("seed", [KILLED, REQUEUED, TIMED, LAST])
def test_every_run_ends_as_it_does_on_one_machine(outcome: Outcome, seed: int) -> None:
    """A job killed, requeued or at the end of its time, daemons stopped: the bits are the same."""
    spec = outcome.specs[seed]
    assert outcome.told.finished[str(spec)].status == "ok"
    assert figures(spec, outcome.slurm) == figures(spec, outcome.local)


@needs_slurm
@pytest.mark.exhaustive
def test_a_job_that_is_killed_is_tried_once_more(outcome: Outcome) -> None:
    """It is said, and it is in the run's log; the others know of nothing."""
    told = f"seed {KILLED}: Slurm job"
    assert [text for text in outcome.told.said if told in text and "tried once more" in text]
    assert "of the run died; this is the second try" in outcome.log(KILLED)
    assert not [seed for seed in (REQUEUED, TIMED, LAST) if "died" in outcome.log(seed)]


@pytest.mark.exhaustive
@needs_slurm
@pytest.mark.parametrize("seed", [REQUEUED, TIMED])
def test_a_job_that_is_queued_again_goes_on(outcome: Outcome, seed: int) -> None:
    """Whether Slurm requeues it or its time ends: no step is done twice, none is left out."""
    lines = [line for line in outcome.log(seed).splitlines() if line.startswith("start ")]
    assert [int(line.split()[-1]) for line in lines] == list(range(STEPS))
    assert {line.split()[1] for line in lines} == {"0", "1"}


@pytest.mark.exhaustive
@needs_slurm
def test_a_second_death_is_recorded(outcome: Outcome) -> None:
    """The record says killed, names both jobs, and keeps what the second one has printed."""
    spec = outcome.specs[DOOMED]
    record = results.read_record(spec.path(outcome.slurm))
    assert record is not None
    assert record.error is not None
    assert record.status == outcome.told.finished[str(spec)].status == "killed"
    message = r"Slurm job \d+_0 of the run died, and so did job \d+, which tried it once more"
    assert re.fullmatch(message, record.error["message"])
    assert "oom-kill event" in record.error["traceback"]


@pytest.mark.exhaustive
@needs_slurm
def test_a_controller_that_is_away_is_waited_for(outcome: Outcome) -> None:
    """It is said once, and once that it is back."""
    said = [text for text in outcome.told.said if "answer" in text]
    assert said == ["Slurm does not answer; jobs go on.", "Slurm answers again."]


@pytest.mark.exhaustive
@needs_slurm
def test_the_display_is_told_what_waits_and_what_runs(outcome: Outcome) -> None:
    """All runs are counted, as queued or as running, until they have ended."""
    counts = outcome.told.queued
    assert max(queued + running for queued, running in counts) == len(outcome.specs)
    assert {(3, 2), (0, 0)} <= counts
    assert f"{outcome.specs[LAST]} started" in outcome.told.said


@pytest.mark.exhaustive
@needs_slurm
def test_what_is_finished_leaves_nothing_but_its_record(outcome: Outcome) -> None:
    """Of a run that is right no job's files stay; of jobs that died what they have printed does."""
    left = {file.name.partition("_log")[0] for file in outcome.slurm.glob(".slurm/jobs/*_log.err")}
    assert len(left) == 3
    assert not list(outcome.slurm.glob(".slurm/*.json"))


@pytest.mark.exhaustive
@needs_slurm
def test_a_harness_that_is_killed_is_taken_over_and_may_be_stopped(
    cluster: Cluster, plugin: Path, small_dolls: Path, tmp_path: Path, start: Start
) -> None:
    """Jobs outlive it, another one finds them; Ctrl-C ends them behind a checkpoint."""
    (spec,) = plan_seeds(plugin, small_dolls, 7)
    folder = tmp_path / "results"
    command = (
        "run", "slow", "--dataset", small_dolls, "--seeds", "7", "--plugins", plugin,
        "--results", folder, "--no-report",
    )  # fmt: skip
    on_slurm = (*command, "--executor", "slurm", "--slurm", "time=00:30:00")
    first = start(*on_slurm, TEST_STEP_SECONDS=3)
    wait_until(lambda: "RUNNING" in cluster.jobs().values())
    first.process.kill()
    jobs = cluster.jobs()
    second = start(*on_slurm, TEST_STEP_SECONDS=3)
    log = results.working_folder(spec.path(folder)) / "log.txt"
    wait_until(lambda: log.is_file() and "step 1" in log.read_text(encoding="utf-8"))
    assert cluster.jobs() == jobs
    second.send(signal.SIGINT)
    assert second.finish() == 130
    assert "Queued or running already: 1." in second.said
    assert not re.search(r"Slurm job \S+ of the run", second.said)  # none has died
    assert "behind the next checkpoint" in second.said
    assert has_checkpoint(spec, folder)
    wait_until(lambda: not cluster.jobs())
    third = start(*command)  # on this machine: results are where they were
    assert third.finish() == 0
    text = (spec.path(folder) / "log.txt").read_text(encoding="utf-8")
    assert text.count("step 0\n") == 1
    assert text.count("step ") == STEPS


@needs_slurm
def test_jobs_ask_for_what_runs_need(
    cluster: Cluster, plugin: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """The recipe's threads, the user's settings, requeueing, and a bound on jobs at once."""
    options = Options(tmp_path / "results")
    specs = plan_seeds(plugin, small_dolls, 0, 1, 2)
    settings = parse_settings(["hold", "--time=00:20:00", "comment=a b"])
    work = [Job(spec, options, "") for spec in specs]
    ((needs, group),) = group_by_need(work, settings)
    jobs = submit_array(group, needs, tmp_path / "jobs", at_once=2)
    array = jobs[0].job_id.partition("_")[0]
    shown = cluster.ask("scontrol", "show", "job", array)
    cluster.ask("scancel", array)
    assert [job.job_id for job in jobs] == [f"{array}_{task}" for task in range(3)]
    for part in ("ArrayTaskId=0-2%2", "CPUs/Task=1", "TimeLimit=00:20:00", "Comment=a b",
                 "Requeue=1", "JobName=harness"):  # fmt: skip
        assert part in shown


def test_runs_of_different_needs_are_arrays_of_their_own(
    plugin: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """Threads are cores, cuda is a graphics card, and what the user says goes before both."""
    (spec,) = plan_seeds(plugin, small_dolls, 0)
    wide = replace(spec, recipe={**spec.recipe, "threads": 4})
    work = [Job(each, Options(tmp_path, device="cuda"), "") for each in (spec, wide, spec)]
    groups = group_by_need(work, parse_settings(["mem=4G"]))
    assert [(needs["cpus_per_task"], len(group)) for needs, group in groups] == [("1", 2), ("4", 1)]
    assert {needs["gpus_per_node"] for needs, _ in groups} == {"1"}
    several = replace(wide, recipe={**wide.recipe, "processes": 6})
    options = Options(tmp_path, device="cuda", nodes=2)
    ((needs, _),) = group_by_need([Job(several, options, "")], {})
    assert (needs["cpus_per_task"], needs["gpus_per_node"]) == ("12", "3")
    ((needs, _),) = group_by_need(work, parse_settings(["cpus=2", "gres=gpu:a100:1"]))
    assert (needs["cpus_per_task"], needs["gres"]) == ("2", "gpu:a100:1")
    assert "gpus_per_node" not in needs


def test_a_run_on_a_card_has_cores_and_memory(
    plugin: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """By default for each card, whatever the cluster's own default; the user's word in any form
    goes before, and a run on the CPU asks for what its recipe says alone."""
    (spec,) = plan_seeds(plugin, small_dolls, 0)
    spec = replace(spec, recipe={**spec.recipe, "threads": None, "processes": 2})
    job = Job(spec, Options(tmp_path, device="cuda"), "")
    ((needs, _),) = group_by_need([job], parse_settings(["gpus=2"]))
    assert (needs["cpus_per_task"], needs["mem"]) == ("16", "64G")
    ((needs, _),) = group_by_need([job], parse_settings(["mem-per-gpu=80G", "cpus-per-gpu=4"]))
    assert not needs.keys() & {"cpus_per_task", "mem"}
    ((needs, _),) = group_by_need([replace(job, options=Options(tmp_path))], {})
    assert needs == {"time": TIME}


@needs_slurm
def test_what_slurm_refuses_is_its_own_message(
    cluster: Cluster, plugin: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """A partition that does not exist ends the command, with nothing queued."""
    specs = plan_seeds(plugin, small_dolls, 0)
    settings = parse_settings(["partition=nowhere"])
    with pytest.raises(HarnessError, match="invalid partition specified: nowhere"):
        queue.execute_all(specs, Options(tmp_path), Told().watch(), settings)
    assert not cluster.jobs()


@pytest.mark.skipif(not why_not(), reason="Slurm itself is there, and tested")
def test_a_job_goes_on_where_its_time_is_over(
    plugin: Path, small_dolls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With submitit's own engine, which starts it again: no step is done twice or left out."""
    import submitit

    monkeypatch.setenv("TEST_STEP_SECONDS", "0.5")
    (spec,) = plan_seeds(plugin, small_dolls, 0)
    engine = submitit.LocalExecutor(tmp_path / "jobs", max_num_timeout=9)
    engine.update_parameters(timeout_min=5)
    options = Options(tmp_path / "results")
    job = engine.submit(Job(spec, options, code_of(spec.plugin)))
    wait_until(lambda: has_checkpoint(spec, tmp_path / "results"))
    controller = int(job.job_id)
    (child,) = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
    os.kill(int(child), signal.SIGUSR2)
    assert job.result().status == "ok"
    log = (spec.path(tmp_path / "results") / "log.txt").read_text(encoding="utf-8")
    lines = [line for line in log.splitlines() if line.startswith("start ")]
    assert [int(line.split()[-1]) for line in lines] == list(range(STEPS))
    assert "requeued" in job.stdout().lower()


@pytest.fixture
def time_ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[RunRecord]], None]]:
    """Let a job's time end while it executes its run, which has left these records."""
    numbers = (signal.SIGTERM, signal.SIGUSR2)
    before = {number: signal.getsignal(number) for number in numbers}

    def prepare(records: list[RunRecord]) -> None:
        def execute(specs: list[RunSpec], options: Options, watch: Watch) -> None:
            for spec, record in zip(specs, records, strict=False):
                watch.finished(spec, record)
            os.kill(os.getpid(), signal.SIGUSR2)

        monkeypatch.setattr(local, "execute_all", execute)
        monkeypatch.setattr(local, "preload", lambda plugins: None)

    yield prepare
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_run_that_finishes_as_its_time_ends_is_finished(
    plugin: Path, small_dolls: Path, tmp_path: Path, time_ends: Callable[[list[RunRecord]], None]
) -> None:
    """The job leaves the record; nothing is queued again or written over it."""
    (spec,) = plan_seeds(plugin, small_dolls, 0)
    record = spec.record()
    time_ends([record])
    assert Job(spec, Options(tmp_path), code_of(spec.plugin))() is record
    assert not spec.path(tmp_path).exists()


def test_a_job_that_reaches_no_checkpoint_is_not_queued_again(
    plugin: Path, small_dolls: Path, tmp_path: Path, time_ends: Callable[[list[RunRecord]], None]
) -> None:
    """It would never end: the record says that it needs more time."""
    (spec,) = plan_seeds(plugin, small_dolls, 0)
    time_ends([])
    record = Job(spec, Options(tmp_path), code_of(spec.plugin))()
    assert record == results.read_record(spec.path(tmp_path))
    assert record.status == "timeout"
    assert "as in --slurm time=" in (record.error or {})["message"]


def test_a_death_leaves_what_was_trained_before(
    plugin: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """Where a further evaluation dies, the trained run keeps its record."""
    (spec,) = plan_seeds(plugin, small_dolls, 0)
    results.finish_run(spec.record(), spec.path(tmp_path))
    trained = results.read_record(spec.path(tmp_path))
    job = Job(spec, Options(tmp_path), "")
    assert job.record_death("killed", {"kind": "JobDied", "message": "it died"}) == trained
    assert results.read_record(spec.path(tmp_path)) == trained


def test_a_trial_is_a_job_like_a_run(toy: Path, small_dolls: Path, tmp_path: Path) -> None:
    """Handed on as Slurm is handed it, it ends with figures of val alone."""
    (point,) = plan_points("toy", ["width=4"], "demo", [str(small_dolls)], "0", [toy])
    (trial,) = point.trials
    job = pickle.loads(pickle.dumps(Job(trial, Options(tmp_path), code_of(trial.plugin))))
    record = job()
    assert record.status == "ok", record.error
    assert sorted(record.metrics) == ["val_map", "val_r1"]
    assert results.read_record(trial.path(tmp_path)) == record
    assert not list(results.load_runs(tmp_path))


def test_code_that_changes_while_a_run_is_queued_is_not_run(
    plugin: Path, small_dolls: Path, tmp_path: Path
) -> None:
    """The result would not be what its key says: the record says so, and nothing is stored."""
    changed = tmp_path / "slow.py"
    changed.write_bytes(plugin.read_bytes())
    (spec,) = plan_seeds(changed, small_dolls, 0)
    job = Job(spec, Options(tmp_path / "results"), code_of(spec.plugin))
    changed.write_text(plugin.read_text(encoding="utf-8").replace("* 10", "* 20"), encoding="utf-8")
    record = job()
    assert (record.status, (record.error or {})["kind"]) == ("error", "CodeChanged")
    assert not spec.path(tmp_path / "results").exists()


def test_where_there_is_no_slurm_the_command_says_so(
    plugin: Path, small_dolls: Path, start: Start, tmp_path: Path
) -> None:
    """One message names what is missing and what to do, before anything is done."""
    command = start(
        "run", "slow", "--plugins", plugin, "--dataset", small_dolls, "--executor", "slurm",
        PATH=tmp_path,
    )  # fmt: skip
    assert command.finish() == 2
    assert "There is no Slurm here: sbatch, srun, squeue, scancel is not" in command.said
    assert "--executor local" in command.said
    assert "Traceback" not in command.said


def test_where_submitit_is_missing_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what to install."""
    for name in ("sbatch", "srun", "squeue", "scancel"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(HarnessError, match=r"pip install 'tbpr-bench\[slurm\]'"):
        require_slurm()


@pytest.mark.parametrize("setting", ["=1", "time=", "a b=1", ""])
def test_a_setting_is_an_option_of_sbatch(setting: str) -> None:
    """What cannot be one is refused with an example."""
    with pytest.raises(HarnessError, match="as key=value, for example"):
        parse_settings([setting])


@pytest.mark.parametrize(
    ("nodes", "processes", "told"),
    [
        ("2", 1, "1 process cannot be divided over 2 nodes. Give --processes 2,"),
        ("2", 3, "3 processes cannot be divided over 2 nodes"),
        ("1-2", 4, "--slurm nodes=1-2: give one number"),
        ("0", 4, "--slurm nodes=0: give one number"),
    ],
)
def test_processes_that_do_not_divide_by_nodes_are_refused(
    plugin: Path, small_dolls: Path, nodes: str, processes: int, told: str
) -> None:
    """Before anything is submitted, with what to give instead."""
    (spec,) = plan_seeds(plugin, small_dolls, 0)
    spec = replace(spec, recipe={**spec.recipe, "processes": processes})
    with pytest.raises(HarnessError, match=re.escape(told)):
        count_nodes(parse_settings([f"nodes={nodes}"]), [spec])


def test_settings_without_a_cluster_are_refused(start: Start) -> None:
    """A setting that would have no effect is not passed over."""
    command = start("run", "--all", "--slurm", "partition=gpu")
    assert command.finish() == 2
    assert "give --executor slurm too" in command.said
