"""`harness new-board`: the repository of a public board, which verifies what is sent to it."""

from __future__ import annotations

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

    texts = {name: (TEMPLATES / file).read_text(encoding="utf-8") for name, file in FILES.items()}
    texts["README.md"] = texts["README.md"].replace("NAME", folder.resolve().name, 1)
    texts[WITHDRAWN] = "file,date,reason\n"
    ours = f"tbpr-bench=={version('tbpr-bench')}"
    texts[REQUIREMENTS] = f"{requirement or ours}\n"
    if there := [name for name in texts if (folder / name).exists()]:
        raise HarnessError(
            f"{folder} holds {', '.join(there)} already: name another folder, or move them away."
        )
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    terminal.note(f"Written: {', '.join(map(str, sorted(texts)))} in {folder}. Next:")
    for step in (
        f"cd {folder} && git init --initial-branch main && git add . && git commit -m 'A board'",
        "git push OWNER/REPOSITORY, then Settings, Pages, Source: GitHub Actions",
    ):
        terminal.console.print(f"  {step}", highlight=False)
