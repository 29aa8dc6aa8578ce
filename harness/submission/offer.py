"""A bundle as it is offered to a board: verified, named, with what its keepers are told of it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from harness.data.declaration import Located
from harness.errors import HarnessError
from harness.files import slug
from harness.printable import printable
from harness.progress import Show
from harness.registry import Listing
from harness.results import RunRecord
from harness.submission.judging import Here, Judged, judge
from harness.submission.unpacking import Refused, unpack

FOLDER = "submissions"  # of a board's repository: every bundle in it is ranked
SHORT = 12  # characters of a hash in names
LONGEST_TITLE = 100
NAMED = 3  # methods that a file's name lists


@dataclass(frozen=True)
class Offer:
    """A bundle, and how a board is asked to take it."""

    file: Path
    path: str  # in the board's repository
    branch: str
    title: str
    body: str  # Markdown


@dataclass(frozen=True)
class Offered:
    """What became of an offer."""

    told: str  # what was done, or what is there already
    address: str = ""  # where it is discussed, or where that is begun
    advice: str = ""  # what is left to the user


def make_offer(
    bundle: Path,
    listings: Sequence[Listing] = (),
    datasets: Sequence[Located] = (),
    show: Show = lambda what, done, total: None,
) -> Offer:
    """Verify a bundle as the board will, and return what is sent.

    Raises:
        HarnessError: it is no bundle, or a figure in it does not follow from its ranks.
    """
    check_file(bundle)
    with tempfile.TemporaryDirectory(prefix="harness-submit-") as work:
        folder = Path(work) / "bundle"
        folder.mkdir()
        try:
            digest = unpack(bundle, folder)
            judged = judge(folder, Here(Path(work) / "results", listings, datasets), show)
        except Refused as error:
            raise HarnessError(
                f"{bundle} would be refused: {str(error).rstrip('.')}. Nothing was sent."
            ) from error
    return _describe(bundle, judged, digest[:SHORT])


def check_file(bundle: Path) -> None:
    """Raise a HarnessError where there is no such file."""
    if not bundle.is_file():
        raise HarnessError(f"There is no file {bundle}: `harness export` writes a bundle.")


def _describe(bundle: Path, judged: Judged, short: str) -> Offer:
    records = list(judged.records.values())
    methods = list(dict.fromkeys(record.method for record in records))
    datasets = list(dict.fromkeys(record.dataset for record in records))
    more = f"-and-{len(methods) - NAMED}-more" if len(methods) > NAMED else ""
    name = f"{slug('-'.join(methods[:NAMED]))[:LONGEST_TITLE]}{more}-{short}"
    title = f"Add {', '.join(methods)} on {', '.join(datasets)}"
    return Offer(
        file=bundle,
        path=f"{FOLDER}/{name}.zip",
        branch=f"submission-{short}",
        title=printable(title, LONGEST_TITLE),
        body=_body(judged, records),
    )


def _body(judged: Judged, records: Sequence[RunRecord]) -> str:
    """Return what the board's keepers read, in Markdown."""
    groups: dict[tuple[str, str, str], list[RunRecord]] = {}
    for record in records:
        groups.setdefault((record.name, record.mark, record.dataset), []).append(record)
    rows = [
        f"| {_cell(name)} | {mark or 'trained'} | {_cell(dataset)} | "
        f"{', '.join(str(one.seed) for one in sorted(of, key=lambda one: one.seed))} | "
        f"{mean(one.metrics['r1'] for one in of):.2f} |\n"
        for (name, mark, dataset), of in groups.items()
    ]
    by = _cell(judged.manifest.by) or "nobody is named"
    return (
        f"By {by}.\n\n| method | | dataset | seeds | R1 |\n|---|---|---|---|---|\n{''.join(rows)}\n"
        "Every figure was recomputed from its ranks by `harness submit`, as this repository's own "
        "checks do again.\n"
    )


def _cell(text: str) -> str:
    """Return a text of a bundle so that Markdown shows it as it is, in one cell."""
    shown = printable(" ".join(text.split()), 200)
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#~@" else c for c in shown)
