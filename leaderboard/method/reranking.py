"""A method's trained weights, re-ranked: under which name, at what gain and at what cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from harness.errors import HarnessError
from harness.results import PRIMARY_EVALUATION, EvaluationRecord
from harness.results.answers import Answers, check_comparable, read_answers
from leaderboard.ablations.corrected import unpaired
from leaderboard.ablations.views import Cost
from leaderboard.records.contest import check_usable
from leaderboard.records.ledger import Entry, Ledger, Pair
from leaderboard.records.load import FULL, Run, as_seen_from, finite
from leaderboard.typography import fixed

NEVER_ENDED = "it left no figures that can be read"
# What a reader must know of a re-ranking, by its name.
CAUTIONS = {
    "k-reciprocal": "k-reciprocal encoding looks at all queries together, so what one query finds"
    " depends on the other queries.",
}


@dataclass(frozen=True)
class Reranked:
    """The finished runs of which a re-ranking was asked, with what is known of it."""

    name: str  # of its folder
    runs: tuple[Run, ...]

    @property
    def records(self) -> list[EvaluationRecord]:
        """What is known of it, run by run."""
        return [run.further[self.name] for run in self.runs]

    @property
    def rerank(self) -> str:
        """The re-ranking with its settings, as the command line takes it."""
        return self.records[-1].rerank

    @property
    def label(self) -> str:
        """The same in words."""
        name, _, settings = self.rerank.partition(":")
        words = [_in_words(setting) for setting in settings.split(",") if setting]
        return f"re-ranked: {name}" + (f" ({', '.join(words)})" if words else "")

    @property
    def caution(self) -> str:
        """What a reader must know, or nothing."""
        return CAUTIONS.get(self.rerank.partition(":")[0], "")

    @property
    def reported_as(self) -> tuple[str, ...]:
        """What the paper of the method calls it."""
        return tuple(str(label) for label in self.records[-1].reported_as)

    @property
    def made(self) -> list[Run]:
        """The runs that have its figures."""
        return [run for run in self.runs if self.name in (run.evaluations or {})]

    @property
    def failed(self) -> list[Run]:
        """The runs that lack them."""
        return [run for run in self.runs if self.name not in (run.evaluations or {})]

    @property
    def gain(self) -> Pair:
        """What is compared, as an entry of the method as published for each evaluation."""
        return (FULL, self.name), (FULL, PRIMARY_EVALUATION)

    @property
    def cost(self) -> Cost | None:
        """How long a query takes, mean over seeds; None where it was not measured."""
        records = [run.further[self.name] for run in self.made]
        reranked = _mean([record.query_milliseconds for record in records])
        cosine = _mean([record.cosine_milliseconds for record in records])
        if not reranked or not cosine:
            return None
        factor = reranked / cosine
        return Cost(_short(cosine), _short(reranked), fixed(factor, 1 if factor < 9.95 else 0))


def find_rerankings(runs: Sequence[Run]) -> tuple[Reranked, ...]:
    """Return what finished runs were re-ranked with, by name."""
    found = {name for run in runs for name, one in run.further.items() if one.rerank}
    names = sorted(found - {PRIMARY_EVALUATION})
    return tuple(
        Reranked(name, tuple(run for run in runs if name in run.further)) for name in names
    )


def compare_rerankings(
    runs: Sequence[Run], rerankings: Sequence[Reranked], results: Path
) -> Ledger:
    """Compare each re-ranking with the ranked evaluation of the same weights.

    One that lacks a seed is not compared, and neither is any where the ranked answers are lost.
    """
    made = {one.gain[0]: one.made for one in rerankings}
    reasons = {
        entry: f"made with {unpaired(_seeds(of_one), _seeds(runs))}"
        for entry, of_one in made.items()
        if 0 < len(of_one) < len(runs)
    }
    whole = [entry for entry, of_one in made.items() if len(of_one) == len(runs)]
    if not whole:
        return Ledger(silent=reasons)
    try:
        ranked = _read(runs, PRIMARY_EVALUATION)
    except HarnessError as error:
        return Ledger(silent=reasons | dict.fromkeys(whole, _shown(error, results)))
    answers: dict[Entry, Answers] = {}
    for entry in whole:
        try:
            answers[entry] = _read(runs, entry[1])
            check_comparable([ranked, answers[entry]])
        except HarnessError as error:
            answers.pop(entry, None)
            reasons[entry] = _shown(error, results)
    if not answers:
        return Ledger(silent=reasons)
    return Ledger({(FULL, PRIMARY_EVALUATION): ranked, **answers}, silent=reasons)


def _read(runs: Sequence[Run], evaluation: str) -> Answers:
    answers = read_answers(evaluation, [run.stored for run in runs], evaluation)
    check_usable(answers)
    return answers


def _shown(error: HarnessError, results: Path) -> str:
    return as_seen_from(results, str(error)).rstrip(".")


def _seeds(runs: Sequence[Run]) -> list[str]:
    return [str(run.record.seed) for run in runs]


def _in_words(setting: str) -> str:
    """Write "original_weight=0.3" as "original weight 0.3"."""
    name, _, value = setting.partition("=")
    return f"{name.replace('_', ' ')} {value}".strip()


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in map(finite, values) if value and value > 0]
    return fmean(known) if known else None


def _short(value: float) -> str:
    """Write a duration with two significant digits, up to four decimals."""
    return fixed(value, min(4, max(0, 1 - math.floor(math.log10(value)))))
