"""What `--distractors` names: a number of drawn people, a folder of images, or a dataset."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.display import terminal
from harness.errors import HarnessError, unknown

if TYPE_CHECKING:
    from harness.data.auditing.strangers import Audited, Named
    from harness.data.crowds import Crowd
    from harness.data.declaration import Located
    from harness.data.schema import Split
    from harness.plan import Suite
    from harness.progress import Show

MOST_DRAWN = 100_000_000  # more would take weeks


def find_crowd(argument: str, located: Located, suite: Suite) -> Crowd:
    """Return the crowd that an argument names, to stand beside the test split of a dataset.

    Raises:
        HarnessError: there is none of that name, it has no image that may stand there, or people
            would be drawn beside photographs.
    """
    if re.fullmatch(r"[0-9][0-9_,]*", argument):
        return _drawn(int(re.sub("[_,]", "", argument)), located)
    with terminal.steps() as show:
        if Path(argument).is_dir() and not list(Path(argument).glob("**/*.parquet")):
            found = _of_folder(Path(argument), located, show)
        else:
            found = _of_dataset(argument, located, suite, show)
    if not found.count:
        told = _told(found)
        raise HarnessError(f"--distractors {argument}: no image of it may stand there{told}.")
    terminal.note(f"--distractors {argument}: {found.count:,} images{_told(found)}.")
    return found


def ways_to_search(crowd: Crowd, indexes: Sequence[str]) -> list[Crowd]:
    """Return a crowd as it is scanned, then as it is searched through each of some indexes."""
    return [crowd, *(replace(crowd, index=kind) for kind in indexes)]


def _told(crowd: Crowd) -> str:
    left_out = ", ".join(f"{count:,} {why}" for why, count in crowd.left_out.items())
    return f"; left out: {left_out}" if left_out else ""


def _drawn(count: int, located: Located) -> Crowd:
    from harness.data.crowds import drawn_crowd

    name, look = located.declaration.name, located.declaration.drawn
    if not look:
        raise HarnessError(
            f"Dataset {name!r} is not drawn by the project, and drawn people among its images tell "
            "nothing: give --distractors a folder of images, or the name of another dataset."
        )
    if not 0 < count <= MOST_DRAWN:
        raise HarnessError(f"--distractors: a number from 1 to {MOST_DRAWN:,}; got {count}.")
    return drawn_crowd(look, count)


def _of_folder(folder: Path, located: Located, show: Show) -> Crowd:
    from harness.data.crowds import Crowd
    from harness.data.decoding import read_file
    from harness.search.images import find_images

    names = find_images(folder).images
    images = [(name, partial(read_file, folder / name)) for name in names]
    audited = _audit(images, _stands(folder, names), located, show)
    label = folder.resolve().name
    return Crowd(
        name=label,
        title=f"{len(audited.names):,} images of {label}",
        argument=str(folder.resolve()),
        count=len(audited.names),
        content=audited.content,
        folder=folder.resolve(),
        files=tuple(audited.names),
        left_out=audited.left_out,
    )


def _stands(folder: Path, names: Sequence[str]) -> str:
    """Return what changes with any of some files."""
    found = ((folder / name).stat() for name in names)
    stands = ((one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino) for one in found)
    return repr(list(zip(names, stands, strict=True)))


def _of_dataset(argument: str, located: Located, suite: Suite, show: Show) -> Crowd:
    """Return the test and training images of another dataset, or the training images of this."""
    from harness.data.auditing.strangers import PEOPLE
    from harness.data.catalogue import locate
    from harness.data.crowds import Crowd
    from harness.data.loading import load_split

    try:
        declaration = suite.find_declaration(argument)
    except HarnessError as error:
        what = "number of drawn people, folder of images or dataset"
        if Path(argument).exists():
            raise
        raise unknown(what, argument, ["100000", "streetdolls"]) from error
    other = locate(declaration, show)
    is_own = other.fingerprint == located.fingerprint
    known = set(load_split(located, "test").person_of_image.tolist()) if is_own else set()
    splits = [load_split(other, name) for name in ("test", "train") if name in other.files]
    images, of_test = [], 0
    for split in splits:
        for row, person in enumerate(split.person_of_image.tolist()):
            if person in known:
                of_test += 1
            else:
                images.append((f"{split.name}/{row}", partial(split.encoded, row)))
    audited = _audit(images, f"dataset {other.fingerprint} {is_own}", located, show)
    left_out = {**({PEOPLE: of_test} if of_test else {}), **audited.left_out}
    name = other.declaration.name
    return Crowd(
        name=name,
        title=f"{len(audited.names):,} images of {other.declaration.title}",
        argument=argument,
        count=len(audited.names),
        content=audited.content,
        located=other,
        files=tuple(audited.names),
        left_out=left_out,
    )


def _audit(images: Sequence[Named], stands: str, located: Located, show: Show) -> Audited:
    from harness.data.auditing.strangers import audit_strangers
    from harness.data.loading import load_split

    if not images:
        raise HarnessError("--distractors: there is no image in it.")
    test = load_split(located, "test")
    return audit_strangers(images, stands, _files(test), located.fingerprint, show)


def _files(split: Split) -> Iterator[bytes]:
    return (split.encoded(row) for row in range(len(split.image_ids)))
