"""Which differences between methods are real: paired tests and intervals clustered by person."""

from harness.significance.classical import McNemar, mcnemar, paired_t, wilcoxon
from harness.significance.comparison import Comparison, Family, compare, compare_all, compare_pairs
from harness.significance.planning import (
    VarianceComponents,
    detectable_difference,
    identities_needed,
    seeds_needed,
    variance_components,
)
from harness.significance.ranking import Standing, holm, rank_groups

__all__ = [
    "Comparison",
    "Family",
    "McNemar",
    "Standing",
    "VarianceComponents",
    "compare",
    "compare_all",
    "compare_pairs",
    "detectable_difference",
    "holm",
    "identities_needed",
    "mcnemar",
    "paired_t",
    "rank_groups",
    "seeds_needed",
    "variance_components",
    "wilcoxon",
]
