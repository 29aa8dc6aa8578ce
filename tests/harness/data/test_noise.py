from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.data.noise import Noise, parse_noise, read_index, recorded_noise
from harness.errors import HarnessError

INDEX = np.array([0, 3, 2, 1])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An index file of four captions, of which two change places."""
    np.save(tmp_path / "CUHK <b> 0.5.npy", INDEX)
    return tmp_path / "CUHK <b> 0.5.npy"


def of_text(text: str) -> Noise:
    """Return the noise of a text that names some."""
    noise = parse_noise(text)
    assert noise
    return noise


@pytest.mark.parametrize("text", ["0", "0.0", "0e3"])
def test_no_share_is_no_noise(text: str) -> None:
    """A list of rates may begin with 0: it is the run without noise, by the same key."""
    assert parse_noise(text) is None


def test_a_share_is_the_same_however_it_is_written() -> None:
    """The label, the key's content, the record and the command know it by its number."""
    noise = of_text("0.20")
    assert noise == of_text("2e-1")
    assert (noise.label, noise.argument, noise.content) == ("noise 0.2", "0.2", {"rate": 0.2})
    assert recorded_noise(noise.record()) == replace(noise, argument="")


def test_shares_that_differ_are_called_by_other_names() -> None:
    """Names are folders: two of one would replace each other."""
    one, other = of_text("0.2"), of_text("0.2000001")
    assert (other.label, other.argument) == ("noise 0.2000001", "0.2000001")
    assert one.content != other.content


def test_a_file_that_moves_nothing_is_refused(tmp_path: Path) -> None:
    """A run with it would stand among those with wrong pairs, and have none."""
    np.save(tmp_path / "index.npy", np.arange(10))
    with pytest.raises(HarnessError, match="leaves every caption where it is"):
        parse_noise(str(tmp_path / "index.npy"))


def test_a_file_is_known_by_what_it_lists(file: Path, tmp_path: Path) -> None:
    """Not by its name, its place, or the width of its numbers."""
    noise = of_text(str(file))
    np.save(tmp_path / "other.npy", INDEX.astype(np.int32))
    other = of_text(str(tmp_path / "other.npy"))
    assert (noise.rate, noise.count, noise.content) == (0.5, 4, other.content)
    np.save(tmp_path / "other.npy", INDEX[::-1])
    assert of_text(str(tmp_path / "other.npy")).content != noise.content


def test_a_record_tells_of_a_file_without_its_folder(file: Path) -> None:
    """What is read of a record gives the same label and the same key."""
    noise = of_text(str(file))
    read = recorded_noise(noise.record())
    assert read is not None
    assert (read.label, read.content) == (noise.label, noise.content)
    assert noise.label == f"noise CUHK-b-0.5 {noise.digest[:8]}"
    assert noise.record()["file"] == file.name


def test_a_file_that_has_changed_is_not_used(file: Path) -> None:
    """The key stands for what it held when the run was planned."""
    noise = of_text(str(file))
    assert np.array_equal(read_index(noise), INDEX)  # type: ignore[arg-type]  # it is there
    np.save(file, INDEX[::-1])
    with pytest.raises(HarnessError, match="was changed after the run was planned"):
        read_index(noise)


@pytest.mark.parametrize("text", ["1", "-0.1", "nan", "inf", "20", "20%", "nowhere.npy", ""])
def test_what_is_neither_is_refused(text: str) -> None:
    """The message says what to write."""
    with pytest.raises(HarnessError, match=r"a share of the training captions below 1"):
        parse_noise(text)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (np.array([0, 1, 1]), "once; it holds 3"),
        (np.array([1, 2, 3]), "once"),
        (np.array([], dtype=np.int64), "once; it holds 0"),
        (np.array([0.0, 1.0]), "one list of whole numbers"),
        (np.array([[0, 1]]), "one list of whole numbers"),
        (np.array([True, False]), "one list of whole numbers"),
        (np.array([-1, 0]), "once"),
        (np.array([{"a": 1}], dtype=object), "cannot be read"),
    ],
)
def test_a_file_that_lists_no_permutation_is_refused(
    tmp_path: Path, content: np.ndarray, told: str
) -> None:
    """What it holds is not taken for something else, nor unpickled."""
    np.save(tmp_path / "index.npy", content, allow_pickle=True)
    with pytest.raises(HarnessError, match=told):
        parse_noise(str(tmp_path / "index.npy"))


HEAD = b"\x93NUMPY\x01\x00\x40\x00"
HEADERS = [
    b"{'descr': '<i8', 'fortran_order': False, 'shape': (True,)}",
    b"{'descr': '<i8', 'fortran_order': False, 'shape': (4,",
    b"(" * 64,
]


@pytest.mark.parametrize(
    "content",
    [b"", b"\x93NUMPY", b"0.2", b"PK\x03\x04", *(HEAD + head.ljust(64) for head in HEADERS)],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    """Empty, cut short, a text, an archive, with a header that is damaged."""
    (tmp_path / "index.npy").write_bytes(content)
    with pytest.raises(HarnessError, match="cannot be read"):
        parse_noise(str(tmp_path / "index.npy"))


def test_a_file_that_is_cut_short_is_refused(file: Path) -> None:
    """Before memory is taken for what its head promises."""
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(HarnessError, match="cannot be read"):
        parse_noise(str(file))


@pytest.mark.parametrize(
    "told",
    [
        {"rate": "x"}, {"file": "a"}, {"rate": 0.1, "count": 1e999}, {"rate": -3}, {"rate": 7},
        {"rate": float("nan")},
    ],
)  # fmt: skip
def test_a_record_of_no_noise_is_told_apart(told: dict[str, object]) -> None:
    """Records of others may hold anything."""
    with pytest.raises(ValueError, match="a noise that is none"):
        recorded_noise(told)
