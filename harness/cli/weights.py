"""`harness evaluate METHOD --weights FILE`: weights as their authors publish them, as a row."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.score import open_place
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.cli.options import Device
    from harness.handed_in.layout import Handed
    from harness.handed_in.matching import Match
    from harness.handed_in.row import Place
    from harness.handed_in.weights import Loaded
    from harness.registry import Listing
    from harness.results import RunRecord


def evaluate_weights(
    methods: Sequence[str],
    file: Path,
    datasets: Sequence[str],
    name: str,
    suite: str | None,
    device: Device,
    plugins: Sequence[Path],
    results: Path,
    may_replace: bool,
) -> None:
    """Encode and score a test split with weights that were trained elsewhere."""
    from harness import registry
    from harness.cli.display import scoring, terminal
    from harness.handed_in.row import is_there, refuse_taken, write_row
    from harness.handed_in.scoring import score
    from harness.handed_in.weights import load_weights
    from harness.registry.scales import at_scale

    if len(methods) != 1 or len(datasets) != 1:
        raise HarnessError("--weights takes one method and one --dataset.")
    if not file.is_file():
        raise HarnessError(f"There is no file {file}.")
    listing = registry.find_method(methods[0], registry.list_methods(plugins))
    if listing.description is None:
        raise HarnessError(f"{listing.name} does not import: `harness list methods` tells why.")
    place = open_place(results, suite, datasets[0], "test")
    scale = at_scale(listing.description, place.suite.scale)
    loaded = load_weights(listing, scale["config"], file)
    scoring.say_weights(loaded)
    record = _record(place, listing, scale, loaded, name)
    refuse_taken(place, [record], may_replace)
    if is_there(place, record):
        scoring.show_known([record])
        return
    began = time.perf_counter()
    with terminal.steps() as show:
        handed, matched = _encode(loaded, place, device)
        scored = score(handed, matched, place.split, "cosine", show)
    written = write_row(place, record, scored, time.perf_counter() - began).record
    assert written.handed_in is not None
    title = place.located.declaration.title
    scoring.show_rows(written.title, title, {0: written.metrics}, written.handed_in)


def _record(
    place: Place, listing: Listing, scale: Mapping[str, Any], loaded: Loaded, name: str
) -> RunRecord:
    """Return what is known of the row: what the method says of itself, and where weights are of."""
    from harness.files import hash_file
    from harness.handed_in.about import About
    from harness.handed_in.row import make_record
    from harness.handed_in.weights import THE_DATASET
    from harness.plan.handed_in import Encoder
    from harness.plan.keys import code_of
    from harness.registry import ExtraData, Paper
    from harness.registry.settings import build
    from harness.results.handed_in import HandedFile, HandedIn

    told = listing.description or {}
    file = HandedFile(loaded.file.name, hash_file(loaded.file))
    handed = HandedIn("weights", (file,), "cosine", THE_DATASET, True, False, listing.name)
    about = About(
        name=name or f"{listing.name}-elsewhere",
        title=told["title"],
        summary=told["summary"],
        link=told["url"],
        supervision=scale["config"]["supervision"],
    )
    words = ["harness", "evaluate", listing.name, "--weights", loaded.file.name, "--dataset",
             place.located.declaration.argument, "--suite", place.suite.name, "--name",
             about.name]  # fmt: skip
    encoder = Encoder(code_of(listing.plugin), loaded.config)
    extra = told["extra_data"].get(scale["config"]["backbone"])
    return replace(
        make_record(place, about, handed, 0, shlex.join(words), encoder),
        paper=build(Paper, told["paper"]) if told["paper"] else "",
        extra_data=extra and build(ExtraData, extra),
        config=loaded.config,
        recipe={"backbone": scale["config"]["backbone"]},
        parameters=sum(one.numel() for one in loaded.method.parameters()),
    )


def _encode(loaded: Loaded, place: Place, device: Device) -> tuple[Handed, Match]:
    import torch

    from harness.cli.devices import choose_device
    from harness.data.pixels import open_pixels, pixel_folder

    height, width = loaded.config["image_size"]
    pixels = open_pixels(place.split, (height, width), pixel_folder(place.located.fingerprint))
    return loaded.encode(place.split, pixels, torch.device(choose_device(device, None)))
