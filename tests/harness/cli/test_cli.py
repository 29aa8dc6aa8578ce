"""The command line as a user meets it: real files, and real processes where they matter."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from harness import cli, registry, results
from harness.data.paperdolls.build import write_paperdolls
from harness.data.paperdolls.looks import STREETDOLLS, Sizes
from harness.registry import finding

Call = Callable[..., subprocess.CompletedProcess[str]]

ABSENT = "import no_such_package  # harness: register("
BROKEN = {
    "raises": ("toy", 'return {"itc"', 'raise RuntimeError("boom")\n        return {"itc"'),
    "nan": (
        "toy",
        "return self.texts(letters)",
        "return self.texts(letters) * (1 if self.training else float('nan'))",
    ),
    "dies": ("toy", 'return {"itc"', 'import os; os.kill(os.getpid(), 9)\n        return {"itc"'),
}


def variant(source: str, name: str, old: str, new: str) -> str:
    """Return the toy's source under another name with a line changed."""
    assert old in source
    return source.replace('register("toy"', f'register("{name}"').replace(old, new)


def statuses(folder: Path) -> dict[str, str]:
    """Return the status of each method's run."""
    return {run.record.method: run.record.status for run in results.load_runs(folder)}


def test_help_teaches(harness: Call) -> None:
    """Each command says what it does, and the first page says where to start."""
    first = harness("--help")
    assert "harness run --all" in first.stdout
    for command in ("run", "list", "report", "pretrain"):
        assert command in first.stdout
        assert harness(command, "--help").returncode == 0


def test_without_a_method_it_says_what_to_do(harness: Call) -> None:
    """`harness run` alone is an error that names the two ways on."""
    done = harness("run")
    assert done.returncode == 2
    assert "Name methods to run, or --all" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "irar"), "Did you mean 'irra'"),
        (("run", "irra", "--suite", "dem"), "Did you mean 'demo'"),
        (("run", "irra", "--dataset", "paperdols"), "Did you mean 'paperdolls'"),
        (("run", "irra", "--suite", "paper"), "no Parquet file for train, val, test"),
        (("run", "irra", "--plugins", "nowhere"), "no such file or folder"),
        (("report", "--results", "nothing"), "harness run --all"),
    ],
)
def test_errors_are_one_message(harness: Call, arguments: tuple[str, ...], message: str) -> None:
    """What the user can mend is said without a traceback, with a status of 2."""
    done = harness(*arguments)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_the_version_is_told(harness: Call) -> None:
    """It is that of the package that is installed."""
    assert harness("--version").stdout == f"tbpr-bench {version('tbpr-bench')}\n"


