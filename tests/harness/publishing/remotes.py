"""Bare repositories on this disk that pages are pushed to."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.publishing.page import MANIFEST, NO_JEKYLL


@dataclass(frozen=True)
class Remote:
    """A bare repository that others push to as well."""

    path: Path

    def git(self, *arguments: str, given: str = "") -> str:
        """Return what git says in it."""
        return run_git(self.path, *arguments, given=given)

    def files(self, branch: str = "gh-pages") -> dict[str, str]:
        """Return what a branch holds, but for what goes with every page."""
        names = self.git("ls-tree", "-r", "--name-only", branch).split()
        apart = {MANIFEST, NO_JEKYLL}
        return {name: self.git("show", f"{branch}:{name}") for name in names if name not in apart}

    def count(self, branch: str = "gh-pages") -> int:
        """Return the commits of a branch."""
        return int(self.git("rev-list", "--count", branch))

    def objects(self) -> int:
        """Return how many things are stored in it."""
        about = dict(line.split(": ") for line in self.git("count-objects", "-v").splitlines())
        return int(about["count"]) + int(about["in-pack"])

    def add(self, files: Mapping[str, str], branch: str = "gh-pages") -> str:
        """Commit files to a branch as somebody else, and return the commit."""
        there = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}").strip()
        lines = self.git("ls-tree", there).splitlines() if there else []
        for name, content in files.items():
            blob = self.git("hash-object", "-w", "--stdin", given=content).strip()
            lines.append(f"100644 blob {blob}\t{name}")
        tree = self.git("mktree", given="".join(f"{line}\n" for line in lines)).strip()
        parent = ("-p", there) if there else ()
        commit = self.git("commit-tree", tree, *parent, "-m", "by somebody else").strip()
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def hook(self, text: str) -> None:
        """Let a script decide about what is pushed."""
        hook = self.path / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(text)
        hook.chmod(0o755)


def run_git(at: Path, *arguments: str, given: str = "") -> str:
    """Return what git prints."""
    done = subprocess.run(
        ["git", *arguments], cwd=at, input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
