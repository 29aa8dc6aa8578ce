"""Running a page: its blocks one after the other, in one folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from harness import plan, registry

from .fences import Fence

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
EXAMPLE = ROOT / "docs" / "examples" / "sigmoid.py"
SECONDS = 600.0  # no block may take longer


def title(page: Path) -> str:
    """Return what a page is called in the names of tests."""
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Desk:
    """A folder that a page is run in, with an environment in which its commands are found."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, page: str, fence: Fence) -> None:
        """Run a block as its language asks; fail with what it said."""
        {
            "sh": self._run_shell,
            "python": self._run_python,
            "yaml": self._read_yaml,
            "toml": self._read_toml,
        }[fence.language](f"{page}, line {fence.line}", fence)

    def call(self, where: str, *command: str) -> str:
        """Run a program and return what it printed; fail where it ends with another status."""
        with subprocess.Popen(
            command, cwd=self.folder, env=dict(self.environment), text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as going:  # fmt: skip
            try:
                said, _ = going.communicate(timeout=SECONDS)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(going.pid, signal.SIGKILL)  # what it started too
        assert going.returncode == 0, f"{where}: status {going.returncode}\n{said}"
        return said

    def _run_shell(self, where: str, fence: Fence) -> None:
        self.call(where, "bash", "-e", "-u", "-o", "pipefail", "-c", fence.text)

    def _run_python(self, where: str, fence: Fence) -> None:
        """Execute a program; a method's file is left for the commands that follow, and checked."""
        if not fence.method:
            self.call(where, sys.executable, "-c", fence.text)
            return
        file = f"{fence.method}.py"
        (self.folder / file).write_text(fence.text, encoding="utf-8")
        self.call(where, "harness", "check", fence.method, "--plugins", file)

    def _read_yaml(self, where: str, fence: Fence) -> None:
        """Read it; a suite as the harness does."""
        values = yaml.safe_load(fence.text)
        file = self.folder / (fence.file or "suite.yaml")
        file.write_text(fence.text, encoding="utf-8")
        if "scale" in values:
            suite = plan.read_suite(str(file))
            for name in suite.datasets:
                assert suite.find_declaration(name).title, where

    def _read_toml(self, where: str, fence: Fence) -> None:
        """Read it; entry points as the harness finds them, of a package that is a method's file."""
        entries = tomllib.loads(fence.text).get("project", {}).get("entry-points", {})
        for module in entries.get(registry.ENTRY_POINTS, {}).values():
            installed = self.folder / "installed"
            about = installed / f"{module}-1.dist-info"
            about.mkdir(parents=True)
            shutil.copy(EXAMPLE, installed / f"{module}.py")
            (about / "METADATA").write_text(f"Name: {module}\nVersion: 1\n", encoding="utf-8")
            lines = fence.text.replace("[project.entry-points.", "[").replace('"', "")
            (about / "entry_points.txt").write_text(lines, encoding="utf-8")
            desk = Desk(self.folder, {**self.environment, "PYTHONPATH": str(installed)})
            listed = json.loads(desk.call(where, "harness", "list", "methods", "--json"))
            assert "sigmoid" in {method["name"] for method in listed}, where


def cheap_environment(cache: Path, programs: Path) -> dict[str, str]:
    """Return an environment in which `harness` is this one, with a cache of its own and no hub."""
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    own = {"HARNESS_CACHE": str(cache), "HF_DATASETS_CACHE": str(cache / "huggingface")}
    return {**os.environ, **own, "PATH": path, "HF_HUB_OFFLINE": "1"}
