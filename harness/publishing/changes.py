"""What publishing changes: the files of a page, compared with those that are published."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Changes:
    """The files to write and to remove, by their paths within the page."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.removed)

    def __str__(self) -> str:
        return f"{len(self.new)} new, {len(self.changed)} changed, {len(self.removed)} removed"

    @property
    def written(self) -> tuple[str, ...]:
        """The files whose content has to be sent."""
        return (*self.new, *self.changed)


@dataclass(frozen=True)
class Published:
    """What was done, or would be, and where it can be seen."""

    where: str
    changes: Changes
    address: str = ""  # of the page, where it can be told
    advice: str = ""  # what is left to the user


def compare(page: Mapping[str, str], there: Mapping[str, str], ours: Collection[str]) -> Changes:
    """Return what makes the files that are there those of a page.

    Args:
        page: what names the content of each file, by path.
        there: the same of all that is published; files of others stay.
        ours: the paths that were published by us before.

    Raises:
        FileExistsError: a file of somebody else is in the way.
    """
    others = {name for name in there if name not in ours}
    same = {name for name in page if there.get(name) == page[name]}
    taken = (others - same) & _with_folders(page) or page.keys() & _folders(others)
    if taken:
        raise FileExistsError(
            f"{min(taken)} is there already and is no page of ours: move it away, or publish to "
            "another place"
        )
    return Changes(
        new=tuple(sorted(page.keys() - there.keys())),
        changed=tuple(sorted((page.keys() & there.keys()) - same)),
        removed=tuple(sorted((there.keys() - others) - page.keys())),
    )


def _with_folders(names: Collection[str]) -> set[str]:
    return {*names} | _folders(names)


def _folders(names: Iterable[str]) -> set[str]:
    """Return the folders that files are in."""
    return {str(folder) for name in names for folder in PurePosixPath(name).parents} - {"."}
