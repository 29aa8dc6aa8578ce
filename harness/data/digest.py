"""What a results folder tells of a dataset, so that pages are built from results alone.

``results/<suite>/<dataset>/dataset-<fingerprint>/`` stands for one content and holds
``about.json`` (what was declared, counts and the audit), ``queries.parquet`` (one row a test
caption) and ``gallery.parquet`` (one row a test image). Captions and images are in it only where
the declaration lets a page show them. No torch here: the leaderboard reads this.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
import pyarrow.parquet

from harness import results
from harness.data.auditing.attributes import count_attributes
from harness.data.auditing.audit import Integers, Rows, audit, count
from harness.data.auditing.verdict import judge
from harness.data.columns import DECLARED, convert, stored_image
from harness.data.declaration import Located
from harness.data.decoding_key import decoding_key
from harness.data.rows import place
from harness.files import slug, whole_folder, write_json, write_table

if TYPE_CHECKING:
    from PIL.Image import Image

HEIGHT = 96  # of a thumbnail, in pixels
QUALITY = 70  # of its JPEG
BATCH = 256  # images held at once
BUFFER = 1 << 20  # bytes read at once

COLUMNS = ("image", "captions", "person_id", "image_id", "camera", "source_path")  # read of one
QUERIES_FILE, GALLERY_FILE = "queries.parquet", "gallery.parquet"

QUERIES = pyarrow.schema(
    {
        "caption": pyarrow.string(),
        "person_id": pyarrow.int64(),
        "image_row": pyarrow.int64(),
        "words": pyarrow.int64(),
        "attributes": pyarrow.int64(),
    }
)
GALLERY = pyarrow.schema(
    {
        "image_id": pyarrow.string(),
        "person_id": pyarrow.int64(),
        "camera": pyarrow.string(),
        "thumbnail": pyarrow.binary(),
    }
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Digest:
    """N test captions and M test images in the dataset's order, and what is known of the whole."""

    about: Mapping[str, Any]  # title, fingerprint, licence, shown, counts, audit and so on
    captions: list[str | None]  # N; None where they may not be shown
    person_of_caption: Integers  # (N,)
    image_of_caption: Integers  # (N,) row of the gallery
    words: Integers  # (N,) how many words a caption has
    attributes: Integers  # (N,) how many attributes it names
    image_ids: list[str]  # M
    person_of_image: Integers  # (M,)
    cameras: list[str | None]  # M; None where the dataset tells none
    thumbnails: list[bytes | None]  # M, JPEG; None where not to be shown or not to be decoded
    bare: str = ""  # why there is no thumbnail, of a digest that ships without and may show them


def digest_path(folder: Path, suite: str, dataset: str, fingerprint: str) -> Path:
    """Return where a results folder keeps the digest of a dataset's content."""
    return folder / slug(suite) / slug(dataset) / f"dataset-{fingerprint[:12]}"


def read_digest(path: Path) -> Digest | None:
    """Read a digest; None where there is none that this version can read."""
    try:
        about = json.loads((path / "about.json").read_text(encoding="utf-8"))
        if about["schema_version"] != results.SCHEMA_VERSION:
            return None
        queries, gallery = (
            _columns(path / QUERIES_FILE, QUERIES),
            _columns(path / GALLERY_FILE, GALLERY),
        )
    except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException):
        return None
    return Digest(
        about=about,
        captions=queries["caption"],
        person_of_caption=np.asarray(queries["person_id"]),
        image_of_caption=np.asarray(queries["image_row"]),
        words=np.asarray(queries["words"]),
        attributes=np.asarray(queries["attributes"]),
        image_ids=gallery["image_id"],
        person_of_image=np.asarray(gallery["person_id"]),
        cameras=gallery["camera"],
        thumbnails=gallery["thumbnail"],
    )


def write_digest(located: Located, path: Path) -> None:
    """Write the digest of a dataset unless it is there, as this version and declaration want it.

    Reads the Parquet files anew, because the audit tells what loading mends or refuses. All images
    that lie in them are hashed once, at about two seconds a GB; those that lie elsewhere are not.
    An image that cannot be decoded has no thumbnail.
    """
    shown = located.declaration.thumbnails
    decoder = decoding_key() if shown else None
    if _is_current(path, shown, decoder):
        return
    shutil.rmtree(path, ignore_errors=True)
    tables = {
        name: _read(files, thumbnails=shown and name == "test")
        for name, files in located.files.items()
    }
    splits = {
        name: gather_rows(table, [row["hash"] for row in table]) for name, table in tables.items()
    }
    test = tables["test"]
    with whole_folder(path) as unfinished:
        write_table(unfinished / QUERIES_FILE, _typed(QUERIES, _queries(splits["test"], shown)))
        write_table(unfinished / GALLERY_FILE, _typed(GALLERY, _gallery(test)))
        write_json(unfinished / "about.json", _about(located, splits, decoder))


