"""Checks files of figures before they are added: `python -m leaderboard.literature FILE...`.

Without a file, all that ship. A file that is wrong is told in one line, and ends it with status 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from leaderboard.literature.methods import find_methods
from leaderboard.literature.rows import fold
from leaderboard.reported.tables import FOLDER, ReportedPaper, load_papers, read_paper
from leaderboard.typography import counted

MOST_NAMED = 40  # new names that are told


def main(arguments: Sequence[str]) -> int:
    """Check files and print what they hold; return the exit status."""
    paths = [Path(one) for one in arguments] or sorted(FOLDER.glob("*.yaml"))
    held = load_papers(FOLDER)
    status = 0
    for path in paths:
        try:
            print(describe(read_paper(path), held))
        except (ValueError, OSError) as error:
            print(error, file=sys.stderr)
            status = 1
    return status


def describe(paper: ReportedPaper, held: dict[str, ReportedPaper]) -> str:
    """Say how much a paper prints, and which names no other paper has: one may be a new spelling.

    Takes the papers that are held, with or without it.
    """
    figures = [one for table in paper.tables for row in table.rows for one in row.figures if one]
    suspect = sum(bool(figure.suspect) for figure in figures)
    others = {name: one for name, one in held.items() if name != paper.method}
    known = {fold(method.name) for method in find_methods(others)}
    new = [one.name for one in find_methods({paper.method: paper})
           if fold(one.name) not in known | {fold(paper.title)}]  # fmt: skip
    said = (
        f"{paper.method}.yaml: {counted(len(figures), 'figure')} in"
        f" {counted(len(paper.tables), 'table')}, {suspect} of them suspect."
    )
    if not new:
        return said
    more = f" and {len(new) - MOST_NAMED} more" if len(new) > MOST_NAMED else ""
    return (
        f"{said} No other paper here prints {', '.join(new[:MOST_NAMED])}{more}; what is a new"
        " spelling of a name that is known belongs under `names`."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
