"""The digest of a dataset: from the results or, where they have none, from what ships.

What ships holds no thumbnails. Those of a drawn dataset follow from the code that draws: they are
drawn once, into the cache, and only where that code is the one that drew what ships.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness import paths
from harness.data.catalogue import code_of_drawing, read_catalogue
from harness.data.digest import (
    HEIGHT,
    QUALITY,
    Digest,
    digest_path,
    read_digest,
    shrink,
)
from harness.files import read_table, whole_folder, write_table
from harness.progress import Show
from harness.results import StoredRun, shipped

TABLE = "thumbnails.parquet"
NOT_DRAWN = "they do not ship, and were not drawn here; harness report draws them"
DRAWN_OTHERWISE = "they do not ship, and the code that is here draws other ones"
NOT_DRAWABLE = "they do not ship"


@dataclass(frozen=True)
class Undrawn:
    """A digest that ships, of which thumbnails can be drawn that are not there yet."""

    dataset: str
    digest: Digest

    def draw(self, show: Show) -> None:
        """Draw the thumbnails into the cache, whole or not at all."""
        _draw(self.dataset, self.digest, show)


def find_digest(results: Path, suite: str, dataset: str, fingerprint: str) -> Digest | None:
    """Read the digest of a dataset; None where neither the results nor what ships has one."""
    own = read_digest(digest_path(results, suite, dataset, fingerprint))
    if own is not None:
        return own
    digest = read_digest(digest_path(shipped.FOLDER, suite, dataset, fingerprint))
    return digest and (_with_thumbnails(digest) if _is_bare(digest) else digest)


def find_undrawn(results: Path, runs: Iterable[StoredRun]) -> Iterator[Undrawn]:
    """Yield the digests of shipped runs whose thumbnails are to be drawn before pages show them."""
    records = [run.record for run in runs if shipped.is_shipped(run)]
    places = {(one.suite, one.dataset, str(one.data.get("fingerprint"))) for one in records}
    for suite, dataset, fingerprint in sorted(places):
        digest = find_digest(results, suite, dataset, fingerprint)
        if digest is not None and digest.bare == NOT_DRAWN:
            yield Undrawn(dataset, digest)


def _is_bare(digest: Digest) -> bool:
    return digest.about.get("shown") is True and not any(digest.thumbnails)


def _with_thumbnails(digest: Digest) -> Digest:
    """Return a digest with the thumbnails that were drawn here, or with why there are none."""
    fingerprint, about = str(digest.about.get("fingerprint")), shipped.read_about()
    drawing = about.drawing.get(fingerprint) if about else None
    if drawing != code_of_drawing():
        return replace(digest, bare=DRAWN_OTHERWISE if drawing else NOT_DRAWABLE)
    file = _place(fingerprint) / TABLE
    try:
        rows = read_table(file) if file.is_file() else None
    except (OSError, ValueError):  # damaged
        rows = None
    if rows is None:
        return replace(digest, bare=NOT_DRAWN)
    if [row.get("image_id") for row in rows] != digest.image_ids:
        return replace(digest, bare=DRAWN_OTHERWISE)
    return replace(digest, thumbnails=[row.get("thumbnail") for row in rows])


def _draw(dataset: str, digest: Digest, show: Show) -> None:
    """Draw the test split; where its captions are not those of the digest, nothing of it is kept.

    The same code may draw otherwise with another version of a library.
    """
    from harness.data.paperdolls.build import photographs
    from harness.data.paperdolls.looks import DATASETS

    declaration = read_catalogue()[dataset]
    look = DATASETS[str(declaration.drawn)]
    tell = partial(show, f"drawing {declaration.title} for the pages, once")
    drawn: dict[str, bytes] = {}
    captions: list[str] = []
    for photo in photographs("test", look.seed, look=look):
        drawn[photo.image_id] = shrink(photo.image)
        captions += [" ".join(caption.text.split()) for caption in photo.captions]
        tell(len(drawn), len(digest.image_ids))
    fits = captions == digest.captions
    place = _place(str(digest.about["fingerprint"]))
    shutil.rmtree(place, ignore_errors=True)  # damaged, else it would not be drawn
    with whole_folder(place) as folder:
        columns = {"image_id": list(drawn), "thumbnail": list(drawn.values())}
        write_table(folder / TABLE, columns if fits else {name: [] for name in columns})


def _place(fingerprint: str) -> Path:
    """Return where thumbnails belong: another place for each version of what draws them."""
    name = f"{fingerprint[:12]}-{code_of_drawing()[:16]}-{HEIGHT}-{QUALITY}"
    return paths.cache_folder() / "thumbnails" / name
