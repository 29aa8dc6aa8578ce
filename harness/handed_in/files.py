"""Arrays by name from the files that people save them in, without executing anything.

What is large stays on the disk and is read where it is asked for: `.npy`, members of an `.npz` that
are not compressed, `.safetensors` and `.pt`.
"""

from __future__ import annotations

import json
import pickle
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.errors import HarnessError
from harness.printable import printable

Array = NDArray[Any] | Tensor
Load = Callable[[], Any]  # an array, or a list of texts

ALONE = ""  # the name of an array that is alone in its file
FOUR = ("qfeats", "gfeats", "qids", "gids")  # as IRRA's evaluator has them, in its order
MOST_UNPACKED = 8 << 30  # bytes of a compressed array, which is held in memory
LOCAL_HEADER = 30  # bytes before the name of a file in a zip


def read_arrays(file: Path) -> dict[str, Load]:
    """Return how to load what a file holds, by name; an array that is alone in it is `ALONE`.

    Raises:
        HarnessError: it is no such file, is cut short, or holds more than arrays and texts.
    """
    reader = READERS.get(file.suffix)
    if reader is None:
        raise HarnessError(
            f"{printable(str(file))}: a file of arrays ends in {', '.join(READERS)}."
        )
    try:
        return reader(file)
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        told = getattr(error, "strerror", None) or str(error).partition("\n")[0] or "it is empty"
        raise HarnessError(
            f"{printable(str(file))} is cut short or no {file.suffix} file: {printable(told)}."
        ) from error


def _read_npy(file: Path) -> dict[str, Load]:
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    return {ALONE: partial(_same, array)}


def _read_npz(file: Path) -> dict[str, Load]:
    with zipfile.ZipFile(file) as archive:
        members = [one for one in archive.infolist() if one.filename.endswith(".npy")]
    if not members:
        raise ValueError("it holds no array")
    return {one.filename.removesuffix(".npy"): _member(file, one) for one in members}


def _member(file: Path, member: zipfile.ZipInfo) -> Load:
    is_stored = member.compress_type == zipfile.ZIP_STORED
    return partial(_map_member if is_stored else _unpack, file, member)


def _map_member(file: Path, member: zipfile.ZipInfo) -> NDArray[Any]:
    """Map an array of a zip that lies in it as it is."""
    with file.open("rb") as opened:
        opened.seek(member.header_offset)
        header = opened.read(LOCAL_HEADER)
        name, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
        opened.seek(member.header_offset + LOCAL_HEADER + name + extra)
        shape, by_columns, kind = _read_header(opened)
        if not shape or 0 in shape:
            return np.empty(shape, kind)
        order: Any = "F" if by_columns else "C"
        return np.memmap(file, kind, "r", opened.tell(), shape, order)


def _read_header(opened: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    formats = np.lib.format
    version = formats.read_magic(opened)
    read = formats.read_array_header_1_0 if version == (1, 0) else formats.read_array_header_2_0
    shape, by_columns, kind = read(opened)
    if kind.hasobject:
        raise ValueError("it holds Python objects, which only code could read: save plain arrays")
    return shape, by_columns, kind


def _unpack(file: Path, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.file_size > MOST_UNPACKED:
        raise HarnessError(
            f"{printable(str(file))}: {printable(member.filename)} is compressed and has "
            f"{member.file_size / 1e9:.0f} GB: save it with numpy.save, which need not be held in "
            "memory."
        )
    with np.load(file, allow_pickle=False) as archive:
        array: NDArray[Any] = archive[member.filename.removesuffix(".npy")]
    return array


def _read_safetensors(file: Path) -> dict[str, Load]:
    from safetensors import SafetensorError, safe_open

    try:
        opened: Any = safe_open(file, framework="pt")
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    tensors = {name: partial(opened.get_tensor, name) for name in list(opened.keys())}
    texts = {name: _json(text) for name, text in (opened.metadata() or {}).items()}
    return tensors | {name: partial(_same, one) for name, one in texts.items() if one}


def _same(value: Any) -> Any:
    return value


def _json(text: str) -> list[Any] | None:
    """Return a list that is written as JSON; None of anything else."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, list) else None


def _read_torch(file: Path) -> dict[str, Load]:
    """Read tensors and texts; whatever else a pickle may ask for is refused, and nothing is run."""
    try:
        held = torch.load(file, map_location="cpu", weights_only=True, mmap=_is_zip(file))
    except pickle.UnpicklingError as error:
        raise HarnessError(
            f"{printable(str(file))} is cut short, or holds more than tensors, lists and texts, "
            "which only code could read: save a dictionary of tensors."
        ) from error
    if isinstance(held, Tensor):
        return {ALONE: partial(_same, held)}
    if isinstance(held, list | tuple) and len(held) == len(FOUR):
        held = dict(zip(FOUR, held, strict=True))
    if not isinstance(held, Mapping):
        raise ValueError(f"it holds a {type(held).__name__}, not tensors by name")
    return {str(name): partial(_same, one) for name, one in held.items()}


def _is_zip(file: Path) -> bool:
    """Tell whether torch saved it so that it can be mapped: since 1.6 it does."""
    return zipfile.is_zipfile(file)


READERS: Mapping[str, Callable[[Path], dict[str, Load]]] = {
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".safetensors": _read_safetensors,
    ".pt": _read_torch,
    ".pth": _read_torch,
}


def load(file: Path, name: str, how: Load) -> Any:
    """Load one of the arrays of a file.

    Raises:
        HarnessError: it is damaged or holds Python objects.
    """
    try:
        return how()
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        told = str(error).partition("\n")[0]
        of = f", {printable(name)}" if name else ""
        raise HarnessError(
            f"{printable(str(file))}{of} cannot be read: {printable(told)}."
        ) from error
