"""Reading arrays from what people save them in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from harness.errors import HarnessError
from harness.handed_in.files import read_arrays
from harness.handed_in.layout import read_handed

from .conftest import Dumped

IDS = ["a.png", "b.png"]


def four(dumped: Dumped) -> dict[str, torch.Tensor]:
    """The four arrays that IRRA's evaluator has."""
    arrays = dumped.texts, dumped.images, np.arange(64) // 8, np.arange(32) // 4
    names = "qfeats", "gfeats", "qids", "gids"
    return {name: torch.from_numpy(one) for name, one in zip(names, arrays, strict=True)}


def save_npz(file: Path, arrays: dict[str, torch.Tensor]) -> None:
    """Save arrays as they are."""
    np.savez(file, **{name: one.numpy() for name, one in arrays.items()})


def save_packed(file: Path, arrays: dict[str, torch.Tensor]) -> None:
    """Save arrays compressed."""
    np.savez_compressed(file, **{name: one.numpy() for name, one in arrays.items()})


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("stored.npz", save_npz),
        ("packed.npz", save_packed),
        ("all.safetensors", lambda file, arrays: save_file(arrays, file)),
        ("named.pt", lambda file, arrays: torch.save(arrays, file)),
        ("listed.pth", lambda file, arrays: torch.save(tuple(arrays.values()), file)),
        (
            "old.pt",
            lambda file, arrays: torch.save(arrays, file, _use_new_zipfile_serialization=False),
        ),
    ],
)
def test_the_same_arrays_are_read_from_every_kind_of_file(
    tmp_path: Path, dumped: Dumped, name: str, save: Callable[..., Any]
) -> None:
    """Features and people come back as they were saved, whatever holds them."""
    save(tmp_path / name, four(dumped))
    handed = read_handed([tmp_path / name])
    assert np.array_equal(np.asarray(handed.texts), dumped.texts)
    assert np.array_equal(np.asarray(handed.images), dumped.images)
    assert np.array_equal(np.asarray(handed.ids.text_people), np.arange(64) // 8)
    assert handed.counts == (64, 32)


def test_what_is_large_stays_on_the_disk(tmp_path: Path, dumped: Dumped) -> None:
    """Arrays of .npy files and uncompressed members of .npz files are mapped, by columns too."""
    np.savez(tmp_path / "all.npz", texts=dumped.texts, images=np.asfortranarray(dumped.images))
    np.save(tmp_path / "one.npy", dumped.cosines)
    handed = read_handed([tmp_path / "all.npz"])
    matrix = read_handed([tmp_path / "one.npy"]).similarity
    for found in (handed.texts, handed.images, matrix):
        assert isinstance(found, np.memmap)
    assert np.array_equal(np.asarray(handed.images), dumped.images)


def test_ids_of_texts_are_read_from_each_kind(tmp_path: Path) -> None:
    """Lists of texts stand in the metadata of safetensors, as `export-embeddings` writes them."""
    features = {"texts": torch.ones(2, 3), "images": torch.ones(2, 3)}
    rows = {"image_of_text": torch.tensor([1, 0])}
    save_file({**features, **rows}, tmp_path / "a.safetensors", {"image_ids": json.dumps(IDS)})
    torch.save({**features, **rows, "image_ids": IDS}, tmp_path / "a.pt")
    np.savez(tmp_path / "a.npz", **{n: t.numpy() for n, t in {**features, **rows}.items()},
             image_ids=np.asarray(IDS))  # fmt: skip
    for suffix in ("safetensors", "pt", "npz"):
        ids = read_handed([tmp_path / f"a.{suffix}"]).ids
        assert ids.image_ids == IDS
        assert ids.text_image_ids == ["b.png", "a.png"]


class Evil:
    """What would run code where a pickle is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def damage(file: Path) -> None:
    """Cut a file short."""
    file.write_bytes(file.read_bytes()[:-200])


def save_evil(file: Path) -> None:
    """Save what would run code."""
    torch.save({"texts": Evil()}, file)


def save_objects(file: Path) -> None:
    """Save a Python object among arrays."""
    np.savez(file, texts=np.array([{}], dtype=object), images=np.ones((2, 2)))


@pytest.mark.parametrize(
    ("name", "save", "said"),
    [
        ("a.npz", save_evil, "cut short or no .npz"),
        ("a.pt", save_evil, "only code could read"),
        ("a.npz", save_objects, "only code could read"),
        ("a.npy", lambda file: file.write_bytes(b""), "cut short or no .npy"),
        ("a.csv", lambda file: file.touch(), "ends in .npz, .npy"),
        ("a.npz", lambda file: np.savez(file, texts=np.ones((2, 2))), "holds texts"),
        (
            "a.npz",
            lambda file: np.savez(file, texts=np.ones((2, 2)), qfeats=np.ones((2, 2))),
            "texts and qfeats, which both are texts",
        ),
        (
            "a.npz",
            lambda file: np.savez(file, texts=np.ones((2, 3)), images=np.ones((2, 4))),
            "differ in width",
        ),
        (
            "a.npz",
            lambda file: np.savez(file, texts=np.ones((2, 3)), images=np.ones(3)),
            "images has to be (rows, columns) of numbers",
        ),
        (
            "a.npz",
            lambda file: np.savez(file, texts=np.ones((2, 3)), images=np.ones((2, 3)), qids=[1.5]),
            "one whole number a row",
        ),
        (
            "a.npz",
            lambda file: np.savez(file, texts=np.ones((2, 3)), images=np.ones((2, 3)), qids=[1]),
            "1 text_people for 2 rows",
        ),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, save: Callable[[Path], Any],
    said: str,
) -> None:  # fmt: skip
    """The message names the file and what is wrong; nothing that it holds is executed."""
    monkeypatch.chdir(tmp_path)
    save(tmp_path / name)
    with pytest.raises(HarnessError, match=r"^a\.") as caught:
        read_handed([Path(name)])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("ran").exists()


@pytest.mark.parametrize("suffix", ["npz", "npy", "safetensors", "pt"])
def test_a_file_that_is_cut_short_is_told(tmp_path: Path, dumped: Dumped, suffix: str) -> None:
    """A download that stopped is refused, not scored in part."""
    file = tmp_path / f"a.{suffix}"
    {
        "npz": lambda: save_npz(file, four(dumped)),
        "npy": lambda: np.save(file, dumped.cosines),
        "safetensors": lambda: save_file(four(dumped), file),
        "pt": lambda: torch.save(four(dumped), file),
    }[suffix]()
    damage(file)
    with pytest.raises(HarnessError, match="cut short"):
        read_arrays(file)