def _is_current(path: Path, shown: bool, decoder: str | None) -> bool:
    """Tell whether a digest is there and shows what may be shown, no more, as it is decoded now."""
    try:
        about = json.loads((path / "about.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(about, dict) or "annotation" not in about.get("verdict", {}):
        return False  # older code compared counts alone
    wanted = {"schema_version": results.SCHEMA_VERSION, "shown": shown, "decoder": decoder}
    return all(about.get(name) == value for name, value in wanted.items())


def read_batches(files: Sequence[Path]) -> Iterator[list[Row]]:
    """Yield the rows of a split, a few at a time because of their images."""
    for file in files:
        # By default a whole column of images would be taken into memory.
        with pyarrow.parquet.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False) as parquet:
            columns = [name for name in COLUMNS if name in parquet.schema_arrow.names]
            first = 0
            for batch in parquet.iter_batches(BATCH, columns=columns):
                yield _declared(batch.to_pylist(), file, first)
                first += len(batch)


def read_rows(files: Sequence[Path]) -> Rows:
    """Return what the audit looks at of a split, without its images."""
    wanted = ("person_id", "captions", "source_path")
    rows: list[Row] = []
    for file in files:
        parquet = pyarrow.parquet.ParquetFile(file)
        table = parquet.read(
            columns=[name for name in wanted if name in parquet.schema_arrow.names]
        )
        rows += _declared(table.to_pylist(), file, 0)
    return gather_rows(rows, [None] * len(rows))


def _declared(rows: list[Row], file: Path, first: int) -> list[Row]:
    """Return rows of a file, of which each column holds what it is declared to."""
    held = [name for name in DECLARED if rows and name in rows[0]]
    columns = {
        name: convert(name, (row[name] for row in rows), lambda row: place(file, first + row))
        for name in held
    }
    return [
        {**row, **{name: columns[name][number] for name in held}} for number, row in enumerate(rows)
    ]


def gather_rows(table: Sequence[Row], hashes: Sequence[bytes | None]) -> Rows:
    """Return what the audit looks at, of rows and the hashes of their images."""
    captions = [row["captions"] for row in table]
    return Rows(
        person_of_image=np.asarray([row["person_id"] for row in table], dtype=np.int64),
        captions=[text for texts in captions for text in texts],
        image_of_caption=np.repeat(np.arange(len(table)), [len(texts) for texts in captions]),
        image_hashes=hashes,
        sources=[row.get("source_path") for row in table],
    )


def _read(files: Sequence[Path], thumbnails: bool) -> list[Row]:
    """Return the rows of a split, each with a hash and a thumbnail in place of its image."""
    return [_condensed(row, thumbnails) for batch in read_batches(files) for row in batch]


def _condensed(row: Row, thumbnails: bool) -> Row:
    encoded, file = stored_image(row.pop("image"))
    return {
        **row,
        "hash": None if encoded is None else hashlib.sha256(encoded).digest(),
        "thumbnail": _thumbnail(encoded, file) if thumbnails else None,
    }


def _thumbnail(encoded: bytes | None, file: str | None) -> bytes | None:
    from harness.data.decoding import decode_whole, read_file

    try:
        return shrink(decode_whole(read_file(Path(str(file))) if encoded is None else encoded))
    except (ValueError, OSError):
        return None


def shrink(image: Image) -> bytes:
    """Return the thumbnail of an image as a JPEG."""
    from PIL.Image import Resampling

    small = io.BytesIO()
    width = max(1, round(image.width * HEIGHT / image.height))
    image.resize((width, HEIGHT), Resampling.BICUBIC).save(small, "JPEG", quality=QUALITY)
    return small.getvalue()


def _queries(test: Rows, shown: bool) -> dict[str, Any]:
    captions = [" ".join(caption.split()) for caption in test.captions]  # as a run searches with
    return {
        "caption": captions if shown else [None] * len(captions),
        "person_id": test.person_of_caption,
        "image_row": test.image_of_caption,
        "words": [len(caption.split()) for caption in captions],
        "attributes": [count_attributes(caption) for caption in captions],
    }


def _gallery(test: Sequence[Row]) -> dict[str, Any]:
    cameras = [row.get("camera") for row in test]
    return {
        "image_id": [str(row["image_id"]) for row in test],
        "person_id": [row["person_id"] for row in test],
        "camera": [None if camera is None else str(camera) for camera in cameras],
        "thumbnail": [row["thumbnail"] for row in test],
    }


def _about(located: Located, splits: Mapping[str, Rows], decoder: str | None) -> dict[str, Any]:
    declaration = located.declaration
    return {
        "schema_version": results.SCHEMA_VERSION,
        "title": declaration.title,
        "fingerprint": located.fingerprint,
        "licence": declaration.licence,
        "url": declaration.url,
        "drawn": declaration.drawn is not None,
        "note": declaration.note,
        "shown": declaration.thumbnails,
        "decoder": decoder,  # of its thumbnails
        "counts": {name: count(rows) for name, rows in splits.items()},
        "audit": audit(splits),
        "verdict": asdict(judge(declaration.name, splits)),
    }


def _typed(schema: Any, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns of the schema's types, which empty ones would not tell."""
    return {field.name: pyarrow.array(columns[field.name], field.type) for field in schema}


def _columns(file: Path, schema: Any) -> dict[str, list[Any]]:
    """Read a table, refusing one that has other columns."""
    table = pyarrow.parquet.read_table(file).select(schema.names).cast(schema)
    return dict(table.to_pydict())
