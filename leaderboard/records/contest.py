"""What every method and variant of a ground answered, and the comparisons that pages ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.data.digest import Digest, digest_path, read_digest
from harness.errors import HarnessError
from harness.results.answers import Answers, check_comparable, read_answers
from harness.results.versions import why_apart
from harness.significance import Comparison, Family, compare_all, compare_pairs
from leaderboard.records.load import FULL, Ground

Entry = tuple[str, str]  # a method and one of its variants


class Contest:
    """The per-query answers on one ground, read when first asked for and kept."""

    def __init__(self, ground: Ground, results: Path) -> None:
        self.ground = ground
        self.silent: dict[Entry, str] = {}  # entries whose answers cannot be used, and why
        self._results = results
        self._families: dict[tuple[str, tuple[object, ...]], Family] = {}  # by what they compare

    @cached_property
    def answers(self) -> Mapping[Entry, Answers]:
        """The answers of every entry that can be compared with most methods as published."""
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
        place = digest_path(self._results, first.suite, first.dataset, first.fingerprint)
        digest = read_digest(place)
        return digest if digest and len(digest.words) == len(first.queries) else None

    def family(self, metric: str) -> Family | None:
        """Compare all pairs of methods as published; None where there are not two."""
        return self.compare(self.published, metric)

    def compare(self, entries: Sequence[Entry], metric: str) -> Family | None:
        """Compare all pairs of some entries; None where fewer than two have answers."""
        known = tuple(entry for entry in dict.fromkeys(entries) if entry in self.answers)
        if len(known) < 2:
            return None
        if (metric, known) not in self._families:
            values = {family_name(entry): self.answers[entry].values[metric] for entry in known}
            people = self.answers[known[0]].people
            self._families[metric, known] = compare_all(values, people)
        return self._families[metric, known]

    def compare_pairs(self, pairs: Sequence[tuple[Entry, Entry]], metric: str) -> Family | None:
        """Compare some pairs of entries; None where no pair has answers of both."""
        known = tuple(pair for pair in pairs if all(entry in self.answers for entry in pair))
        if not known:
            return None
        if (metric, known) not in self._families:
            entries = dict.fromkeys(entry for pair in known for entry in pair)
            values = {family_name(entry): self.answers[entry].values[metric] for entry in entries}
            names = [(family_name(a), family_name(b)) for a, b in known]
            people = next(iter(self.answers.values())).people
            self._families[metric, known] = compare_pairs(values, names, people)
        return self._families[metric, known]

    def _read(self, entry: Entry, found: dict[Entry, Answers]) -> None:
        runs = [run.stored for run in self.ground.methods[entry[0]][entry[1]]]
        try:
            answers = read_answers(family_name(entry), runs)
            check_usable(answers)
            found[entry] = answers
        except HarnessError as error:
            self.silent[entry] = str(error)

    def _alike(self, found: Mapping[Entry, Answers]) -> dict[Entry, Answers]:
        """Keep what can be compared with the most common kind of answers; note why others not."""
        found = self._of_newest_protocol(found)
        kinds = Counter(_kind(answers) for entry, answers in found.items() if entry[1] == FULL)
        kinds = kinds or Counter(_kind(answers) for answers in found.values())
        if not kinds:
            return {}
        common = kinds.most_common(1)[0][0]
        first = next(answers for answers in found.values() if _kind(answers) == common)
        alike: dict[Entry, Answers] = {}
        for entry, answers in found.items():
            try:
                check_comparable([first, answers])
                alike[entry] = answers
            except HarnessError as error:
                self.silent[entry] = str(error)
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


def interval(family: Family, entry: Entry) -> tuple[float, float] | None:
    """Return the 95 % interval of an entry's mean; None where it is not in the family."""
    return family.intervals.get(family_name(entry))


def family_name(entry: Entry) -> str:
    """Return how an entry is named in a family."""
    return "/".join(entry)


def check_usable(answers: Answers) -> None:
    """Refuse what no statistic can be made of; a file may hold anything."""
    if not all(np.isfinite(values).all() for values in answers.values.values()):
        raise HarnessError(f"The queries of {answers.name} hold figures that are not numbers.")
    if len(np.unique(answers.people)) < 2:
        raise HarnessError(f"The queries of {answers.name} are not of two people or more.")


def _kind(answers: Answers) -> tuple[object, ...]:
    return answers.fingerprint, answers.scale, answers.seeds, answers.queries.tobytes()
