"""What is declared of a dataset, and where its files were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Declaration:
    """What a dataset is and where it comes from: exactly one of drawn, folder and hub."""

    name: str
    title: str
    drawn: str | None = None
    folder: str | None = None
    hub: str | None = None
    revision: str | None = None
    note: str = ""
    licence: str = ""
    url: str = ""
    thumbnails: bool = False  # whether its licence lets a page show its images
    columns: Mapping[str, str] = field(default_factory=dict)  # ours -> the dataset's own name
    validation_people: int = 0  # taken from the training people where there is no such split

    @property
    def argument(self) -> str:
        """What names it on the command line: a folder given by its path, or the name."""
        given_by_path = self.folder is not None and Path(self.folder).is_absolute()
        return str(self.folder) if given_by_path else self.name


@dataclass(frozen=True)
class Located:
    """A declaration with its Parquet files by split and a fingerprint of their content.

    Test is there; train and val may not be.
    """

    declaration: Declaration
    files: Mapping[str, tuple[Path, ...]]
    fingerprint: str

    @property
    def missing(self) -> list[str]:
        """The splits that are not there."""
        return [split for split in SPLITS if split not in self.files]
