"""What methods that were trained on one ground answered on the test data of another dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.errors import HarnessError
from harness.results.answers import Answers, read_answers
from harness.significance import Family, compare_all
from leaderboard.records.contest import check_usable
from leaderboard.records.ledger import family_name
from leaderboard.records.load import FULL, Ground, Run
from leaderboard.typography import plain


@dataclass(frozen=True)
class Elsewhere:
    """Methods as published, by the queries of a dataset that they were not trained on."""

    title: str
    answers: Mapping[str, Answers]  # by method
    _families: dict[str, Family] = field(default_factory=dict, compare=False)  # by metric

    def family(self, metric: str) -> Family:
        """Compare all pairs of the methods, two or more."""
        if metric not in self._families:
            values = {family_name((name, FULL)): one.values[metric]
                      for name, one in self.answers.items()}  # fmt: skip
            people = next(iter(self.answers.values())).people
            self._families[metric] = compare_all(values, people)
        return self._families[metric]


def find_elsewhere(ground: Ground) -> tuple[Elsewhere, ...]:
    """Return the other datasets on which two or more methods can be compared, by first use."""
    found: dict[str, dict[str, Answers]] = {}
    for method in ground.methods:
        runs = [run for run in ground.full(method) if run.finished]
        for title, evaluation in evaluations_elsewhere(runs).items():
            answers = _read(method, runs, evaluation)
            if answers:
                found.setdefault(title, {})[method] = answers
    alike = {title: _alike(of_title) for title, of_title in found.items()}
    return tuple(Elsewhere(title, kept) for title, kept in alike.items() if len(kept) > 1)


def evaluations_elsewhere(runs: Sequence[Run]) -> dict[str, str]:
    """Return by title of a dataset the name of the evaluation on it."""
    return {
        plain(one.on.get("title") or one.on.get("name", "")): name
        for run in runs
        for name, one in run.further.items()
        if one.on and one.error is None
    }


def _read(method: str, runs: list[Run], evaluation: str) -> Answers | None:
    """Read what can be read; a run that lacks the evaluation leaves the method out."""
    try:
        answers = read_answers(method, [run.stored for run in runs], evaluation)
        check_usable(answers)
    except HarnessError:
        return None
    return answers


def _alike(found: Mapping[str, Answers]) -> dict[str, Answers]:
    """Keep those that answered the same queries, with the seeds that most have."""
    seeded = [one for one in found.values() if not one.is_fixed] or list(found.values())
    kinds = Counter((one.seeds, one.queries.tobytes()) for one in seeded)
    seeds, queries = kinds.most_common(1)[0][0]
    return {
        method: one
        for method, one in found.items()
        if one.queries.tobytes() == queries and (one.is_fixed or one.seeds == seeds)
    }
