import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from harness.data.catalogue import find_declaration, locate
from harness.data.declaration import SPLITS, Located
from harness.data.digest import Digest, digest_path, read_digest, write_digest
from harness.data.loading import load_split

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG"


def find(folder: Path, shown: bool = True) -> Located:
    """Return a folder of Parquet files as a dataset that may be shown or not."""
    located = locate(find_declaration(str(folder)))
    assert not located.declaration.thumbnails  # what a user brings is not shown
    return replace(located, declaration=replace(located.declaration, thumbnails=shown))


def digest(located: Located, path: Path) -> Digest:
    """Write a digest and read it."""
    write_digest(located, path)
    found = read_digest(path)
    assert found is not None
    return found


def rows(folder: Path, split: str) -> list[dict[str, Any]]:
    """Return the rows of a split."""
    found: list[dict[str, Any]] = pyarrow.parquet.read_table(
        folder / f"{split}.parquet"
    ).to_pylist()
    return found


def changed(source: Path, folder: Path, test: list[dict[str, Any]], files: int = 1) -> Path:
    """Write a dataset that has other test rows, in so many files."""
    folder.mkdir()
    for split in ("train", "val"):
        (folder / f"{split}.parquet").write_bytes((source / f"{split}.parquet").read_bytes())
    for number, part in enumerate(np.array_split(np.arange(len(test)), files)):
        table = pyarrow.Table.from_pylist([test[row] for row in part])
        pyarrow.parquet.write_table(table, folder / f"test-{number}.parquet")
    return folder


def test_the_rows_are_those_that_runs_are_scored_on(small_dolls: Path, tmp_path: Path) -> None:
    """Queries and gallery stand in the order of the split, even if that lies in several files."""
    test = rows(small_dolls, "test")[::-1]
    located = find(changed(small_dolls, tmp_path / "dolls", test, files=3))
    split, found = load_split(located, "test"), digest(located, tmp_path / "digest")
    assert tuple(found.captions) == split.captions
    assert tuple(found.image_ids) == split.image_ids
    assert tuple(found.cameras) == split.cameras
    assert np.array_equal(found.person_of_caption, split.person_of_caption)
    assert np.array_equal(found.image_of_caption, split.image_of_caption)
    assert np.array_equal(found.person_of_image, split.person_of_image)
    assert found.words.tolist() == [len(caption.split()) for caption in split.captions]
    assert found.attributes.min() > 3


def test_what_is_known_of_the_whole_is_told(small_dolls: Path, tmp_path: Path) -> None:
    """The declaration, the counts of each split as runs record them, and the audit."""
    located = find(small_dolls)
    about = digest(located, tmp_path / "digest").about
    assert about["title"] == "small-dolls"
    assert about["fingerprint"] == located.fingerprint
    assert (about["shown"], about["drawn"]) == (True, False)
    assert about["counts"] == {name: load_split(located, name).counts for name in SPLITS}
    assert about["audit"]["across"] == {"identities": 0, "image_files": 0}
    assert about["audit"]["splits"]["test"]["captions_per_image"] == {"min": 2, "max": 2}


def test_the_audit_sees_captions_as_the_files_have_them(small_dolls: Path, tmp_path: Path) -> None:
    """What loading mends is counted; what is shown is what runs searched with."""
    test = rows(small_dolls, "test")
    test[0]["captions"] = [" a man\nin red ", "a man  in red"]
    found = digest(find(changed(small_dolls, tmp_path / "dolls", test)), tmp_path / "digest")
    audited = found.about["audit"]["splits"]["test"]
    assert audited["odd_captions"] == {"empty": 0, "line_breaks": 1, "outer_spaces": 1}
    assert audited["duplicate_captions"]["within_a_person"] == 2
    assert found.captions[:2] == ["a man in red"] * 2


