"""`harness fetch`, and runs without a network, against a hub on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from ...hub.caller import Caller
from ...hub.server import Hub

NEEDY = """
    @classmethod
    def downloads(cls, config):
        from harness.data.downloads import HubFiles
        return [HubFiles("someone/needed", (("weights.bin",),))]

    def __init__(self, config, train):
        from huggingface_hub import hf_hub_download
        assert open(hf_hub_download("someone/needed", "weights.bin")).read() == "weights"
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Caller]:
    """A machine that reaches a hub with what a method needs."""
    with Hub() as hub:
        hub.repositories.add("someone/needed", {"weights.bin": b"weights"})
        (tmp_path / "home").mkdir()
        yield Caller(hub, tmp_path / "home")


@pytest.fixture
def needy(toy: Path, toy_source: str) -> Path:
    """The toy, which needs weights from the hub."""
    at = "\n    def __init__(self, config, train):\n"
    toy.write_text(toy_source.replace(at, NEEDY, 1), encoding="utf-8")
    return toy


@pytest.fixture
def call(machine: Caller, needy: Path, small_dolls: Path) -> Callable[..., CompletedProcess[str]]:
    """Run a command of the harness there, on a suite of small people, without a network or with."""
    suite = machine.home / "few.yaml"
    suite.write_text(f"{{scale: tiny, seeds: [0], datasets: [{small_dolls}]}}", encoding="utf-8")

    def run(command: str, *arguments: str, offline: bool = False) -> CompletedProcess[str]:
        words = ("-m", "harness", command, "toy", "--suite", suite, "--plugins", needy, *arguments)
        # Methods are described in the cache of this session already; what is fetched is not there.
        variables = {"HARNESS_CACHE": os.environ["HARNESS_CACHE"]}
        return machine.call(*words, **variables, **({"HF_HUB_OFFLINE": "1"} if offline else {}))

    return run


def said(done: CompletedProcess[str]) -> str:
    """Return what was told beside results, however it is broken into lines."""
    return re.sub(r"\s+", " ", done.stderr)


def test_what_was_fetched_runs_without_a_network(
    call: Callable[..., CompletedProcess[str]], machine: Caller
) -> None:
    """Without it one sentence names what is missing, before anything is trained; fetched, with its
    size told before, the run starts."""
    lacking = call("run", "--no-report", offline=True)
    assert lacking.returncode == 2
    assert "Error: someone/needed is not here and cannot be fetched: " in said(lacking)
    assert "Traceback" not in lacking.stderr
    assert not list(machine.home.glob("results/few/**/run.json"))
    fetched = call("fetch")
    assert fetched.returncode == 0, fetched.stderr
    assert "To be fetched: someone/needed (0 MB)." in said(fetched)
    assert "All that is to be fetched is here: someone/needed." in said(fetched)
    run = call("run", "--no-report", offline=True)
    assert run.returncode == 0, run.stderr
    assert "To be fetched" not in run.stderr
    assert list(machine.home.glob("results/few/**/run.json"))


@pytest.mark.exhaustive  # the like of the above
def test_a_check_says_what_is_missing(machine: Caller, needy: Path) -> None:
    """In the sentence of a run, and not by what the method fails at."""
    words = ("-m", "harness", "check", "toy", "--plugins", needy)
    lacking = machine.call(*words, HF_HUB_OFFLINE="1")
    assert lacking.returncode == 2
    assert "Error: someone/needed is not here and cannot be fetched: " in said(lacking)
    assert "Traceback" not in lacking.stderr


@pytest.mark.exhaustive  # the like of the above
def test_a_run_fetches_what_is_missing_first(
    call: Callable[..., CompletedProcess[str]], machine: Caller
) -> None:
    """A forecast names it; with a network nobody has to fetch: it is done once, before all runs."""
    forecast = call("run", "--forecast", offline=True)
    assert "it needs someone/needed, which `harness fetch` brings" in said(forecast)
    run = call("run", "--no-report", "--seeds", "0,1")
    assert run.returncode == 0, run.stderr
    assert "To be fetched: someone/needed (0 MB)." in said(run)
    assert len(machine.hub.requests("GET", "/resolve/")) == 1
    assert "To be fetched" not in call("fetch").stderr
