"""What every method and variant of a ground answered, and the comparisons that pages ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.data.digest import Digest
from harness.data.shipped_digest import find_digest
from harness.errors import HarnessError
from harness.results import METRICS
from harness.results.answers import Answers, check_comparable, read_answers, restrict
from harness.results.seed_spread import read_spread
from harness.results.versions import why_apart
from harness.significance import Comparison, Family, compare_all
from leaderboard.records.described import Described, describe
from leaderboard.records.ledger import Entry, Ledger, family_name
from leaderboard.records.load import FULL, Ground, as_seen_from


class Contest:
    """The per-query answers on one ground, read when first asked for and kept."""

    def __init__(self, ground: Ground, results: Path) -> None:
        self.ground = ground
        # Entries whose answers cannot be used, and why; files are named from the results on.
        self.silent: dict[Entry, str] = {}
        self._results = results
        self._families: dict[str, Family] = {}  # by metric

    @cached_property
    def answers(self) -> Mapping[Entry, Answers]:
        """The answers of every entry that can be compared with most methods as published.

        Methods as published have the same seeds; a variant may have fewer of them.
        """
        found: dict[Entry, Answers] = {}
        for method, variants in self.ground.methods.items():
            for variant in variants:
                self._read((method, variant), found)
        return self._alike(found)

    @cached_property
    def published(self) -> tuple[Entry, ...]:
        """The methods as published that can be compared."""
        return tuple(entry for entry in self.answers if entry[1] == FULL)

    @cached_property
    def digest(self) -> Digest | None:
        """What may be shown of the dataset that the answers are about; None where it is lost."""
        if not self.answers:
            return None
        first = next(iter(self.answers.values()))
        digest = find_digest(self._results, first.suite, first.dataset, first.fingerprint)
        return digest if digest and len(digest.words) == len(first.queries) else None

    @cached_property
    def described(self) -> Described | None:
        """What captions say of the queries and of the gallery; None where that is not known."""
        return describe(self.digest) if self.digest else None

    @cached_property
    def ledger(self) -> Ledger:
        """The comparisons of any entries, by how far the seeds of the ground spread."""
        published = [self.answers[entry] for entry in self.published]
        seeded = [one for one in (*published, *self.answers.values()) if not one.is_fixed]
        beside = seeded[0] if seeded else None
        records = [run.record for run in self.ground.runs]
        spreads = {metric: read_spread(records, beside, metric) if beside else None
                   for metric in METRICS}  # fmt: skip
        return Ledger(self.answers, spreads)

    def family(self, metric: str) -> Family | None:
        """Compare all pairs of methods as published; None where there are not two."""
        if len(self.published) < 2:
            return None
        if metric not in self._families:
            values = {family_name(e): self.answers[e].values[metric] for e in self.published}
            people = self.answers[self.published[0]].people
            self._families[metric] = compare_all(values, people, self.ledger.spreads[metric])
        return self._families[metric]

    def _read(self, entry: Entry, found: dict[Entry, Answers]) -> None:
        runs = [run.stored for run in self.ground.methods[entry[0]][entry[1]]]
        try:
            answers = read_answers(family_name(entry), runs)
            check_usable(answers)
            found[entry] = answers
        except HarnessError as error:
            self.silent[entry] = as_seen_from(self._results, str(error))

    def _alike(self, found: Mapping[Entry, Answers]) -> dict[Entry, Answers]:
        """Keep what can be compared with the most common kind of answers; note why others not."""
        found = self._of_newest_protocol(found)
        published = [answers for entry, answers in found.items() if entry[1] == FULL]
        seeded = [one for one in published if not one.is_fixed] or published
        kinds = Counter(map(_kind, seeded)) or Counter(map(_kind, found.values()))
        if not kinds:
            return {}
        common = kinds.most_common(1)[0][0]
        first = next(answers for answers in found.values() if _kind(answers) == common)
        alike: dict[Entry, Answers] = {}
        for entry, answers in found.items():
            try:
                check_comparable(_paired(first, answers, may_lack_seeds=entry[1] != FULL))
                alike[entry] = answers
            except HarnessError as error:
                self.silent[entry] = as_seen_from(self._results, str(error))
        return alike

    def _of_newest_protocol(self, found: Mapping[Entry, Answers]) -> dict[Entry, Answers]:
        """Keep what the newest version of the protocol ranks as the one that scored it did."""
        newest = max((answers.protocol for answers in found.values()), default=0)
        whys = {entry: why_apart(one.protocol, one.tied, newest) for entry, one in found.items()}
        self.silent |= {entry: f"it {why}." for entry, why in whys.items() if why}
        return {entry: answers for entry, answers in found.items() if not whys[entry]}


def difference(family: Family, a: Entry, b: Entry) -> Comparison:
    """Return how entry a differs from entry b."""
    return family.between(family_name(a), family_name(b))


def check_usable(answers: Answers) -> None:
    """Refuse what no statistic can be made of; a file may hold anything."""
    if not all(np.isfinite(values).all() for values in answers.values.values()):
        raise HarnessError(f"The queries of {answers.name} hold figures that are not numbers.")
    if len(np.unique(answers.people)) < 2:
        raise HarnessError(f"The queries of {answers.name} are not of two people or more.")


def _paired(first: Answers, other: Answers, *, may_lack_seeds: bool) -> list[Answers]:
    """Return two answers on the seeds that both must have."""
    common = first.common_seeds(other)
    if may_lack_seeds and common:
        return [restrict(first, common), restrict(other, common)]
    return [first, other]


def _kind(answers: Answers) -> tuple[object, ...]:
    return answers.fingerprint, answers.scale, answers.seeds, answers.queries.tobytes()
