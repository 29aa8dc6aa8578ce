"""Records and their images as sharded Parquet, put in place whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness import paths
from harness.data.columns import schema
from harness.data.declaration import SPLITS
from harness.data.importing.images import read_image
from harness.data.importing.layouts import Counts
from harness.data.importing.records import Record, count_records
from harness.data.importing.scored import Scored
from harness.errors import HarnessError
from harness.files import write_json
from harness.progress import Show

VERSION = 1  # of what is written: another one is imported anew
SHARD_BYTES = 256 * 2**20  # of images
GROUP_ROWS = 256  # of a row group, which is held in memory
THREADS = 4  # Pillow lets go of the interpreter while it decodes
SHOWN = 10  # broken images that are named

ABOUT = "import.json"
CARD = "README.md"


@dataclass(frozen=True)
class Source:
    """What is told of an import beside its rows."""

    name: str  # of the layout, or "custom"
    title: str
    licensed: bool  # whether its images may not be handed on


Converted = dict[str, Any]  # split, image_id, and by what an image is converted


class _Shard:
    """Some records of a split, in order."""

    def __init__(self, split: str, number: int, records: Sequence[Record]) -> None:
        self.split = split
        self.number = number
        self.records = records

    @property
    def key(self) -> str:
        """Stands for the content: an image file by its size and time."""
        digest = hashlib.sha256(f"{VERSION} {self.split} {self.number}".encode())
        for record in self.records:
            stat = record.file.stat()
            row = [str(value) for value in asdict(record).values()]
            digest.update(json.dumps([row, stat.st_size, stat.st_mtime_ns]).encode())
        return digest.hexdigest()[:32]

    def file(self, work: Path) -> Path:
        """Return the file of its rows, until all shards are there."""
        return work / f"{self.key}.parquet"

    def is_written(self, work: Path) -> bool:
        """Tell whether its rows are there, and what was converted of them."""
        return self.file(work).is_file() and _beside(self.file(work)).is_file()

    def read_converted(self, work: Path) -> list[Converted]:
        """Return what was converted of its images."""
        return list(json.loads(_beside(self.file(work)).read_text(encoding="utf-8")))


def _beside(shard: Path) -> Path:
    """Return the file of what was converted of a shard's images."""
    return shard.with_suffix(".json")


def write_dataset(
    records: Sequence[Record],
    out: Path,
    source: Source,
    progress: Show = lambda what, done, total: None,
    tell: Callable[[str], None] = lambda told: None,
    scored: Scored | None = None,
) -> bool:
    """Write a dataset's folder; return False where it is there already, of the same content.

    Shards that an interrupted import finished are kept. Images stay the bytes they were. Where
    another process is writing the folder, `tell` is called and it is waited for. Files of another
    dataset that it is scored on are copied.

    Raises:
        HarnessError: images are broken; the message names them, and nothing stays. Or `out` holds
            something else.
    """
    shards = list(_shards(records))
    parts = [*(shard.key for shard in shards), *([scored.fingerprint] if scored else [])]
    key = hashlib.sha256("".join(parts).encode()).hexdigest()[:32]
    with _alone(out, tell):
        if _is_there(out, key):
            return False
        _write(shards, out, source, key, records, progress, scored)
        return True


