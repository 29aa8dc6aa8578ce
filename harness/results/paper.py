"""Where a method comes from: its paper, and what it was trained on beside the benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

MOST_NAMED = 5  # authors of a citation
UNDISCLOSED = "undisclosed"  # where nothing is said


@dataclass(frozen=True)
class Paper:
    """A paper as a bibliography needs it."""

    title: str
    authors: tuple[str, ...] = ()  # "Ding Jiang", in the paper's order
    year: int | None = None
    venue: str = ""  # "CVPR", or the name of a journal
    url: str = ""
    kind: Literal["inproceedings", "article", "misc"] = "inproceedings"  # as BibTeX calls it

    def __str__(self) -> str:
        """Cite it in a line: "Jiang and Ye, Title, CVPR 2023"."""
        where = " ".join(filter(None, (self.venue, str(self.year or ""))))
        return ", ".join(filter(None, (self._authors(), self.title, where)))

    def _authors(self) -> str:
        names = [author.split()[-1] for author in self.authors if author.strip()]
        if len(names) > MOST_NAMED:
            return f"{names[0]} et al."
        return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


@dataclass(frozen=True)
class ExtraData:
    """What a method was trained on beside the pairs of the benchmark; all empty: nothing.

    Each entry names what it is and where it comes from.
    """

    weights: tuple[str, ...] = ()  # pre-trained ones that it starts from
    pairs: tuple[str, ...] = ()  # further images with captions
    captions: tuple[str, ...] = ()  # made by a model, and by which
    people: tuple[str, ...] | None = None  # images of people seen before; None where not said

    @property
    def seen_people(self) -> str:
        """Whether it saw images of people before: "with", "without" or "undisclosed"."""
        if self.people is None:
            return UNDISCLOSED
        return "with" if self.people else "without"

    def __str__(self) -> str:
        return "; ".join(self._lines()) or "none"

    def _lines(self) -> Iterator[str]:
        for kind in ("weights", "pairs", "captions", "people"):
            if told := getattr(self, kind):
                yield f"{kind}: {', '.join(told)}"
