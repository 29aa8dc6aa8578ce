"""What GitHub Actions runs on a fork."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from harness.cli import app

WORKFLOWS = Path(__file__).parents[3] / ".github" / "workflows"


def read(name: str) -> dict[str, Any]:
    """Return a workflow; YAML takes its `on` for a truth value."""
    values = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))
    return {"on" if name is True else name: value for name, value in values.items()}


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def commands(workflow: dict[str, Any]) -> list[list[str]]:
    """Return the words of each call of the harness."""
    scripts = "\n".join(step.get("run", "") for step in steps(workflow))
    return [shlex.split(line)[1:] for line in re.findall(r"^\s*(harness .*)$", scripts, re.M)]


@pytest.mark.parametrize("name", ["tests.yml", "leaderboard.yml"])
def test_a_workflow_does_no_more_than_it_may(name: str) -> None:
    """It reads the code and no more, ends, and each action is pinned to a version."""
    workflow = read(name)
    assert workflow["permissions"] == {"contents": "read"}
    assert "workflow_dispatch" in workflow["on"]
    assert workflow["concurrency"]["group"]
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    actions = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in actions), actions


def test_the_commands_of_the_leaderboard_exist() -> None:
    """Each call of the harness names a command and options that there are."""
    group = typer.main.get_group(app)
    called = commands(read("leaderboard.yml"))
    assert [words[0] for words in called] == ["import-results", "verify", "publish"]
    for name, *words in called:
        command = group.commands[name]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, name


def test_the_leaderboard_is_deployed_where_it_is_built() -> None:
    """The folder that is published is the one that is deployed, by a job that may."""
    workflow = read("leaderboard.yml")
    [published] = [words[-1] for words in commands(workflow) if words[0] == "publish"]
    [upload] = [step for step in steps(workflow) if "upload-pages" in step.get("uses", "")]
    assert upload["with"]["path"] == published
    deploy = workflow["jobs"]["deploy"]
    assert deploy["needs"] == "build"
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"}
    assert workflow["concurrency"] == {"group": "pages", "cancel-in-progress": False}
    assert "submissions/**" in workflow["on"]["push"]["paths"]


def test_the_tests_are_those_of_the_readme() -> None:
    """The commands are the two that the README gives, and those of `.ci/run`."""
    readme = (WORKFLOWS.parents[1] / "README.md").read_text(encoding="utf-8")
    runs = [step["run"].strip() for step in steps(read("tests.yml")) if "run" in step]
    checks, full = runs[-2:]
    assert f"```sh\n{checks}\n```" in readme
    assert f"`{full}` runs the exhaustive tests" in readme
    script = (WORKFLOWS.parents[1] / ".ci" / "run").read_text(encoding="utf-8")
    assert script.endswith(f"{checks} && {full}\n")
