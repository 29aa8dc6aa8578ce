import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from harness import plan, registry, results
from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.pixels import open_pixels
from harness.method import Config, Highlight, Method, TrainSummary
from harness.run.execute import execute
from harness.run.highlights import EXAMPLES, write_highlights
from harness.run.options import Options

CPU = torch.device("cpu")
MAPS = {"one": torch.tensor([[0.0, 2.0], [1.0, 4.0]]), "none": torch.zeros(2, 2)}


class Looking(Method):
    """Highlights what it is told to; notes what it was shown."""

    def __init__(self, found: Any) -> None:
        super().__init__(Config(), TrainSummary(0, []))
        self.found = found
        self.shown: list[tuple[Tensor, Sequence[str]]] = []

    def encode_images(self, images: Tensor) -> Tensor:
        return images.flatten(1)

    def encode_texts(self, captions: Sequence[str]) -> Tensor:
        return torch.zeros(len(captions), 2)

    def highlight(self, images: Tensor, captions: Sequence[str]) -> Any:
        self.shown.append((images, captions))
        assert torch.is_grad_enabled()
        assert not self.training
        return self.found(captions)


def written(dolls: Path, folder: Path, found: Any) -> tuple[Any, Looking]:
    """Return the file that a method leaves, and the method."""
    split = load_split(locate(find_declaration(str(dolls))), "test")
    method = Looking(found)
    write_highlights(folder / "h.json", method, split, open_pixels(split, (96, 32), None), CPU)
    file = folder / "h.json"
    return json.loads(file.read_text()) if file.is_file() else None, method


def test_captions_are_spread_over_the_split(small_dolls: Path, tmp_path: Path) -> None:
    """Each with the image that it was written for; maps are scaled to a largest weight of 1."""
    found, method = written(
        small_dolls, tmp_path, lambda captions: [[Highlight(2, 5, MAPS)] for _ in captions]
    )
    split = load_split(locate(find_declaration(str(small_dolls))), "test")
    pixels = open_pixels(split, (96, 32), None)
    ((images, captions),) = method.shown
    assert len(found["examples"]) == EXAMPLES
    for number, example in enumerate(found["examples"]):
        assert captions[number] == split.captions[example["caption"]]
        assert example["image"] == split.image_of_caption[example["caption"]]
        assert torch.equal(images[number], pixels(split.image_of_caption[[example["caption"]]])[0])
        assert example["highlights"] == [
            {
                "start": 2,
                "stop": 5,
                "maps": {"one": [[0.0, 0.5], [0.25, 1.0]], "none": [[0.0, 0.0], [0.0, 0.0]]},
                "similarity": None,
            }
        ]
    people = [split.person_of_image[example["image"]] for example in found["examples"]]
    assert len(set(people)) == EXAMPLES


def test_a_method_that_highlights_nothing_leaves_no_file(small_dolls: Path, tmp_path: Path) -> None:
    """As the contract's default does."""
    found, _ = written(small_dolls, tmp_path, lambda captions: [()] * len(captions))
    assert found is None


@pytest.mark.parametrize(
    ("highlight", "message"),
    [
        (Highlight(5, 5, MAPS), "got 5 to 5"),
        (Highlight(0, 10_000, MAPS), "got 0 to 10000"),
        (Highlight(-1, 4, MAPS), "got -1 to 4"),
        (Highlight(0, 1, {"x": torch.ones(3)}), r"'x' has to be rows x columns .* got \(3,\)"),
        (Highlight(0, 1, {"x": -torch.ones(3, 3)}), "weights >= 0"),
        (Highlight(0, 1, {"x": torch.full((3, 3), torch.nan)}), "weights >= 0"),
        (Highlight(0, 1, similarity=float("nan")), "a cosine, got nan"),
        (Highlight(0, 1, similarity=1.5), "a cosine, got 1.5"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    small_dolls: Path, tmp_path: Path, highlight: Highlight, message: str
) -> None:
    """A highlight outside the caption or a map that is none: the error stands in the file."""
    found, _ = written(small_dolls, tmp_path, lambda captions: [[highlight]] * len(captions))
    assert found["error"]["kind"] == "ValueError"
    assert re.search(message, found["error"]["message"])


def test_another_number_of_lists_is_an_error(small_dolls: Path, tmp_path: Path) -> None:
    """One list a caption."""
    found, _ = written(small_dolls, tmp_path, lambda captions: [[]])
    assert "6 lists for 6 captions" in found["error"]["message"]


def test_a_highlight_that_raises_costs_no_run(
    small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """The run is finished with its figures; why nothing is drawn is kept beside them."""
    raising = '\n    def highlight(self, images, captions):\n        raise OSError("no eyes")\n'
    toy.write_text(toy_source + raising, encoding="utf-8")
    suite = plan.Suite("demo", "Demo", "tiny", (0,), ())
    choices = plan.choose(["toy"], registry.list_methods([toy]), "tiny", False)
    located = [locate(find_declaration(str(small_dolls)))]
    (spec,) = plan.plan(suite, located, choices, (0,), {})
    threads = torch.get_num_threads()
    record = execute(spec, Options(tmp_path / "results", "cpu"), lambda update: None)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    assert record.status == "ok"
    (stored,) = results.load_runs(tmp_path / "results")
    assert stored.highlights()["error"]["message"] == "no eyes"