def test_thumbnails_show_the_images(small_dolls: Path, tmp_path: Path) -> None:
    """Each is a JPEG of 96 pixels' height that keeps the shape and the look of its image."""
    test = rows(small_dolls, "test")
    large = Image.open(io.BytesIO(test[1]["image"]["bytes"])).resize((80, 160))
    test[1]["image"]["bytes"] = encoded(large)
    found = digest(find(changed(small_dolls, tmp_path / "dolls", test)), tmp_path / "digest")
    sizes = []
    for row, thumbnail in zip(test, found.thumbnails, strict=True):
        assert thumbnail is not None
        small = Image.open(io.BytesIO(thumbnail))
        assert small.format == "JPEG"
        sizes.append(small.size)
        image = Image.open(io.BytesIO(row["image"]["bytes"])).resize(small.size)
        difference = np.asarray(small, dtype=float) - np.asarray(image, dtype=float)
        assert np.abs(difference).mean() < 12
    assert sizes == [(32, 96), (48, 96)] + [(32, 96)] * 30


@pytest.mark.parametrize("broken", [b"", b"not an image", None])
def test_a_broken_image_has_no_thumbnail(
    small_dolls: Path, tmp_path: Path, broken: bytes | None
) -> None:
    """Whatever is wrong with a file, the others keep theirs."""
    test = rows(small_dolls, "test")
    half = test[3]["image"]["bytes"][:200]
    test[3]["image"]["bytes"] = half if broken is None else broken
    found = digest(find(changed(small_dolls, tmp_path / "dolls", test)), tmp_path / "digest")
    assert [row for row, small in enumerate(found.thumbnails) if small is None] == [3]


def test_images_may_lie_beside_the_table(small_dolls: Path, tmp_path: Path) -> None:
    """Images given by path are shown, but not read only to be compared; cameras may be missing."""
    test = rows(small_dolls, "test")
    for number, row in enumerate(test):
        file = tmp_path / f"{number}.png"
        file.write_bytes(row["image"]["bytes"])
        row["image"] = {"bytes": None, "path": str(file)}
        del row["camera"]
    found = digest(find(changed(small_dolls, tmp_path / "dolls", test)), tmp_path / "digest")
    assert None not in found.thumbnails
    assert found.cameras == [None] * 32
    assert found.about["audit"]["splits"]["test"]["duplicate_images"] is None
    assert found.about["audit"]["across"]["image_files"] is None


def test_what_may_not_be_shown_is_in_no_file(small_dolls: Path, tmp_path: Path) -> None:
    """Neither a caption nor a picture of a licensed dataset is in any byte or cell; ids are."""
    captions = [text.encode() for row in rows(small_dolls, "test") for text in row["captions"]]
    hidden = digest(find(small_dolls, shown=False), tmp_path / "hidden")
    kept = everything(tmp_path / "hidden")
    assert not any(caption in kept for caption in captions)
    assert JPEG not in kept
    assert PNG not in kept
    assert b"test-0000-3" in kept
    assert hidden.about["shown"] is False
    assert set(hidden.captions) == set(hidden.thumbnails) == {None}
    shown = digest(find(small_dolls), tmp_path / "shown")
    kept = everything(tmp_path / "shown")
    assert all(caption in kept for caption in captions)
    assert JPEG in kept
    assert np.array_equal(hidden.attributes, shown.attributes)
    assert np.array_equal(hidden.words, shown.words)


def test_a_digest_is_written_once(small_dolls: Path, tmp_path: Path) -> None:
    """Where it is there, neither it nor the dataset is looked into."""
    write_digest(find(small_dolls), tmp_path / "digest")
    before = written(tmp_path / "digest")
    gone = dict.fromkeys(SPLITS, (tmp_path / "nowhere.parquet",))
    write_digest(replace(find(small_dolls), files=gone), tmp_path / "digest")
    assert written(tmp_path / "digest") == before


def test_what_may_no_longer_be_shown_is_taken_away(small_dolls: Path, tmp_path: Path) -> None:
    """A declaration that changed its mind gets another digest, and so does a damaged one."""
    digest(find(small_dolls), tmp_path / "digest")
    assert digest(find(small_dolls, shown=False), tmp_path / "digest").about["shown"] is False
    (tmp_path / "digest" / "about.json").write_text("{")
    assert digest(find(small_dolls), tmp_path / "digest").about["shown"] is True