def test_windows_is_told_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, before anything is imported that is not there."""
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(SystemExit, match="start it within WSL"):
        cli.main(["list", "methods"])


def test_seeds_and_settings_are_checked(harness: Call, small_dolls: Path, toy: Path) -> None:
    """A wrong --seeds or --set is refused before anything runs."""
    base = ("run", "toy", "--plugins", toy, "--dataset", small_dolls)
    for seeds in ("a", "4-0", "-1", "012", "1,", "1.5", "0-"):
        told = " ".join(harness(*base, "--seeds", seeds).stderr.split())
        assert "write whole numbers" in told, seeds
    assert "write key=value" in harness(*base, "--set", "epochs").stderr
    assert "Did you mean 'epochs'" in " ".join(harness(*base, "--set", "epoch=1").stderr.split())
    assert "'many' cannot take the place of 2" in harness(*base, "--set", "epochs=many").stderr
    assert "is not YAML" in harness(*base, "--set", "epochs=[1").stderr
    twice = harness(*base, "--set", "epochs=1", "--set", "epochs=2")
    assert "--set epochs is given twice" in twice.stderr
    small = harness(*base, "--set", "learning_rate=2e-3", "--dry-run")
    assert "learning_rate=0.002" in small.stdout


def test_a_dry_run_runs_nothing(
    harness: Call, small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """--dry-run shows the plan and leaves no trace."""
    done = harness(
        "run", "toy", "--plugins", toy, "--dataset", small_dolls, "--dry-run", "--ablations"
    )
    assert done.returncode == 0
    assert "6 runs planned, 0 complete" in done.stderr
    assert done.stdout.count("to do") == 6
    assert not (tmp_path / "results").exists()


def test_a_plan_needs_no_torch(harness: Call, toy: Path, small_dolls: Path) -> None:
    """Once a method is known, what is to be run is told before torch could be imported."""
    words = ["run", "toy", "--plugins", str(toy), "--dataset", str(small_dolls), "--dry-run"]
    harness(*words)
    script = (
        f"import runpy, sys\nsys.argv = ['harness', *{words}]\n"
        "try:\n    runpy.run_module('harness', run_name='__main__')\n"
        "finally:\n    print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-2:] == ["small-dolls  toy     full     2     to do", "False"]


def test_runs_are_made_once_and_failures_do_not_spread(
    harness: Call, small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """Every failing method is its own record, the good one is ranked, and called again only what
    failed is tried again; the exit status says that something is missing."""
    for name, change in BROKEN.items():
        text = variant(toy_source, name, *change[1:])
        toy.with_name(f"{name}.py").write_text(text, encoding="utf-8")
    toy.with_name("absent.py").write_text(ABSENT, encoding="utf-8")
    names = ("toy", *BROKEN)
    command = ("run", *names, "--plugins", toy.parent, "--dataset", small_dolls, "--seeds", "0")
    first = harness(*command)
    assert first.returncode == 1
    expected = {"toy": "ok", "raises": "error", "nan": "error", "dies": "killed"}
    assert statuses(tmp_path / "results") == expected
    for text in ("RuntimeError: boom", "holds NaN", "was killed by signal 9"):
        assert text in " ".join(first.stderr.split())
    assert "toy" in first.stdout
    assert (tmp_path / "site" / "index.html").is_file()
    made = (tmp_path / "results").glob("*/*/toy/full/seed-0/run.json")
    (stamp,) = [file.stat().st_mtime_ns for file in made]
    again = harness(*command)
    assert "4 runs planned, 1 complete" in again.stderr
    (same,) = (tmp_path / "results").glob("*/*/toy/full/seed-0/run.json")
    assert same.stat().st_mtime_ns == stamp
    listed = json.loads(harness("list", "runs", "--json").stdout)
    assert {run["method"]: run["status"] for run in listed} == expected


@pytest.mark.parametrize(
    "group",
    [
        pytest.param("methods.of.nobody", id="plugins"),
        pytest.param(finding.ENTRY_POINTS, id="every method", marks=pytest.mark.exhaustive),
    ],
)
def test_all_runs_every_method_and_says_what_is_broken(
    harness: Call, toy: Path, toy_source: str, small_dolls: Path, tmp_path: Path, group: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """With --all every method is run, and tested on what else its suite names; a plugin that does
    not import is a recorded failure, and the status is not zero, until it is mended or gone."""
    monkeypatch.setattr(finding, "ENTRY_POINTS", group)
    other = variant(toy_source, "other", "epochs=2", "epochs=1")
    toy.with_name("other.py").write_text(other, encoding="utf-8")
    absent = toy.with_name("absent.py")
    absent.write_text(ABSENT, encoding="utf-8")
    street, suite = tmp_path / "street", tmp_path / "mine.yaml"
    write_paperdolls(street, sizes=Sizes(train=2, val=2, test=3), look=STREETDOLLS)
    suite.write_text(
        f"scale: tiny/9\nseeds: [0]\ndatasets: [{small_dolls}]\nalso_on: [{street}]\n", "utf-8"
    )
    command = ("run", "--all", "--plugins", toy.parent, "--suite", suite)
    done = harness(*command)
    assert done.returncode == 1
    assert "absent does not import: ModuleNotFoundError" in " ".join(done.stderr.split())
    found = statuses(tmp_path / "results")
    assert found.pop("absent") == "error"
    every = {listing.name for listing in registry.list_methods([toy.parent])}
    assert found.keys() == every - {"absent"} >= {"toy", "other"}
    assert set(found.values()) == {"ok"}, done.stderr
    runs = [run for run in results.load_runs(tmp_path / "results") if run.record.status == "ok"]
    assert {*found} == {run.record.method for run in runs if "on-street" in run.evaluations()}
    assert "no_such_package" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    absent.unlink()
    again = harness(*command)
    assert again.returncode == 0
    assert f"{len(found)} complete" in again.stderr
    assert statuses(tmp_path / "results") == found
    assert not list((tmp_path / "results").rglob("absent"))


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_number_of_jobs_changes_no_bit(
    harness: Call, small_dolls: Path, toy: Path, tmp_path: Path, jobs: int
) -> None:
    """Every query's ranks and scores are the same, whatever runs beside."""
    reference = tmp_path / "reference"
    for folder, count in ((reference, 1), (tmp_path / "results", jobs)):
        done = harness(
            "run", "toy", "--plugins", toy, "--dataset", small_dolls, "--seeds", "0,1",
            "--jobs", count, "--results", folder, "--no-report",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    for one, two in zip(
        results.load_runs(reference), results.load_runs(tmp_path / "results"), strict=True
    ):
        assert one.record.seed == two.record.seed
        for evaluation in one.evaluations():
            assert one.queries(evaluation) == two.queries(evaluation)


@pytest.mark.parametrize(
    "signal_number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.exhaustive)]
)
def test_a_stopped_harness_finishes_the_rest_later(
    harness: Call, small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path, signal_number: int
) -> None:
    """Killed or interrupted in mid-run, nothing half-written counts, no process stays, and the
    next call ends with the same bits as an undisturbed one."""
    slow = toy_source.replace("batch_size=16", "batch_size=2").replace("epochs=2", "epochs=4")
    toy.write_text(slow, encoding="utf-8")
    command = (
        "run", "toy", "--plugins", toy, "--dataset", small_dolls,
        "--seeds", "0,1", "--jobs", "1", "--no-report", "--results",
    )  # fmt: skip
    assert harness(*command, tmp_path / "whole").returncode == 0
    going = subprocess.Popen(
        [sys.executable, "-m", "harness", *command, tmp_path / "cut"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    checkpoint = tmp_path / "cut/demo/small-dolls/toy/full/seed-0.unfinished/weights/last.pt"
    wait_for(checkpoint.exists)
    # Ctrl-C in a terminal reaches the harness and its runs alike; kill -9 the harness alone.
    send = os.killpg if signal_number == signal.SIGINT else os.kill
    send(going.pid, signal_number)
    going.communicate(timeout=240)
    wait_for(lambda: not processes_with(str(tmp_path / "cut")))
    assert list(results.load_runs(tmp_path / "cut")) == []
    assert harness(*command, tmp_path / "cut").returncode == 0
    whole, cut = (list(results.load_runs(tmp_path / name)) for name in ("whole", "cut"))
    assert [run.record.seed for run in cut] == [0, 1]
    for one, two in zip(whole, cut, strict=True):
        assert one.queries() == two.queries()
    assert not list((tmp_path / "cut").rglob("*.unfinished"))


def wait_for(condition: Callable[[], bool], seconds: float = 240) -> None:
    """Wait until a condition holds; fail where it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def processes_with(text: str) -> list[str]:
    """Return the command lines of running processes that mention a text."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def test_help_and_listing_import_nothing_heavy() -> None:
    """`--help` needs neither numpy nor torch; it answers at once."""
    script = (
        "import sys\nfrom harness.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'numpy', 'datasets', 'open_clip', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
