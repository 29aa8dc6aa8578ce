"""The datasets by name: a declaration each, with where its Parquet files are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from harness import paths
from harness.data.conforming import COLUMNS, conform, needs_conforming
from harness.data.declaration import SPLITS, Declaration, Located
from harness.data.fingerprint import fingerprint
from harness.data.hub import download
from harness.errors import HarnessError, unknown
from harness.files import whole_folder
from harness.progress import Show

CATALOGUE = Path(__file__).with_name("catalogue.yaml")


def read_catalogue() -> dict[str, Declaration]:
    """Return the declarations by name."""
    import yaml

    entries = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    return {name: Declaration(name, **values) for name, values in entries.items()}


def read_declaration(values: Any, folder: Path) -> Declaration:
    """Return a dataset that a suite declares: a mapping with a name and a folder or a hub id.

    Raises:
        HarnessError: the mapping lacks something or has what is not known.
    """
    import msgspec

    known = {field.name for field in fields(Declaration)} - {"drawn"}
    if not isinstance(values, Mapping) or not values.get("name"):
        raise HarnessError(
            f"A dataset of a suite is a name, or a mapping with one: got {values!r}."
        )
    name = str(values["name"])
    if unknown_names := [str(key) for key in values if key not in known]:
        raise HarnessError(
            f"Dataset {name!r}: {', '.join(unknown_names)} is not known. There are: "
            f"{', '.join(sorted(known))}."
        )
    if (values.get("folder") is None) == (values.get("hub") is None):
        raise HarnessError(f"Dataset {name!r}: say either folder or hub.")
    stated = {key: value for key, value in values.items() if value is not None}
    given = {"title": name, **stated, "name": name}
    if given.get("folder"):
        given["folder"] = str((folder / str(given["folder"])).resolve())
    try:
        declaration = msgspec.convert(given, Declaration)
    except msgspec.ValidationError as error:
        raise HarnessError(f"Dataset {name!r}: {error}.") from error
    if strange := declaration.columns.keys() - {*COLUMNS}:
        raise HarnessError(
            f"Dataset {name!r}: columns says what some of {', '.join(COLUMNS)} are called there: "
            f"got {', '.join(strange)}."
        )
    if declaration.validation_people < 0:
        raise HarnessError(f"Dataset {name!r}: validation_people is a number of people, 0 or more.")
    return declaration


def find_declaration(name: str) -> Declaration:
    """Return the declaration of a dataset by name, or of a folder of Parquet files by its path."""
    catalogue = read_catalogue()
    if name in catalogue:
        return catalogue[name]
    if Path(name).is_dir():
        folder = Path(name).resolve()
        if folder.name in catalogue and catalogue[folder.name].drawn:
            raise HarnessError(
                f"The folder {folder} is called like the dataset {folder.name!r} that the project "
                "draws: rename it, or give it a name in a suite."
            )
        return _of_folder(folder)
    raise unknown("dataset", name, catalogue)


def _of_folder(folder: Path) -> Declaration:
    return Declaration(folder.name, folder.name, folder=str(folder))


def locate(
    declaration: Declaration,
    show: Show = lambda what, done, total: None,
    needed: Sequence[str] = ("test",),
) -> Located:
    """Return the files of a dataset, drawing or downloading what is not there yet.

    Raises:
        HarnessError: the folder, all splits or one that is needed are missing, or the hub has no
            such dataset.
    """
    if declaration.drawn:
        folder = _drawn_folder(declaration, show)
    elif declaration.hub:
        folder = download(declaration)
    else:
        folder = Path(declaration.folder or "")
    files = {split: tuple(sorted(folder.glob(f"**/{split}*.parquet"))) for split in SPLITS}
    if not any(files.values()) or not all(files[split] for split in needed):
        missing = ", ".join(split for split in SPLITS if not files[split])
        advice = ""
        if files["train"]:
            advice = " `harness data import --score-on` adds val and test of another dataset."
        raise HarnessError(
            f"Dataset {declaration.name!r}: no Parquet file for {missing} in {folder}. Expected "
            "test*.parquet and, to train on, train*.parquet and val*.parquet, with the columns "
            f"image, captions, person_id and image_id.{advice}"
        )
    if needs_conforming(declaration, files):
        files = conform(declaration, files, fingerprint(files), show)
    there = {split: of_split for split, of_split in files.items() if of_split}
    return Located(declaration, there, fingerprint(there))


def find_here(declaration: Declaration) -> Located | None:
    """Return the files of a dataset that are here and can be read; None where they are not."""
    place = place_of_drawn(declaration) if declaration.drawn else declaration.folder
    try:
        return locate(declaration) if place and Path(place).is_dir() else None
    except (HarnessError, OSError):
        return None


def find_all_here(arguments: Iterable[str] = ()) -> list[Located]:
    """Return the datasets that need not be drawn or downloaded.

    These are the folders among `arguments`, which is how runs tell of their datasets, by absolute
    paths; then those of the catalogue.
    """
    folders = sorted({Path(argument) for argument in arguments if Path(argument).is_absolute()})
    found = map(find_here, (*map(_of_folder, folders), *read_catalogue().values()))
    return [located for located in found if located]


def place_of_drawn(declaration: Declaration) -> Path:
    """Return where a drawn dataset belongs: another place for each version of the drawing code."""
    return paths.cache_folder() / "datasets" / f"{declaration.drawn}-{code_of_drawing()[:16]}"


@cache
def code_of_drawing() -> str:
    """Return a hash of the code that draws, which takes part of a second to read."""
    from harness.sources import Roots, Scope, find_definitions, hash_definitions

    roots = Roots()
    start = find_definitions([("harness.data.paperdolls.build", "write_paperdolls")], roots)
    return hash_definitions(start, Scope(roots))


def _drawn_folder(declaration: Declaration, show: Show) -> Path:
    """Return the folder of a drawn dataset, drawn once."""
    folder = place_of_drawn(declaration)
    if folder.is_dir():
        return folder
    from harness.data.paperdolls.build import write_paperdolls
    from harness.data.paperdolls.looks import DATASETS

    what = f"drawing {declaration.title}, once"
    look = DATASETS[str(declaration.drawn)]
    with whole_folder(folder) as unfinished:
        write_paperdolls(unfinished, progress=lambda done, of: show(what, done, of), look=look)
    return folder
