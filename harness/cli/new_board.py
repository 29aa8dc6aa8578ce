"""`harness new-board`: the repository of a public board, which verifies what is sent to it."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import HarnessError

TEMPLATES = Path(__file__).parents[1] / "submission" / "board"
# What is written where, from which template.
FILES = {
    "README.md": "README.md",
    ".github/workflows/board.yml": "board.yml",
    "submissions/README.md": "submissions.md",
}
WITHDRAWN = "withdrawn.csv"
REQUIREMENTS = "requirements.txt"
VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")  # that pip reads from its environment: no secret itself


def new_board(
    folder: Annotated[Path, typer.Argument(help="The folder to write, a repository or none yet.")],
    requirement: Annotated[
        str | None,
        typer.Option(
            "--harness",
            help="What pip installs this project from, for its checks: by default this version's "
            "name; else an address, as git+https://....",
        ),
    ] = None,
) -> None:
    """Write the repository of a board: its rules, and the checks that verify and show every row.

    Push it to GitHub and choose GitHub Actions under Settings, Pages: then `harness submit` sends
    bundles to it.
    """
    from harness.cli.display import terminal

    _refuse_no_folder(folder)
    ours = f"tbpr-bench=={version('tbpr-bench')}"
    requirements = _one_requirement(ours if requirement is None else requirement)
    texts = {name: (TEMPLATES / file).read_text(encoding="utf-8") for name, file in FILES.items()}
    texts["README.md"] = texts["README.md"].replace("NAME", folder.resolve().name, 1)
    texts[WITHDRAWN] = "file,date,reason\n"
    texts[REQUIREMENTS] = f"{requirements}\n"
    if there := [name for name in texts if (folder / name).exists()]:
        raise HarnessError(
            f"{folder} holds {', '.join(there)} already: name another folder, or move them away."
        )
    try:
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            f"{folder} cannot be written: {error.strerror}. Name a folder that you may write to."
        ) from error
    terminal.note(f"Written: {', '.join(map(str, sorted(texts)))} in {folder}. Next:")
    for step in (
        f"cd {shlex.quote(str(folder))} && git init --initial-branch main && "
        "git add . && git commit -m 'A board'",
        "git push OWNER/REPOSITORY, then Settings, Pages, Source: GitHub Actions",
    ):
        terminal.console.print(f"  {step}", highlight=False, markup=False, soft_wrap=True)


def _refuse_no_folder(folder: Path) -> None:
    """Raise where a file stands where the folder, or one above it, has to be."""
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise HarnessError(f"{folder} is no folder to write: {error.strerror}.") from error
    if not there.is_dir():
        raise HarnessError(f"{there} is a file, not a folder: name another place for the board.")


def _one_requirement(requirement: str) -> str:
    """Return what pip installs, if it is one line without a password: it is going to be pushed."""
    if len(requirement.splitlines()) != 1 or not requirement.strip():
        raise HarnessError("--harness has to be one line, what pip installs this project from.")
    if _holds_secret(VARIABLE.sub("", requirement)):
        raise HarnessError(
            "--harness holds a password or a token, and would be pushed for all to read: name an "
            "address without one."
        )
    return requirement.strip()


def _holds_secret(requirement: str) -> bool:
    """Tell whether an address has a user before its host, but for git, or a query."""
    _, scheme, rest = requirement.partition("://")
    if not scheme:
        return re.search(r":\S*@", requirement) is not None
    authority, _, path = rest.partition("/")
    user, at, _ = authority.rpartition("@")
    if at and user.strip(":") not in ("", "git"):
        return True
    # A password with a slash is cut at it: what stands there is no number of a port.
    port = authority.rpartition("@")[2].partition(":")[2]
    return bool(port and not port.isdigit()) or "?" in path
