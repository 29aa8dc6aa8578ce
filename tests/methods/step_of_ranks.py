"""One training step of methods, by this process or by one rank of several.

Called as `python step_of_ranks.py DATASET OUT CHUNKS METHOD...`, with torchrun's variables for
several ranks, each of which encodes its rows in so many chunks. The first rank writes losses,
gradients and buffers of each method, and val metrics' embeddings.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.compatibility import mend_torchvision

mend_torchvision()

import torch  # noqa: E402 (after the mend)
from torch import Tensor, nn  # noqa: E402

from harness import distributed, registry  # noqa: E402
from harness.data.catalogue import find_declaration, locate  # noqa: E402
from harness.data.loading import load_split  # noqa: E402
from harness.data.pixels import open_pixels  # noqa: E402
from harness.data.schema import Split, TrainView  # noqa: E402
from harness.evaluation import encode_split  # noqa: E402
from harness.method import Recipe, Supervision  # noqa: E402
from harness.registry.settings import build  # noqa: E402
from harness.seeding import seed_everything  # noqa: E402
from harness.training.feeding import gather  # noqa: E402
from harness.training.handed import preparation  # noqa: E402
from harness.training.loop import _active  # noqa: E402

CPU = torch.device("cpu")
ROWS = 9  # two ranks have five and four
SETTINGS: dict[str, dict[str, Any]] = {
    "mefa": {"tagger": "lexicon"},
    "laip": {"tagger": "lexicon"},
    "tbps-clip": {"dropout": 0.0},  # of attention, which is no module of its own
}


def step(split: Split, name: str, listing: registry.Listing, chunks: int) -> dict[str, Any]:
    """Return what one step of a method gives, without dropout."""
    assert listing.description is not None
    scale = listing.description["scales"]["tiny"]
    registration = registry.load_method(name, listing.plugin)
    config = build(registration.method.config_class, {**scale["config"], **SETTINGS.get(name, {})})
    recipe = build(Recipe, scale["recipe"])
    pixels = open_pixels(split, config.image_size, None)
    view = TrainView(split, pixels, Supervision(config.supervision), 0)
    seed_everything(0, "weights")
    method = registration.method(config, view.summary())
    for module in method.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    run = preparation(method, view, recipe, 0, CPU, lambda doing: None)
    method.prepare(view, run)
    run.stage, run.losses = len(recipe.stages) - 1, _active(config.losses, recipe.stages[-1])
    run.steps_per_epoch, run.batch_size, run.chunks = 1, ROWS, chunks
    seed_everything(0, "epoch")
    method.begin_epoch(run)
    module = run.accelerator.prepare(method.train())
    seed_everything(0, "step")
    batch = gather(view, torch.arange(ROWS))
    losses: Mapping[str, Tensor] = module(batch, run)
    run.accelerator.backward(torch.stack(list(losses.values())).sum())
    with torch.no_grad():
        method.after_step(batch, run)
    features = encode_split(method, split, pixels, CPU)
    return {
        "losses": {name: float(loss) for name, loss in losses.items()},
        "gradients": {n: p.grad for n, p in method.named_parameters() if p.grad is not None},
        "buffers": dict(method.named_buffers()),
        "images": features.images.embedding,
        "texts": features.texts.embedding,
    }


def main() -> None:
    """Write what each method gives."""
    dataset, out, chunks, *names = sys.argv[1:]
    torch.set_num_threads(1)
    split = load_split(locate(find_declaration(dataset)), "train")
    listings = registry.list_methods()
    found = {
        name: step(split, name, registry.find_method(name, listings), int(chunks)) for name in names
    }
    if distributed.is_main():
        torch.save(found, Path(out))
    distributed.leave()


if __name__ == "__main__":
    main()
