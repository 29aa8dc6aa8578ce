"""What the names in the files mean."""

from __future__ import annotations

from harness.results import METRICS

_METRICS = ", ".join(METRICS)

COLUMNS = (
    (_METRICS, "Means over seeds, in percent. Below, r1 stands for each of them."),
    ("r1_low, r1_high", "Ends of the 95 % interval of the mean, of people and, from three seeds on,"
     " of seeds."),
    ("r1_by_seed", "The figure of each seed, in the order of “seeds”."),
    ("r1_rank, r1_last_rank", "The best and the worst place that the method may hold."),
    ("r1_reported", "What the paper of the method prints for the same dataset and scale."),
    ("r1_vs_row_above, r1_vs_full", "The row less the row above it, or less the method as"
     " published, in points; with the ends of its 95 % interval."),
    ("difference", "Method a less method b, in points; low and high are the ends of its 95 %"
     " interval."),
    ("p, p_corrected", "Two-sided p-value of sign flips of whole people, alone and corrected: for"
     " all pairs of a ranking by MaxT, for the pairs of an ablation by Holm."),
    ("wins, ties, losses", "Queries on which a is better, equal or worse, on means over seeds."),
    ("needs_more_seeds", "Seeds spread so far that the interval is too short."),
    ("query_milliseconds, cosine_milliseconds", "To rank the gallery for one query, re-ranked and"
     " by cosine alone, encoding left aside."),
    ("key", "The content key: runs with one key have the same result."),
)  # fmt: skip
