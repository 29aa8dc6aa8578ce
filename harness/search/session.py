"""A search from its parts: a run, its method as it is here, and a gallery."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import paths, registry
from harness.data.decoding_key import decoding_key
from harness.errors import HarnessError
from harness.files import hash_file
from harness.plan import keys
from harness.progress import Show
from harness.results import RunRecord, StoredRun
from harness.search.cache import StoredEmbeddings
from harness.search.folder import FolderReader
from harness.search.gallery import Gallery, Reader
from harness.search.hits import Answer, Asked
from harness.search.indexed import IndexedGallery, open_index
from harness.trained.chosen_run import choose_run, weights_file

if TYPE_CHECKING:
    from harness.search.engine import Searcher


@dataclass(frozen=True)
class Session:
    """A trained method that can be asked, text after text."""

    asked: Asked
    gallery: Gallery
    searcher: Searcher
    stale: str  # why the run would be made again today; empty where it would not

    def ask(self, text: str, top: int) -> Answer:
        """Return the `top` images that fit a text best."""
        return self.searcher.ask(text, top)


def open_session(
    results: Path,
    named: str | None,
    folder: Path | None,
    plugins: Sequence[Path],
    show: Show,
    follow_links: bool = False,
    index: str = "",
) -> Session:
    """Load the weights of a run and encode a folder of images, or take the run's test split.

    Images are read from before torch is imported: neither waits for the other. `index` is one of
    `harness.indexes.KINDS`; without, all images are scanned for each text.

    Raises:
        HarnessError: the run, its weights, its method or the images are not there.
    """
    listings = registry.list_methods(plugins)
    usable = {listing.name: listing for listing in reversed(listings) if listing.description}
    run = choose_run(results, named, usable)
    listing = usable.get(run.record.method)
    if listing is None:
        raise _without_method(run.record, listings)
    with closing(_reader(run, listing.plugin, folder, follow_links)) as reader:
        from harness.search.engine import Searcher, units_of
        from harness.trained.method import load_trained

        trained = load_trained(run, listing.plugin, show)
        gallery = reader.encode(trained.encode_images, show)
    find = None
    if index:
        units = units_of(gallery)
        find = IndexedGallery(open_index(index, units, _indexes_folder(), show), units).nearest
    asked = _asked(run.record, gallery, index)
    return Session(asked, gallery, Searcher(trained, gallery, find), why_stale(run, listings))


def why_stale(run: StoredRun, listings: Sequence[registry.Listing]) -> str:
    """Say why a run would be made again with the code that is here; nothing where it would not."""
    from harness.verification.findings import Kind
    from harness.verification.runs import VerifiedRun
    from harness.verification.staleness import find_stale

    found = find_stale([VerifiedRun("", run.record)], listings, [])
    return next((finding.message for finding in found if finding.kind is Kind.STALE), "")


def _reader(
    run: StoredRun, plugin: registry.Plugin, folder: Path | None, follow_links: bool
) -> Reader:
    size = _image_size(run)
    if folder is None:
        from harness.search.split import SplitReader

        return SplitReader(run, size)
    return FolderReader(folder, size, StoredEmbeddings(_cache_folder(run, plugin)), follow_links)


def _image_size(run: StoredRun) -> tuple[int, int]:
    try:
        height, width = map(int, run.record.config["image_size"])
    except (KeyError, TypeError, ValueError) as error:
        raise HarnessError(
            f"The run {run.path} cannot be used: it tells no image size. Train it again: "
            f"{run.record.command}"
        ) from error
    return height, width


def _cache_folder(run: StoredRun, plugin: registry.Plugin) -> Path:
    """Return where embeddings are kept of the weights and the code that make them."""
    weights = weights_file(run)
    content = {
        "decoder": decoding_key(),
        "code": keys.code_of(plugin).figures,
        "method": run.record.method,
        "config": run.record.config,
        "weights": hash_file(weights) if run.record.recipe.get("stages") else "",
        "seed": run.record.seed,  # of what is not trained
    }
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
    return paths.cache_folder() / "search" / key


def _indexes_folder() -> Path:
    return paths.cache_folder() / "search" / "indexes"


def _asked(record: RunRecord, gallery: Gallery, index: str) -> Asked:
    return Asked(
        run=f"{record.name} seed {record.seed}",
        title=record.title,
        trained_on=str(record.data.get("title") or record.dataset),
        drawn=bool(record.data.get("drawn")),
        mean_average_precision=record.metrics.get("map", float("nan")),
        gallery=gallery.label,
        folder=gallery.folder,
        images=len(gallery.names),
        index=index,
    )


def _without_method(record: RunRecord, listings: Sequence[registry.Listing]) -> HarnessError:
    for listing in listings:
        if listing.name == record.method and listing.error:
            return HarnessError(
                f"Method {record.method!r} cannot be used: {listing.error['kind']}: "
                f"{listing.error['message']} (in {listing.plugin.module.path})"
            )
    names = ", ".join(sorted({listing.name for listing in listings}))
    return HarnessError(
        f"The run is one of {record.method!r}, which is not installed here; there are: {names}. "
        f"--plugins FILE brings a method; it was trained by: {record.command}"
    )
