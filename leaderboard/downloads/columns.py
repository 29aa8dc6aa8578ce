"""What the names in the files mean."""

from __future__ import annotations

from harness.results import METRICS

_METRICS = ", ".join(METRICS)

COLUMNS = (
    (_METRICS, "Means over seeds, in percent. Below, r1 stands for each of them."),
    ("r1_low, r1_high", "Ends of the 95 % interval of the mean, over people and seeds, on its own:"
     " whether two overlap says nothing about their difference."),
    ("r1_by_seed", "The figure of each seed, in the order of “seeds”."),
    ("r1_rank, r1_last_rank", "The best and the worst place that the method may hold."),
    ("r1_reported", "What the paper of the method prints for the same dataset and scale."),
    ("r1_vs_row_above, r1_vs_full", "The row less the row above it, or less the method as"
     " published, in points, on the seeds that both have (their number is r1_vs_full_seeds)."),
    ("difference", "Method a less method b, in points."),
    ("low, high, p", "95 % interval and two-sided p-value of a difference: would it hold for other"
     " people and other seeds? Both are for all pairs of the ranking, or all comparisons of the"
     " ablation table, at once; the interval holds zero exactly where p is 0.05 or more."),
    ("difference_reported, outcome", "What papers print for the difference, and whether the one"
     " measured here agrees, disagrees, or is tied in print: less than 1.0 points apart. Its"
     " interval and p are for all pairs of methods, or all such differences of an ablation table,"
     " at once."),
    ("holds_for", "“other people” alone where each of the two has but one run."),
    ("printed, suspect", "What a paper prints, in percent with its decimals, and why it should not"
     " be relied on."),
    ("wins, ties, losses", "Queries on which a is better, equal or worse, on means over seeds."),
    ("query_milliseconds, cosine_milliseconds", "To rank the gallery for one query, re-ranked and"
     " by cosine alone, encoding left aside."),
    ("dir1, dir10, r1_foretold", "Detection and identification rate at false alarm rates of 1 and"
     " 10 %; R1 as 10,000 strangers let expect it."),
    ("shipped", "Whether the run came with the project: it was made, and timed, elsewhere."),
    ("key", "The content key: runs with one key have the same result."),
)  # fmt: skip