@contextmanager
def _alone(out: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Let one process at a time write a folder; the kernel frees what a killed one held."""
    from filelock import FileLock, Timeout

    place = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:24]
    file = paths.cache_folder() / "imports" / f"{place}.lock"
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        held = lock.acquire(blocking=False)
    except Timeout:
        tell(f"Another process is importing to {out}: waiting until it is done.")
        held = lock.acquire()
    except OSError as error:
        raise HarnessError(
            f"{file.parent} cannot be written ({error.strerror}). HARNESS_CACHE names another "
            "folder for what is cached."
        ) from error
    with held:
        yield


def _write(
    shards: Sequence[_Shard],
    out: Path,
    source: Source,
    key: str,
    records: Sequence[Record],
    progress: Show,
    scored: Scored | None,
) -> None:
    work = out.with_name(f".{out.name}.importing")
    try:
        work.mkdir(parents=True, exist_ok=True)
        _write_shards(shards, work, len(records), progress)
        converted = [one for shard in shards for one in shard.read_converted(work)]
        _name_shards(work, shards)
        counts = count_records(records)
        if scored:
            counts |= scored.counts
            for file in scored.files:
                shutil.copyfile(file, work / file.name)
        _write_card(work / CARD, source, counts, scored)
        write_json(work / ABOUT, _about(source, key, counts, converted))
        work.rename(out)
    except HarnessError:
        shutil.rmtree(work)
        raise
    except OSError as error:
        raise HarnessError(
            f"{out} could not be written: {error}. What is finished stays in {work}: call again to "
            "go on."
        ) from error


def read_converted(out: Path) -> list[Converted]:
    """Return which images of an imported folder are converted where they are decoded, and by what.

    Older imports do not tell: of them nothing is returned.
    """
    found = json.loads((out / ABOUT).read_text(encoding="utf-8")).get("converted", [])
    return list(found)


def _shards(records: Sequence[Record]) -> Iterator[_Shard]:
    for split in SPLITS:
        group: list[Record] = []
        held, number = 0, 0
        for record in (record for record in records if record.split == split):
            size = record.file.stat().st_size
            if group and held + size > SHARD_BYTES:
                yield _Shard(split, number, group)
                group, held, number = [], 0, number + 1
            group.append(record)
            held += size
        if group:
            yield _Shard(split, number, group)


def _is_there(out: Path, key: str) -> bool:
    """Tell whether a folder holds this import; refuse one that holds something else."""
    try:
        if json.loads((out / ABOUT).read_text(encoding="utf-8"))["key"] == key:
            return True
    except (OSError, ValueError, KeyError, TypeError):
        pass
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise HarnessError(
            f"{out} is there already and holds something else. Remove it, or name another --out."
        )
    if out.is_dir():
        out.rmdir()  # empty: a folder is renamed to its place
    return False


def _write_shards(shards: Sequence[_Shard], work: Path, total: int, progress: Show) -> None:
    broken: list[str] = []
    done = 0
    for shard in shards:
        if not shard.is_written(work):
            broken += _write_shard(shard, shard.file(work), partial(_tell, progress, done, total))
        done += len(shard.records)
        _tell(progress, done, total, 0)
    if broken:
        more = f", and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        raise HarnessError(f"{len(broken)} broken images: {'; '.join(broken[:SHOWN])}{more}.")


def _tell(progress: Show, before: int, total: int, rows: int) -> None:
    progress("checking and copying images", before + rows, total)


def _write_shard(shard: _Shard, file: Path, progress: Callable[[int], None]) -> list[str]:
    """Write a shard and return what is wrong with its images; with any, nothing is written."""
    import pyarrow
    import pyarrow.parquet

    columns = schema()
    broken: list[str] = []
    converted: list[Converted] = []
    unfinished = file.with_suffix(".unfinished")
    with (
        ThreadPoolExecutor(THREADS) as pool,
        pyarrow.parquet.ParquetWriter(
            unfinished, columns, compression={"image.bytes": "NONE"}, use_dictionary=False
        ) as writer,
    ):
        for start in range(0, len(shard.records), GROUP_ROWS):
            group = shard.records[start : start + GROUP_ROWS]
            found = list(pool.map(_read_or_tell, group))
            broken += [told for told in found if isinstance(told, str)]
            images = [image for image in found if not isinstance(image, str)]
            if not broken:
                rows = [_row(one, image) for one, (image, _) in zip(group, images, strict=True)]
                writer.write_table(pyarrow.Table.from_pylist(rows, columns))
                converted += _converted(group, [by for _, by in images])
            progress(start + len(group))
    if broken:
        unfinished.unlink()
        return broken
    write_json(_beside(file), converted)
    unfinished.replace(file)
    return []


def _read_or_tell(record: Record) -> tuple[bytes, tuple[str, ...]] | str:
    """Return an image with what is converted of it, or what is wrong with it."""
    place = f"{record.place}, {record.source!r:.200}"
    try:
        return read_image(record)
    except ValueError as error:
        return f"{place}: it {error}"
    except OSError as error:
        return f"{place}: {error}"


def _converted(records: Sequence[Record], by: Sequence[tuple[str, ...]]) -> list[Converted]:
    return [
        {"split": record.split, "image_id": record.image_id, "by": list(how)}
        for record, how in zip(records, by, strict=True)
        if how
    ]


def _row(record: Record, encoded: Any) -> dict[str, Any]:
    return {
        "image": {"bytes": encoded, "path": None},
        "captions": list(record.captions),
        "person_id": record.person,
        "image_id": record.image_id,
        "camera": record.camera,
        "source_path": record.source,
    }


def _name_shards(work: Path, shards: Sequence[_Shard]) -> None:
    """Name shards as the hub does, and remove what interrupted imports left beside them."""
    of_split = Counter(shard.split for shard in shards)
    names = set()
    for shard in shards:
        name = f"{shard.split}-{shard.number:05d}-of-{of_split[shard.split]:05d}.parquet"
        shard.file(work).rename(work / name)
        names.add(name)
    for file in work.iterdir():
        if file.name not in names:
            file.unlink()


def _about(
    source: Source, key: str, counts: Counts, converted: Sequence[Converted]
) -> dict[str, Any]:
    return {**asdict(source), "key": key, "counts": counts, "converted": list(converted)}


def _write_card(file: Path, source: Source, counts: Counts, scored: Scored | None) -> None:
    """Write what the hub reads of a dataset: its splits, and what may be done with it."""
    splits = "".join(
        f"  - split: {'validation' if split == 'val' else split}\n    path: {split}-*.parquet\n"
        for split in SPLITS
        if split in counts
    )
    table = "".join(
        f"| {split} | {people:,} | {images:,} | {captions:,} |\n"
        for split, (people, images, captions) in counts.items()
    )
    licence = (
        "Its images are licensed for research by its authors, to those who asked them: keep this "
        "copy private."
        if source.licensed
        else "Made from a table of one's own."
    )
    if scored:
        licence += f" Its val and test splits are those of {scored.title}, under its licence."
    file.write_text(
        f"---\nconfigs:\n- config_name: default\n  data_files:\n{splits}---\n\n"
        f"# {source.title}\n\n{licence}\n\n"
        f"| split | people | images | captions |\n|---|---|---|---|\n{table}\n"
        "Columns: image (the file as it was), captions, person_id, image_id, camera, "
        "source_path.\n",
        encoding="utf-8",
    )
