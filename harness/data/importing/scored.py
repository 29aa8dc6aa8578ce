"""Validation and test splits of another dataset, for one that is only trained on.

So pairs without a split of their own, as MALS, are learned from and scored on a benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.data.auditing.audit import count
from harness.data.catalogue import find_declaration, locate
from harness.data.digest import read_rows
from harness.data.importing.records import Record
from harness.errors import HarnessError

TAKEN = ("val", "test")


@dataclass(frozen=True)
class Scored:
    """The files of val and test as their folder has them, and what they hold."""

    title: str
    fingerprint: str
    files: tuple[Path, ...]
    counts: Mapping[str, tuple[int, int, int]]  # by split


def take_scored(folder: Path, records: Sequence[Record]) -> Scored:
    """Return what another imported dataset has to score on.

    Raises:
        HarnessError: it is no dataset, lacks one of both splits, or the records to train on have
            people of its, or a test split of their own.
    """
    if there := sorted({record.split for record in records} - {"train"}):
        raise HarnessError(
            f"--score-on is for what has a train split alone; here there is {' and '.join(there)}."
        )
    located = locate(find_declaration(str(folder)))
    if missing := [split for split in TAKEN if split in located.missing]:
        raise HarnessError(
            f"{folder} has no {' and no '.join(missing)} split: --score-on takes val, by which the "
            "epoch is chosen, and test."
        )
    rows = {split: read_rows(located.files[split]) for split in TAKEN}
    people = {record.person for record in records}
    if shared := people & {int(one) for of in rows.values() for one in of.person_of_image}:
        raise HarnessError(
            f"{folder} and what is trained on both have a person {min(shared)}: splits may share "
            "nobody."
        )
    people_images_captions = {
        split: (one["identities"], one["images"], one["captions"])
        for split, one in ((split, count(of)) for split, of in rows.items())
    }
    files = tuple(file for split in TAKEN for file in located.files[split])
    title = located.declaration.title
    return Scored(title, located.fingerprint, files, people_images_captions)
