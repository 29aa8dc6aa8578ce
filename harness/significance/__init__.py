"""Which differences between methods are real: paired by query, for other people and other seeds."""

from harness.significance.classical import McNemar, mcnemar, paired_t, wilcoxon
from harness.significance.comparison import Comparison, Family, compare, compare_all, compare_pairs
from harness.significance.concordance import Concordance, Order, concordance_of, measure_order
from harness.significance.planning import (
    VarianceComponents,
    detectable_difference,
    identities_needed,
    seeds_needed,
    variance_components,
)
from harness.significance.ranking import Standing, rank_groups, undecided_groups
from harness.significance.rounding import cut_probability, round_end
from harness.significance.simultaneous import LEVEL
from harness.significance.spread import Spread, measure_spread

__all__ = [
    "LEVEL",
    "Comparison",
    "Concordance",
    "Family",
    "McNemar",
    "Order",
    "Spread",
    "Standing",
    "VarianceComponents",
    "compare",
    "compare_all",
    "compare_pairs",
    "concordance_of",
    "cut_probability",
    "detectable_difference",
    "identities_needed",
    "mcnemar",
    "measure_order",
    "measure_spread",
    "paired_t",
    "rank_groups",
    "round_end",
    "seeds_needed",
    "undecided_groups",
    "variance_components",
    "wilcoxon",
]
