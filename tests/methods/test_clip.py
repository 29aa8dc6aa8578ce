import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import registry
from harness.method import Batch, TrainSummary
from harness.registry.settings import build
from methods.blocks import losses
from methods.clip import Clip, ClipContrastive, ContrastiveConfig, ZeroShotConfig

README = Path(__file__).parents[2] / "README.md"
TINY = {"backbone": "tiny-clip", "image_size": (96, 32)}


def images() -> torch.Tensor:
    """Return four images of noise."""
    torch.manual_seed(0)
    return torch.randint(0, 256, (4, 3, 96, 32), dtype=torch.uint8)


def test_fine_tuning_starts_from_the_zero_shot_encoder() -> None:
    """Before the first step clip-itc gives clip's features, whatever the seed."""
    summary = TrainSummary(4, ["a man"])
    one = Clip(build(ZeroShotConfig, TINY), summary).eval()
    torch.manual_seed(7)
    two = ClipContrastive(build(ContrastiveConfig, TINY), summary).eval()
    torch.testing.assert_close(
        one.encode_images(images()).embedding, two.encode_images(images()).embedding
    )


def test_the_loss_is_infonce_on_the_batch() -> None:
    """One loss, `itc`, at the configured temperature and weight."""
    method = ClipContrastive(build(ContrastiveConfig, TINY), TrainSummary(4, ["a man"]))
    captions = ["a man", "a woman in red", "a boy", "a girl with a bag"]
    index = torch.arange(4)

    class Step:
        losses = {"itc": 2.0}

        def spread(self, function: Callable[..., Any], *rows: Any) -> Any:
            return function(*rows)

    found = method.training_losses(Batch(images(), captions, index, index), Step())  # type: ignore[arg-type]  # all that it asks of a run
    expected = losses.infonce(
        method.encode_images(images()).embedding, method.encode_texts(captions).embedding, 0.02
    )
    torch.testing.assert_close(found, {"itc": 2 * expected})


@pytest.mark.parametrize("name", ["clip", "clip-itc", "irra"])
def test_the_paper_recipes_are_clip_at_384_by_128(name: str) -> None:
    """Every method declares the papers' encoder, size, batch and, where it trains, schedule."""
    description = registry.find_method(name, registry.list_methods()).description
    assert description is not None
    recipe = description["scales"]["paper"]["recipe"]
    assert recipe["backbone"] == "ViT-B-16-quickgelu/openai"
    assert recipe["image_size"] == [384, 128]
    for stage in recipe["stages"]:
        assert (stage["epochs"], stage["batch_size"], stage["learning_rate"]) == (60, 64, 1e-5)
        assert (stage["warmup_epochs"], stage["warmup_start"]) == (5, 0.1)
        solver = "optimizer", "betas", "eps", "weight_decay", "undecayed"
        assert [stage[name] for name in solver] == ["adam", [0.9, 0.999], 1e-3, 4e-5, ["biases"]]


def test_the_readme_example_is_a_method_that_works(tmp_path: Path) -> None:
    """The plugin in the README imports, describes itself and computes its loss."""
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "mine.py"
    file.write_text(example, encoding="utf-8")
    listing = registry.find_method("mine", registry.list_methods([file]))
    assert listing.error is None
    assert listing.description is not None
    assert [v["label"] for v in listing.description["variants"]] == ["full", "0.01"]
    registration = registry.load_method("mine", listing.plugin)
    config = build(
        registration.method.config_class, listing.description["scales"]["tiny"]["config"]
    )
    method = registration.method(config, TrainSummary(4, ["a man"]))
    index = torch.arange(4)

    class Step:
        losses = {"itc": 1.0}

    batch = Batch(images(), ["a man", "a woman", "a boy", "a girl"], index, index)
    assert torch.isfinite(method.training_losses(batch, Step())["itc"])  # type: ignore[arg-type]  # see above
