"""The forms in which a dataset's annotation is met: found in its folder, and read to records.

Beside the file of its authors these are, as public code reads and writes them:

- a file for each split, ``train_reid.json`` and its like (NAFS, TBPS-CLIP), ``train.json`` in
  ``processed_data`` (RaSa), ``cuhk_train.json`` in ``finetune`` (APTM);
- ``caption_all.json``, CUHK-PEDES before it was split, to which a table of splits belongs;
- many files of one split (MALS), and files that map the path of an image to a caption
  (LUPerson-MLLM).

https://github.com/TencentYoutuResearch/PersonReID-NAFS, https://github.com/Flame-Chasers/TBPS-CLIP,
https://github.com/Flame-Chasers/RaSa, https://github.com/Shuyu-XJTU/APTM,
https://github.com/WentaoTan/MLLM4Text-ReID
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from harness.data.declaration import SPLITS
from harness.data.importing.layouts import Layout
from harness.data.importing.tables import kind_of, parse_json, read_text
from harness.errors import HarnessError
from harness.printable import printable

# Where below a dataset's folder annotations are kept, and what files by split are called.
PLACES = ("", "annotations", "processed_data", "finetune", "gene_attrs", "captions", "caption")
BY_SPLIT = ("{split}_reid.json", "{split}.json", "{short}_{split}.json")
TRIED = 100  # records of which one has its image in the folder of images that is taken
SHOWN = 8  # names that a message lists


@dataclass(frozen=True)
class Written:
    """A record as a file has it, not checked yet."""

    place: str  # for messages: "reid_raw.json, record 17"
    value: Any
    split: str  # of which its file is; empty where the record has to say so


@dataclass(frozen=True)
class Annotation:
    """All records of a dataset, and where they were found."""

    files: tuple[Path, ...]
    records: Sequence[Written]
    is_split: bool = True  # False of a file that leaves the split to a table

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.files[0].name


@dataclass(frozen=True)
class Images:
    """The folder that paths of images lead from, and what of a path names that folder once more."""

    folder: Path
    prefix: str = ""

    def below(self, path: str) -> str:
        """Return a path as it leads from the folder."""
        return path.removeprefix(self.prefix)


def find_annotation(
    layout: Layout, raw: Path, tell: Callable[[str], None] = lambda told: None
) -> Annotation:
    """Find and read the annotation of a dataset.

    Args:
        raw: its folder, or the file of its annotation, whatever it is called.
        tell: called with what else was found and is not read.

    Raises:
        HarnessError: there is none, or it is no list of records; the message says what is there.
    """
    if raw.is_file():
        return _read_whole(layout, (raw,), raw.name not in layout.unsplit)
    for find in (_find_whole, _find_by_split, _find_unsplit):
        if found := find(layout, raw):
            _tell_of_others(layout, raw, found, tell)
            return found
    raise HarnessError(_nothing_found(layout, raw))


def find_images(layout: Layout, folders: Sequence[Path], records: Sequence[Written]) -> Images:
    """Return the folder of images: the first in which one of the first records has its own.

    Args:
        folders: the dataset's folder, and others that may hold the folder of images.

    Raises:
        HarnessError: there is no such folder.
    """
    paths = list(islice(_paths(records), TRIED))
    candidates = [one for folder in folders for one in _candidates(layout, folder)]
    for images in candidates:
        if any(_is_file(images.folder / images.below(path)) for path in paths):
            return images
    own = folders[0] / layout.images
    if not own.is_dir():
        raise HarnessError(f"{layout.title}: there is no folder {own} with its images.")
    return Images(own)


def _candidates(layout: Layout, folder: Path) -> Iterator[Images]:
    own = layout.images
    if own:
        yield Images(folder / own)
        yield Images(folder / own, prefix=f"{own}/")
    yield Images(folder)
    for name in ("imgs", "images"):
        yield Images(folder / name)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # no path at all: it is told with its record
        return False


def _paths(records: Sequence[Written]) -> Iterator[str]:
    for record in records:
        if isinstance(record.value, Mapping):
            values = (record.value.get(name) for name in ("file_path", "img_path", "image"))
            yield from (value for value in values if isinstance(value, str) and value)


def _find_whole(layout: Layout, raw: Path) -> Annotation | None:
    """Find the file, or the files, that authors hand out."""
    for place in PLACES:
        for pattern in layout.annotations:
            if found := _files(raw / place, pattern):
                every = layout.annotations if layout.captions_by_path else (pattern,)
                found = [file for one in every for file in _files(raw / place, one)]
                return _read_whole(layout, found)
    return None


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(file for file in folder.glob(pattern) if file.is_file())


def _find_by_split(layout: Layout, raw: Path) -> Annotation | None:
    """Find a file for each split; the first kind of names of which there is one is taken."""
    if layout.only:
        return None
    for place in PLACES:
        for pattern in BY_SPLIT:
            names = {split: pattern.format(split=split, short=layout.short) for split in SPLITS}
            files = {split: raw / place / name for split, name in names.items()}
            there = {split: file for split, file in files.items() if file.is_file()}
            if there:
                records = [
                    one for split, file in there.items() for one in _read_split(layout, file, split)
                ]
                return Annotation(tuple(there.values()), records)
    return None


def _find_unsplit(layout: Layout, raw: Path) -> Annotation | None:
    for place in PLACES:
        for name in layout.unsplit:
            if (raw / place / name).is_file():
                return _read_whole(layout, (raw / place / name,), is_split=False)
    return None


def _read_split(layout: Layout, file: Path, split: str) -> Sequence[Written]:
    """Read the file of one split; only one that the dataset does not have may be empty."""
    records = _read_records(file, split)
    if not records and split in (layout.official or SPLITS):
        raise HarnessError(
            f"{file} holds no record, and {layout.title} has a {split} split: the file was lost or "
            "cut on the way."
        )
    return records


def _read_whole(layout: Layout, files: Sequence[Path], is_split: bool = True) -> Annotation:
    read = _read_captions if layout.captions_by_path else _read_records
    records = [record for file in files for record in read(file, layout.only)]
    if not records:
        raise HarnessError(f"{files[0]} holds no record.")
    if is_split and not layout.only and not any(_has_split(record) for record in records):
        is_split = False
    return Annotation(tuple(files), records, is_split)


def _has_split(record: Written) -> bool:
    return not isinstance(record.value, Mapping) or "split" in record.value


def _read_records(file: Path, split: str) -> list[Written]:
    values = parse_json(read_text(file), str(file))
    if not isinstance(values, list):
        named = ""
        if isinstance(values, Mapping) and values:
            some = printable(", ".join(map(repr, islice(values, SHOWN))), 200)
            named = f" of {some}"
        raise HarnessError(f"{file} has to be a list of records, it is {kind_of(values)}{named}.")
    return [
        Written(f"{file.name}, record {number}", value, split)
        for number, value in enumerate(values)
    ]


def _read_captions(file: Path, split: str) -> list[Written]:
    """Read a file that maps paths of images to captions; of a path, the last part is the image."""
    values = parse_json(read_text(file), str(file))
    if not isinstance(values, Mapping):
        raise HarnessError(
            f"{file} has to be an object of captions by the path of their image, it is "
            f"{kind_of(values)}."
        )
    return [
        Written(
            f"{file.name}, {printable(path, 80)!r}",
            {"image": PurePosixPath(path).name, "caption": caption, "image_id": None},
            split,
        )
        for path, caption in values.items()
    ]


def _tell_of_others(
    layout: Layout, raw: Path, found: Annotation, tell: Callable[[str], None]
) -> None:
    """Name annotations of the dataset that lie beside the one that is read."""
    names = [*layout.annotations, *layout.unsplit]
    names += [one.format(split="test", short=layout.short) for one in BY_SPLIT if layout.short]
    others = [
        file.relative_to(raw).as_posix()
        for place in PLACES
        for name in names
        for file in _files(raw / place, name)
        if file not in found.files
    ]
    if others:
        read = ", ".join(file.relative_to(raw).as_posix() for file in found.files[:SHOWN])
        tell(f"Read: {read}. Not looked at: {printable(', '.join(dict.fromkeys(others)), 300)}.")


def _nothing_found(layout: Layout, raw: Path) -> str:
    """Say what was looked for and what is there."""
    exists = sorted(path.name for path in raw.glob("*"))  # none of a folder that cannot be read
    there = printable(", ".join(exists[:SHOWN]), 300) or (
        "nothing" if raw.is_dir() else "no folder"
    )
    more = f" and {len(exists) - SHOWN} more" if len(exists) > SHOWN else ""
    names = " or ".join((*layout.annotations, *layout.unsplit))
    told = f"{layout.title}: there is no {names} in {raw}; there is {there}{more}."
    pickled = [name for name in exists if name.endswith((".pkl", ".npz", ".h5"))]
    if pickled:
        told += f" {printable(pickled[0])} was made from the annotation by code; it is not opened."
    return (
        f"{told} Where the file has another name, name it in the place of its folder. Whom to ask "
        f"for it: {layout.source}."
    )
