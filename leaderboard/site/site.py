"""Everything that pages are made from, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from leaderboard.records.contest import Contest
from leaderboard.records.load import Ground, load_grounds
from leaderboard.reported.tables import ReportedPaper, load_papers
from leaderboard.site.addresses import Addresses, find_addresses
from leaderboard.typography import counted, day

File = str | bytes  # the content of one file of the site


@dataclass(frozen=True)
class Site:
    """The records of a results folder, where their pages are, and what papers print."""

    results: Path
    grounds: tuple[Ground, ...]
    contests: Mapping[str, Contest]  # by `Ground.label`
    addresses: Addresses
    papers: Mapping[str, ReportedPaper]  # by method

    @property
    def stamp(self) -> str:
        """Return what stands at the foot of every page: how much is shown, of when, made by what.

        It says nothing of the moment at which pages are made: the same records give the same pages.
        """
        runs = [run for ground in self.grounds for run in ground.runs]
        latest = max(run.record.started for run in runs)
        of = f"{counted(len(runs), 'run')} of {counted(len(self.addresses.titles), 'method')}"
        when = f", the latest of {day(latest)}" if latest else ""
        return f"{of}{when}. Pages by tbpr-bench {version('tbpr-bench')}."


def load_site(results: Path, reported: Path, always: bool = False) -> Site:
    """Read a results folder and a folder of reported figures.

    Shipped runs join those of the results; `always` all of them, else as `load_layered` says.

    Raises:
        ValueError: there is no run to show, or a file of reported figures is wrong.
    """
    grounds = tuple(load_grounds(results, always))
    return Site(
        results=results,
        grounds=grounds,
        contests={ground.label: Contest(ground, results) for ground in grounds},
        addresses=find_addresses(grounds),
        papers=load_papers(reported),
    )
