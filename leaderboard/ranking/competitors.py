"""Who competes on a ground: the methods as published, their figures, costs and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from statistics import fmean

from harness.results.paper import UNDISCLOSED, ExtraData
from leaderboard.ranking.scores import Place, Scores, find_places, score
from leaderboard.records.contest import Contest
from leaderboard.records.elsewhere import Elsewhere, find_elsewhere
from leaderboard.records.estimates import PRIMARY, Summary, missing_notes
from leaderboard.records.load import FULL, Ground, Run, finite
from leaderboard.site.addresses import list_failures
from leaderboard.site.site import Site
from leaderboard.typography import plain
from leaderboard.views import Note


@dataclass(frozen=True)
class Competitor:
    """A method on one ground, with its runs as published."""

    method: str
    runs: list[Run]
    scores: Scores
    is_fixed: bool = False  # seeds make no difference

    @property
    def place(self) -> Place | None:
        """Return what ranks it; None where it cannot be compared with the others."""
        primary = self.scores[PRIMARY]
        return primary.place if primary else None

    @property
    def is_ranked(self) -> bool:
        return self.place is not None

    @property
    def mean(self) -> float:
        """Return the mean that orders it; -1 where there is none."""
        primary = self.scores[PRIMARY]
        return primary.summary.mean if primary else -1.0

    @property
    def seeds(self) -> int:
        """Return how many seeds its figures are of; of what is fixed, one run is all there is."""
        finished = sum(run.finished for run in self.runs)
        return min(finished, 1) if self.is_fixed else finished

    @property
    def supervision(self) -> str:
        return self.runs[-1].record.supervision if self.runs else ""

    @property
    def backbone(self) -> str:
        return plain(self.runs[-1].record.recipe.get("backbone", "")) if self.runs else ""

    @property
    def extra_data(self) -> ExtraData | None:
        """Return what it was trained on beside the benchmark; None where nothing is said."""
        told = [run.record.extra_data for run in self.runs if run.record.extra_data]
        return told[-1] if told else None

    @property
    def seen_people(self) -> str:
        """Whether it saw images of people before: "with", "without" or "undisclosed"."""
        return self.extra_data.seen_people if self.extra_data else UNDISCLOSED

    @property
    def summaries(self) -> Mapping[str, Summary | None]:
        """Return the figures alone."""
        return {metric: one.summary if one else None for metric, one in self.scores.items()}

    def mean_of(self, field: str) -> float:
        """Return the mean of a record's field over finished runs; 0 means that none measured it."""
        found = [finite(getattr(run.record, field)) or 0.0 for run in self.runs if run.finished]
        return fmean(found) if found else 0.0


@dataclass(frozen=True)
class Board:
    """Everyone who competes on a ground."""

    site: Site
    ground: Ground
    competitors: tuple[Competitor, ...]

    @property
    def contest(self) -> Contest:
        return self.site.contests[self.ground.label]

    @property
    def anchor(self) -> str:
        return self.site.addresses.anchors[self.ground.label]

    @cached_property
    def ranked(self) -> list[Competitor]:
        """Return those who can be compared, by rank and then by mean."""
        placed = [(one.place.rank, one) for one in self.competitors if one.place]
        return [one for _, one in sorted(placed, key=lambda found: (found[0], -found[1].mean))]

    @cached_property
    def apart(self) -> list[Competitor]:
        """Return the others, those with a figure first."""
        others = [one for one in self.competitors if not one.is_ranked]
        return sorted(others, key=lambda one: -one.mean)

    @cached_property
    def elsewhere(self) -> tuple[Elsewhere, ...]:
        """Return the other datasets on which what was trained here can be compared."""
        return find_elsewhere(self.ground)

    @property
    def most_seeds(self) -> int:
        """Return the most seeds of a ranked method; where none is ranked, of any."""
        return max(competitor.seeds for competitor in self.ranked or self.competitors)

    def key(self, competitor: Competitor) -> str:
        """Return what names a method in the address of a view: the name of its page's file."""
        return PurePosixPath(self.site.addresses.files[competitor.method]).stem


def make_board(site: Site, ground: Ground) -> Board:
    """Gather every method that ran anywhere in the suite: each owes a figure on each dataset."""
    contest = site.contests[ground.label]
    places = find_places(contest)
    suite = [other for other in site.grounds if other.suite == ground.suite]
    runs = {name: ground.full(name) for name in sorted({n for g in suite for n in g.methods})}
    fixed = {method for (method, variant), answers in contest.answers.items()
             if variant == FULL and answers.is_fixed}  # fmt: skip
    competitors = (
        Competitor(method, full, score(contest, method, full, places), method in fixed)
        for method, full in runs.items()
    )
    return Board(site, ground, tuple(competitors))


def notes(board: Board, competitor: Competitor) -> tuple[Note, ...]:
    """Say what a row with figures lacks, seeds, runs or metrics, and what of it ships."""
    missing = missing_notes(competitor.summaries, competitor.seeds)
    shipped = _shipped(competitor)
    return (*_seeds(board, competitor), *shipped, *_failed(board, competitor), *missing)


def reasons(board: Board, competitor: Competitor) -> tuple[Note, ...]:
    """Say why a method is not ranked."""
    silent = board.contest.silent.get((competitor.method, FULL), "")
    if competitor.scores[PRIMARY] is not None:
        return (Note(silent),)
    failed = _failed(board, competitor)
    if competitor.seeds:
        reason = "finished, but recorded no R1"
    elif failed:
        reason = "no run gave a result"
    else:
        reason = "not run as published on this dataset"
    return (Note(reason), *failed)


def _seeds(board: Board, competitor: Competitor) -> Sequence[Note]:
    """Say what its number of seeds leaves open."""
    most = board.most_seeds
    if competitor.is_fixed and most > 1:
        return [Note("one run: other people only")]
    return [Note(f"others have {most}")] if competitor.seeds < most else []


def _shipped(competitor: Competitor) -> Sequence[Note]:
    """Say how many of the runs behind a row came with the project."""
    finished = [run for run in competitor.runs if run.finished]
    count = sum(run.is_shipped for run in finished)
    if not count:
        return []
    return [Note("shipped" if count == len(finished) else f"{count} shipped")]


def _failed(board: Board, competitor: Competitor) -> Sequence[Note]:
    """Say which runs of the method as published ended without a result."""
    return [
        Note(f"seed {failure.seed}: {failure.status}", failure.href)
        for failure in list_failures(board.ground, competitor.method, board.site.addresses)
        if failure.variant == FULL
    ]
