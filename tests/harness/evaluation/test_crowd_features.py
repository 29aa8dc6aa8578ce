"""Features of crowds on disk: encoded once, however often that was interrupted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.data.crowd_images import Pixels
from harness.evaluation import crowd_features
from harness.evaluation.crowd_features import CrowdFeatures, features_folder, hash_weights
from harness.method import Config, Method

CPU = torch.device("cpu")
COUNT = 10


class Colours(Method):
    """Embeds an image as its mean colours, which it may be told to fail at."""

    def __init__(self) -> None:
        super().__init__(Config(), None)  # type: ignore[arg-type]  # a summary is not needed
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
        self.seen = 0

    def encode_images(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return images.float().mean((2, 3)) * self.scale

    def encode_texts(self, captions: Sequence[str]) -> Tensor:
        raise AssertionError("a crowd is not asked for")


def images(start: int, stop: int) -> Pixels:
    """Return images of which each has colours of its own."""
    rows = np.arange(start, stop)[:, None] * [1, 5, 7] + [3, 1, 2]
    return np.tile(rows.astype(np.uint8)[:, :, None, None], (1, 1, 4, 2))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep three strangers in a file."""
    monkeypatch.setattr(crowd_features, "CHUNK", 3)


def encode(folder: Path, count: int, method: Colours, read: object = images) -> CrowdFeatures:
    """Encode so many strangers into a folder."""
    features = CrowdFeatures(folder)
    features.encode(count, method, read, CPU, lambda done, of: None)  # type: ignore[arg-type]
    return features


def test_features_are_those_of_the_method_in_half_precision(tmp_path: Path) -> None:
    """Of length one, in order, from any row to any other."""
    method = Colours()
    features = encode(tmp_path, COUNT, method)
    whole = nn.functional.normalize(method.encode_images(torch.from_numpy(images(0, COUNT))))
    expected = whole.detach().half().numpy()
    assert features.rows(0, COUNT).dtype == np.float16
    for start, stop in ((0, COUNT), (2, 3), (2, 8), (9, 10)):
        assert np.array_equal(features.rows(start, stop), expected[start:stop])
    assert features.bytes(COUNT) > 2 * 3 * COUNT


@pytest.mark.parametrize("killed_at", [0, 3, 6, 9])
def test_what_was_interrupted_goes_on(killed_at: int, tmp_path: Path) -> None:
    """At any chunk: what was encoded is not encoded again, and the end is the same."""

    def failing(start: int, stop: int) -> Pixels:
        if start >= killed_at:
            raise KeyboardInterrupt
        return images(start, stop)

    with pytest.raises(KeyboardInterrupt):
        encode(tmp_path / "cut", COUNT, Colours(), failing)
    method = Colours()
    features = encode(tmp_path / "cut", COUNT, method)
    assert method.seen == COUNT - killed_at
    assert np.array_equal(
        features.rows(0, COUNT), encode(tmp_path / "whole", COUNT, Colours()).rows(0, COUNT)
    )


def test_a_larger_crowd_goes_on_from_a_smaller_one(tmp_path: Path) -> None:
    """Only a chunk that was not full is encoded again."""
    encode(tmp_path, 4, Colours())
    method = Colours()
    encode(tmp_path, COUNT, method)
    assert method.seen == COUNT - 3
    again = Colours()
    encode(tmp_path, COUNT, again)
    assert not again.seen


def test_damaged_files_are_encoded_again(tmp_path: Path) -> None:
    """One that is cut short, of another type, or no array at all."""
    expected = encode(tmp_path, COUNT, Colours()).rows(0, COUNT)
    files = sorted(tmp_path.glob("*.npy"))
    files[0].write_bytes(files[0].read_bytes()[:-3])
    np.save(files[1], np.zeros((3, 3)))
    files[2].write_text("nothing")
    method = Colours()
    assert np.array_equal(encode(tmp_path, COUNT, method).rows(0, COUNT), expected)
    assert method.seen == 9


def test_features_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    """The stranger is named, and nothing of its chunk is kept."""
    method = Colours()
    with torch.no_grad():
        method.scale[1] = torch.nan
    with pytest.raises(ValueError, match="stranger 0 has features that are not finite"):
        encode(tmp_path, COUNT, method)
    assert not list(tmp_path.iterdir())


def test_folders_are_named_by_content() -> None:
    """Other weights, another encoder or another crowd lie elsewhere; a copy of weights does not."""
    one, other = Colours(), Colours()
    assert hash_weights(one.state_dict()) == hash_weights(other.state_dict())
    with torch.no_grad():
        other.scale[0] = 4
    weights = hash_weights(one.state_dict()), hash_weights(other.state_dict())
    named = {
        features_folder(encoder, of, crowd) for encoder in "ab" for of in weights for crowd in "cd"
    }
    assert len(named) == 8
