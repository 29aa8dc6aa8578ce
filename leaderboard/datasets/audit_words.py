"""What the audit of a dataset found, in a table and in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leaderboard.datasets.contents import count_at, look_up
from leaderboard.datasets.views import Row, Table
from leaderboard.records.load import finite
from leaderboard.typography import ABSENT, counted, fixed, listed

TEST = "test"
USES = {"train": "methods learn from it", "val": "chooses the epoch", TEST: "is scored"}
COUNTED = {"identities": "Identities", "images": "Images", "captions": "Captions"}
RANGES = {"captions_per_image": "Captions per image", "images_per_identity": "Images per identity"}

# What is counted in each split -> where the audit has it.
COUNTS = {
    "Captions that repeat another of the same person": ("duplicate_captions", "within_a_person"),
    "Captions whose text describes several people": ("duplicate_captions", "across_persons"),
    "Different texts among these": ("duplicate_captions", "distinct_across_persons"),
    "Images that repeat another of the same person": ("duplicate_images", "within_a_person"),
    "Images that show several people": ("duplicate_images", "across_persons"),
    "Identities with a single image": ("identities_with_one_image",),
    "Empty captions": ("odd_captions", "empty"),
    "Captions with line breaks": ("odd_captions", "line_breaks"),
    "Captions with spaces around them": ("odd_captions", "outer_spaces"),
}


def count_table(counts: Any, audit: Any) -> Table | None:
    """Return how much each split holds; None where nothing was counted."""
    splits = _mapping(counts)
    if not any(isinstance(value, Mapping) for value in splits.values()):
        return None
    kinds = [*COUNTED, *(name for name in _kinds(splits) if name not in COUNTED)]
    kinds = [kind for kind in kinds if any(count_at(splits, split, kind) for split in splits)]
    ranges = [name for name in RANGES if any(_range(audit, split, name) for split in splits)]
    rows = (
        Row(
            label=str(split),
            cells=(
                *(_number(count_at(splits, split, kind)) for kind in kinds),
                *(_range(audit, split, name) or ABSENT for name in ranges),
            ),
            note=USES.get(split, ""),
        )
        for split in splits
    )
    columns = [COUNTED.get(kind, kind) for kind in kinds] + [RANGES[name] for name in ranges]
    return Table(tuple(columns), tuple(rows))


def audit_table(audit: Any) -> Table | None:
    """Return every figure of the audit, a column a split; None without an audit."""
    splits = _mapping(look_up(audit, "splits"))
    if not splits:
        return None
    rows = []
    for label, path in COUNTS.items():
        found = [count_at(of_split, *path) for of_split in splits.values()]
        rows.append(Row(label, tuple(map(_number, found)), quiet=not any(found)))
    ceilings = tuple(_percent(look_up(split, "rank1_ceiling")) for split in splits.values())
    rows.insert(3, Row("Highest R1 that such texts allow, %", ceilings))
    return Table(tuple(map(str, splits)), tuple(rows))


def findings(audit: Any) -> tuple[str, ...]:
    """Say what a reader should know before trusting figures on the test split."""
    test = look_up(audit, "splits", TEST)
    if not isinstance(test, Mapping):
        return ()
    return tuple(
        sentence
        for say in (_ceiling, _across, _repeated_images, _single_images, _cleaned)
        for sentence in say(audit, test)
    )


def _ceiling(audit: Any, test: Mapping[str, Any]) -> Iterator[str]:
    shared = count_at(test, "duplicate_captions", "across_persons")
    texts = count_at(test, "duplicate_captions", "distinct_across_persons")
    ceiling = finite(test.get("rank1_ceiling"))
    if shared == 0:
        yield (
            "No test caption describes two people in the same words, so the captions set no"
            " ceiling: an R1 of 100 % is possible."
        )
    elif shared and ceiling is not None:
        yield (
            "Test captions that describe several people in the same words:"
            f" {shared:,} of {_number(count_at(test, 'captions'))}, with"
            f" {counted(texts or 0, 'text')}. For one text only one person can stand first,"
            f" so no method can pass an R1 of {_percent(ceiling)} %."
        )


def _across(audit: Any, test: Mapping[str, Any]) -> Iterator[str]:
    people = count_at(audit, "across", "identities")
    files = count_at(audit, "across", "image_files")
    if people == 0 and files == 0:
        yield "The splits share no identity and no image file."
        return
    if people is not None:
        yield (
            "The splits share no identity."
            if people == 0
            else f"Identities in more than one split: {people:,}. Figures on test may owe"
            " something to people that were seen in training."
        )
    if files:
        yield f"Image files in more than one split, the same byte by byte: {files:,}."
    elif files is None:
        yield "Image files were not compared, because they do not lie in the Parquet files."


def _repeated_images(audit: Any, test: Mapping[str, Any]) -> Iterator[str]:
    if shared := count_at(test, "duplicate_images", "across_persons"):
        yield (
            "Test images that stand under several people, the same byte by byte:"
            f" {shared:,}. By them no method can tell these people apart."
        )


def _single_images(audit: Any, test: Mapping[str, Any]) -> Iterator[str]:
    if alone := count_at(test, "identities_with_one_image"):
        yield (
            "Identities of the test split with a single image, so that their captions have one"
            f" right answer: {alone:,}."
        )


def _cleaned(audit: Any, test: Mapping[str, Any]) -> Iterator[str]:
    odd = {
        name: count_at(test, "odd_captions", key)
        for key, name in (("line_breaks", "line breaks"), ("outer_spaces", "spaces around them"))
    }
    found = [f"{number:,} with {name}" for name, number in odd.items() if number]
    if found:
        yield f"Test captions are cleaned before they are used: {listed(found)}."


def _kinds(splits: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(str(kind) for of in splits.values() for kind in _mapping(of)))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _range(audit: Any, split: str, name: str) -> str:
    """Write one number or both ends; nothing where it was not counted."""
    low, high = (count_at(audit, "splits", split, name, end) for end in ("min", "max"))
    if low is None or high is None:
        return ""
    return f"{low:,}" if low == high else f"{low:,}{ABSENT}{high:,}"


def _number(number: int | None) -> str:
    return "not counted" if number is None else fixed(number, 0)


def _percent(value: Any) -> str:
    """Write a percentage; one that is not quite 100 must not look as if it were."""
    number = finite(value)
    if number is None:
        return "not counted"
    return "100" if number == 100 else fixed(min(number, 99.99), 2)
