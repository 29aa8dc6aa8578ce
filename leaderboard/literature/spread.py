"""How far apart two runs of one method may lie by their seeds alone: below it, a gain is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from harness.results import METRICS
from harness.results.agreement import MARGIN
from leaderboard.dataset_card import dataset_title
from leaderboard.records.estimates import PRIMARY
from leaderboard.records.load import Ground
from leaderboard.site.site import Site
from leaderboard.typography import counted, fixed

SHARE = 0.95


@dataclass(frozen=True)
class SeedSpread:
    """The difference in points that seeds alone reach, and where it is from."""

    reach: float
    words: str


STATED = SeedSpread(
    float(MARGIN),
    "No method here was run on photographs with several seeds, and none of these papers prints how"
    f" far its seeds spread. {MARGIN:.1f} points stand in, the margin below which figures in print"
    " count as a tie on the page of the protocol: a convention, which nobody measured.",
)


def find_spread(site: Site, dataset: str) -> SeedSpread:
    """Return what this board measured on a dataset, else on the photographs where most runs do.

    Figures in print are of photographs, and drawn people say nothing of these.

    Two runs differ by their seeds with a variance of twice that of one; what 95 of 100 such pairs
    stay below is the repeatability limit of ISO 5725. Where nothing was measured, it is a
    convention.
    """
    measured = [
        (ground, math.sqrt(spread.whole), spread.whole_degrees)
        for ground in site.grounds
        if not ground.is_drawn
        and (spread := site.contests[ground.label].ledger.spreads.get(PRIMARY))
    ]
    same = [one for one in measured if one[0].dataset == dataset]
    if not measured:
        return STATED
    ground, deviation, degrees = max(same or measured, key=lambda one: one[2])
    reach = NormalDist().inv_cdf((1 + SHARE) / 2) * math.sqrt(2) * deviation
    return SeedSpread(reach, _say(ground, deviation, degrees, reach, is_same=bool(same)))


def _say(ground: Ground, deviation: float, degrees: int, reach: float, *, is_same: bool) -> str:
    where = f"{dataset_title(ground)}, suite {ground.suite}"
    elsewhere = "" if is_same else " Nothing was run with several seeds on this dataset itself."
    return (
        f"Measured here on {where}: {METRICS[PRIMARY]} differs from seed to seed with a"
        f" standard deviation of {fixed(deviation, 2)} points"
        f" ({counted(degrees, 'degree')} of freedom), so that by seeds alone two runs of one method"
        f" lie up to {fixed(reach, 2)} points apart in {100 * SHARE:g} % of cases.{elsewhere}"
    )
