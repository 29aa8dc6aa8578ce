"""Files of one seed, opened and matched with a split, and then scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.data.schema import Split
from harness.errors import HarnessError
from harness.files import hash_file
from harness.handed_in import trec
from harness.handed_in.files import READERS
from harness.handed_in.layout import Handed, read_handed
from harness.handed_in.matching import Match, Others, match
from harness.handed_in.scoring import Scored, score
from harness.printable import printable
from harness.progress import Show
from harness.results.handed_in import HandedFile, HandedIn, Similarity, What

BY_NAMES = "names of queries and documents"


@dataclass(frozen=True)
class Opened:
    """Files of one seed whose rows are those of a split."""

    files: tuple[Path, ...]
    handed_in: HandedIn
    arrays: tuple[Handed, Match] | None  # None of a run of TREC's

    def score(self, split: Split, others: Others, show: Show) -> Scored:
        """Score them. Raises HarnessError: they hold what cannot be ranked."""
        if self.arrays is None:
            return trec.score_run(self.files[0], split, others, show)
        return score(*self.arrays, split, self.handed_in.similarity, show)


def open_files(
    files: Sequence[Path], split: Split, others: Others, similarity: str, seeded: bool
) -> Opened:
    """Open the files of one seed: one, or one of captions and one of images.

    Args:
        others: the other splits of the dataset, so that a file of one of them is told.
        similarity: how features are compared, cosine or dot; empty where it was not said.
        seeded: whether the seed of the files is known.

    Raises:
        HarnessError: they cannot be read, or their rows are not those of the split.
    """
    if missing := [file for file in files if not file.is_file()]:
        raise HarnessError(f"There is no file {printable(str(missing[0]))}.")
    if files[0].suffix in trec.SUFFIXES and len(files) == 1:
        return Opened(tuple(files), _told("run", files, "given", BY_NAMES, True, seeded), None)
    if unknown := [file for file in files if file.suffix not in READERS]:
        raise HarnessError(
            f"{printable(str(unknown[0]))}: of arrays a file ends in {', '.join(READERS)}, of a "
            f"run of TREC's in {', '.join(trec.SUFFIXES)}."
        )
    handed = read_handed(files)
    compared = _compared(handed, similarity)
    matched = match(handed, split, others)
    what: What = "features" if handed.similarity is None else "similarity"
    about = _told(what, files, compared, matched.by, matched.order_checked, seeded)
    return Opened(tuple(files), about, (handed, matched))


def _compared(handed: Handed, similarity: str) -> Similarity:
    """Return how features are compared, which whoever made them has to say."""
    if handed.similarity is not None:
        return "given"
    if similarity == "cosine":
        return "cosine"
    if similarity == "dot":
        return "dot"
    raise HarnessError(
        f"{handed.name} holds features: say --similarity cosine, or --similarity dot where the "
        "method compares by the plain product."
    )


def _told(
    what: What, files: Sequence[Path], similarity: Similarity, by: str, checked: bool, seeded: bool
) -> HandedIn:
    hashed = tuple(HandedFile(file.name, hash_file(file)) for file in files)
    return HandedIn(what, hashed, similarity, by, checked, seeded)
