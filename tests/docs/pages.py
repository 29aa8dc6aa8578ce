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
from dataclasses import dataclass
from pathlib import Path

import yaml

from harness import plan, registry

from .fences import Fence
from .served import Door

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
EXAMPLE = ROOT / "docs" / "examples" / "sigmoid.py"


def title(page: Path) -> str:
    """Return what a page is called in the names of tests."""
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Desk:
    """A folder that a page is run in, with an environment in which its commands are found."""

    folder: Path
    door: Door

    def run(self, page: str, fence: Fence) -> None:
        """Run a block as its language asks; fail with what it said."""
        {
            "sh": self._run_shell,
            "python": self._run_python,
            "yaml": self._read_yaml,
            "toml": self._read_toml,
        }[fence.language](f"{page}, line {fence.line}", fence)

    def call(self, where: str, *command: str, **variables: str) -> str:
        """Run a program and return what it printed; fail where it ends with another status."""
        environment = {**self.door.environment, **variables}
        with subprocess.Popen(
            command, cwd=self.folder, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as going:  # fmt: skip
            try:
                said = self.door.serve(going)
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
            command = "harness", "list", "methods", "--json"
            listed = json.loads(self.call(where, *command, PYTHONPATH=str(installed)))
            assert "sigmoid" in {method["name"] for method in listed}, where