def test_thumbnails_of_another_decoder_are_made_anew(small_dolls: Path, tmp_path: Path) -> None:
    """A page shows what runs see; where no image is shown, the decoder does not matter."""
    for shown in (True, False):
        place = tmp_path / str(shown)
        digest(find(small_dolls, shown=shown), place)
        about = json.loads((place / "about.json").read_text(encoding="utf-8"))
        assert (about["decoder"] is not None) == shown
        about |= {"decoder": "another" if shown else None, "title": "older"}
        (place / "about.json").write_text(json.dumps(about))
        again = digest(find(small_dolls, shown=shown), place).about
        assert (again["title"] != "older") == shown


# A process that puts its digest in place only when another one is about to do the same.
WRITER = """
import sys, time
from pathlib import Path
from harness import files
from harness.data import digest
from harness.data.catalogue import find_declaration, locate

assert "torch" not in sys.modules
place, put = Path(sys.argv[2]), files.put_in_place

def together(unfinished, path):
    (path.parent / f"ready-{unfinished.name}").touch()
    end = time.monotonic() + 60
    while len(list(path.parent.glob("ready-*"))) < 2:
        assert time.monotonic() < end, "the other process never came"
        time.sleep(0.01)
    put(unfinished, path)

files.put_in_place = together
digest.write_digest(locate(find_declaration(sys.argv[1])), place)
"""


def test_two_processes_may_write_at_once(small_dolls: Path, tmp_path: Path) -> None:
    """Both end well, without torch, and leave one whole digest and nothing unfinished."""
    command = [sys.executable, "-c", WRITER, str(small_dolls), str(tmp_path / "digest")]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    found = read_digest(tmp_path / "digest")
    assert found is not None
    assert len(found.image_ids) == 32
    assert [folder.name for folder in tmp_path.glob("digest*")] == ["digest"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("about.json", b"{"),
        ("about.json", b"[]"),
        ("about.json", b'{"schema_version": 0}'),
        ("queries.parquet", b"PAR1"),
        ("gallery.parquet", b""),
    ],
)
def test_what_cannot_be_read_is_none(
    small_dolls: Path, tmp_path: Path, file: str, content: bytes
) -> None:
    """A missing, damaged or foreign digest is none at all, and no error."""
    path = tmp_path / "digest"
    assert read_digest(path) is None
    digest(find(small_dolls), path)
    (path / file).write_bytes(content)
    assert read_digest(path) is None
    (path / file).unlink()
    assert read_digest(path) is None


def test_a_table_of_other_columns_is_none(small_dolls: Path, tmp_path: Path) -> None:
    """Columns that are missing or hold something else are not guessed at."""
    path = tmp_path / "digest"
    digest(find(small_dolls), path)
    table = pyarrow.parquet.read_table(path / "queries.parquet")
    for other in (table.drop_columns(["words"]), table.set_column(3, "words", table["caption"])):
        pyarrow.parquet.write_table(other, path / "queries.parquet")
        assert read_digest(path) is None


def test_a_content_has_a_place_of_its_own(tmp_path: Path) -> None:
    """Beside the runs of its suite and dataset, under the first 12 characters of its hash."""
    path = digest_path(tmp_path, "my suite", "dolls", "0123456789abcdef")
    assert path.relative_to(tmp_path) == Path("my-suite/dolls/dataset-0123456789ab")


def written(path: Path) -> dict[str, tuple[int, int]]:
    """Return which file on disk each name stands for, and when it was written."""
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in path.iterdir()}


def encoded(image: Image.Image) -> bytes:
    """Return an image as PNG."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def everything(path: Path) -> bytes:
    """Return the bytes of all files of a digest, and of all cells, which tables compress."""
    kept = [file.read_bytes() for file in sorted(path.iterdir())]
    for file in path.glob("*.parquet"):
        for row in pyarrow.parquet.read_table(file).to_pylist():
            kept += [
                cell if isinstance(cell, bytes) else str(cell).encode() for cell in row.values()
            ]
    about = json.loads((path / "about.json").read_text(encoding="utf-8"))
    return b"\n".join([*kept, json.dumps(about, ensure_ascii=False).encode()])
