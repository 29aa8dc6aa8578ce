"""The datasets by name: a declaration each, with where its Parquet files are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness import paths, results
from harness.data.declaration import SPLITS, Declaration, Located
from harness.errors import HarnessError, unknown

Show = Callable[[str, int, int], None]  # what is being done, done, in all

CATALOGUE = Path(__file__).with_name("catalogue.yaml")


def read_catalogue() -> dict[str, Declaration]:
    """Return the declarations by name."""
    import yaml

    entries = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    return {name: Declaration(name, **values) for name, values in entries.items()}


def find_declaration(name: str) -> Declaration:
    """Return the declaration of a dataset by name, or of a folder of Parquet files by its path."""
    catalogue = read_catalogue()
    if name in catalogue:
        return catalogue[name]
    if Path(name).is_dir():
        folder = Path(name).resolve()
        return Declaration(folder.name, folder.name, folder=str(folder))
    raise unknown("dataset", name, catalogue)


def locate(declaration: Declaration, show: Show = lambda what, done, total: None) -> Located:
    """Return the files of a dataset, drawing or downloading what is not there yet.

    Raises:
        HarnessError: the folder or a split is missing, or the hub has no such dataset.
    """
    if declaration.drawn:
        folder = _drawn_folder(declaration, show)
    elif declaration.hub:
        folder = _hub_folder(declaration)
    else:
        folder = Path(declaration.folder or "")
    files = {split: tuple(sorted(folder.glob(f"**/{split}*.parquet"))) for split in SPLITS}
    missing = [split for split in SPLITS if not files[split]]
    if missing:
        raise HarnessError(
            f"Dataset {declaration.name!r}: no Parquet file for {', '.join(missing)} in {folder}. "
            "Expected train*.parquet, val*.parquet and test*.parquet with the columns image, "
            "captions, person_id and image_id."
        )
    return Located(declaration, files, _fingerprint(files))


def _drawn_folder(declaration: Declaration, show: Show) -> Path:
    """Return the folder of a drawn dataset, drawn once for each version of the drawing code."""
    from harness import sources

    code = sources.content_hash(
        sources.closure(
            [sources.Module("harness.data.paperdolls.build", _drawing_code())], sources.Roots()
        )
    )
    folder = paths.cache_folder() / "datasets" / f"{declaration.drawn}-{code[:16]}"
    if folder.is_dir():
        return folder
    from harness.data.paperdolls.build import write_paperdolls

    unfinished = folder.with_name(f"{folder.name}.{results.process_tag()}.tmp")
    unfinished.mkdir(parents=True, exist_ok=True)
    what = f"drawing {declaration.title}, once"
    write_paperdolls(unfinished, progress=lambda done, total: show(what, done, total))
    results.put_in_place(unfinished, folder)
    return folder


def _drawing_code() -> Path:
    return Path(__file__).parent / "paperdolls" / "build.py"


def _hub_folder(declaration: Declaration) -> Path:
    """Return the local snapshot of a hub dataset at its pinned revision."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if not declaration.revision:
        raise HarnessError(f"Dataset {declaration.name!r}: pin a revision of {declaration.hub}.")
    try:
        return Path(
            snapshot_download(
                str(declaration.hub),
                repo_type="dataset",
                revision=declaration.revision,
                allow_patterns="*.parquet",
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise HarnessError(
            f"Dataset {declaration.name!r}: {declaration.hub} at {declaration.revision} could not "
            f"be fetched from the hub: {error}"
        ) from error


def _fingerprint(files: Mapping[str, tuple[Path, ...]]) -> str:
    """Hash the content of the files; remembered by path, size and time, because they are large."""
    stats = [
        (split, str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns)
        for split, group in files.items()
        for path in group
    ]
    seen = hashlib.sha256(repr(stats).encode()).hexdigest()[:24]
    memory = paths.cache_folder() / "fingerprints" / f"{seen}.json"
    try:
        return str(json.loads(memory.read_text(encoding="utf-8"))["fingerprint"])
    except (OSError, ValueError, KeyError):
        pass
    digest = hashlib.sha256()
    for split, group in files.items():
        for path in group:
            with path.open("rb") as handle:
                content = hashlib.file_digest(handle, "sha256").hexdigest()
            digest.update(f"{split} {content}\n".encode())
    value: dict[str, Any] = {"fingerprint": digest.hexdigest()}
    results.write_json(memory, value)
    return str(value["fingerprint"])
