"""The page of the protocol: definitions in words, with the figures that the code goes by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from harness.results.agreement import MARGIN
from harness.significance import classical, simultaneous, spread
from leaderboard.agreement.section import find_sections
from leaderboard.crowds import of_ground as among_crowds
from leaderboard.crowds.views import CrowdSection
from leaderboard.protocol.inflation import find_inflation
from leaderboard.protocol.references import REFERENCES
from leaderboard.protocol.views import Constants, ProtocolPage, Recorded
from leaderboard.protocol.worked_example import worked_example
from leaderboard.records.ledger import Entry
from leaderboard.robustness import of_ground
from leaderboard.robustness.views import NoiseSection
from leaderboard.site.render import render_page
from leaderboard.site.site import File, Site
from leaderboard.typography import counted, plain

FILE = "protocol.html"
# What docs/significance.py found; a test holds them to its table.
FALSE_ALARMS = "4.3 to 5.6"
COVERAGE = "94.6 to 95.9"
FLIPS = "21.8"


def make_files(site: Site) -> dict[str, File]:
    """Return the page of the protocol."""
    page = ProtocolPage(
        example=worked_example(),
        constants=_constants(),
        recorded=_recorded(site),
        inflation=find_inflation(site),
        noise=_noise(site),
        crowds=_crowds(site),
        agreement=find_sections(site),
        references=REFERENCES,
    )
    return {FILE: render_page("protocol", page, FILE, site.stamp)}


def _noise(site: Site) -> tuple[NoiseSection, ...]:
    """Return what noise does to the methods of each ground where some was trained with it."""
    addresses = site.addresses

    def where(ground: str, entry: Entry) -> str:
        return f"{addresses.page(entry[0])}#{quote('noise-' + addresses.anchors[ground])}"

    found = (
        of_ground(
            ground, addresses.titles, partial(where, ground.label),
            f"noise-{addresses.anchors[ground.label]}",
        )
        for ground in site.grounds
    )  # fmt: skip
    return tuple(section for section in found if section)


def _crowds(site: Site) -> tuple[CrowdSection, ...]:
    """Return how the galleries of each ground grow where some method was asked among a crowd."""
    addresses = site.addresses
    return tuple(
        section
        for ground in site.grounds
        for section in among_crowds(
            ground, addresses.titles, addresses.page, f"crowd-{addresses.anchors[ground.label]}"
        )
    )


def _constants() -> Constants:
    return Constants(
        draws=f"{simultaneous.DRAWS:,}",
        least_p=f"1 / {simultaneous.DRAWS + 1:,}",
        prior=str(spread.PRIOR),
        level=f"{100 * simultaneous.LEVEL:g}",
        threshold=f"{simultaneous.LEVEL:g}",
        confidence=f"{100 * (1 - simultaneous.LEVEL):g}",
        least_discordant=str(classical.LEAST_DISCORDANT),
        false_alarms=FALSE_ALARMS,
        coverage=COVERAGE,
        flips=FLIPS,
        margin=f"{MARGIN:.1f}",
    )


def _recorded(site: Site) -> tuple[Recorded, ...]:
    """Return every protocol that a run recorded, with the number of its runs."""
    runs: dict[tuple[tuple[str, str], ...], int] = {}
    for ground in site.grounds:
        for run in ground.runs:
            facts = _facts(run.record.protocol)
            runs[facts] = runs.get(facts, 0) + 1
    return tuple(Recorded(counted(number, "run"), facts) for facts, number in runs.items() if facts)


def _facts(protocol: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (str(name).replace("_", " ").capitalize(), plain(value)) for name, value in protocol.items()
    )
