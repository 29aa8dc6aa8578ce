"""Weights that were trained elsewhere, in the encoders of a method that is here.

A file is a checkpoint as its authors publish it. Tables of names (`harness.registry.WeightsLayout`)
say where each weight belongs: every one is used or named, and nothing in a file is executed.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness import registry
from harness.data.pixels import Pixels
from harness.data.schema import Split
from harness.errors import HarnessError
from harness.evaluation import encode_split, rescores
from harness.handed_in.layout import GivenIds, Handed
from harness.handed_in.matching import Match
from harness.method import Method, Supervision, TrainSummary
from harness.printable import printable
from harness.registry import Listing, WeightsLayout
from harness.training.building import build_method

AROUND = ("model", "state_dict", "model_state_dict")  # what a checkpoint calls the weights
WRAPPED = "module."  # what training on several cards puts before every name
NAMED = 5  # weights that a message names
THE_DATASET = "the dataset itself"

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Loaded:
    """A method with weights that were trained elsewhere."""

    method: Method
    file: Path
    config: Mapping[str, Any]
    layout: str  # whose file it is
    used: int
    unused: Mapping[str, str]  # names in the file -> why they are left out
    missing: Sequence[str]  # weights here that the file lacks, none of which encodes

    def encode(self, split: Split, pixels: Pixels, device: torch.device) -> tuple[Handed, Match]:
        """Encode a split: features whose rows are the dataset's."""
        features = encode_split(self.method, split, pixels, device).embeddings
        texts, images = (one.float().cpu() for one in (features.texts, features.images))
        handed = Handed((self.file,), texts, images, None, GivenIds())
        return handed, Match(None, None, THE_DATASET, True)


def load_weights(listing: Listing, config: Mapping[str, Any], file: Path) -> Loaded:
    """Build a method from its config and fill it with the weights of a file.

    Raises:
        HarnessError: the file cannot be read, is in no layout that is known of the method, or its
            weights are of other sizes; the message names the first.
    """
    layouts = registry.load_weights_layouts(listing.name)
    if not layouts:
        raise HarnessError(
            f"How published weights of {listing.name} lie is not known here: hand in their "
            "features with `harness score`."
        )
    state = _read(file)
    layout = min(layouts, key=lambda one: len(_unknown(one, state)))
    if unknown := _unknown(layout, state):
        raise HarnessError(
            f"{_named(file)} holds weights that {layout.title} does not save: {_listed(unknown)}. "
            f"It is another model's, or another version's."
        )
    names = {ours: name for name in state if (ours := layout.rename(name))}
    renamed = {ours: state[name] for ours, name in names.items()}
    settings = {**config, **layout.settings(config)}
    method = _build(listing, settings, renamed, layout)
    filled = _fill(method, renamed, layout, file)
    unused = {name: layout.unused[name] for name in state if name in layout.unused}
    unused |= {names[ours]: f"{listing.name} has no such part" for ours in filled.strange}
    used = len(renamed) - len(filled.strange)
    return Loaded(method, file, settings, layout.title, used, unused, filled.missing)


def _read(file: Path) -> State:
    """Return the weights of a file by their names there, in single precision."""
    try:
        held = _open(file)
    except pickle.UnpicklingError as error:
        raise HarnessError(
            f"{_named(file)} holds more than weights, which only code could read: save its "
            "`state_dict()`, with torch.save or as safetensors."
        ) from error
    except (OSError, ValueError, RuntimeError, EOFError, KeyError) as error:
        told = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise HarnessError(f"{_named(file)} cannot be read: {printable(told)}.") from error
    for name in AROUND:
        if isinstance(held, Mapping) and isinstance(held.get(name), Mapping):
            held = held[name]
    found = held.items() if isinstance(held, Mapping) else ()
    state = {str(n).removeprefix(WRAPPED): t for n, t in found if isinstance(t, Tensor)}
    if not state:
        raise HarnessError(f"{_named(file)} holds no weights by name.")
    return {name: one.float() if one.is_floating_point() else one for name, one in state.items()}


def _open(file: Path) -> Any:
    if file.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(file)
        except SafetensorError as error:
            raise ValueError(str(error)) from error
    return torch.load(file, map_location="cpu", weights_only=True)


def _unknown(layout: type[WeightsLayout], state: State) -> list[str]:
    return [n for n in state if n not in layout.unused and layout.rename(n) is None]


def _build(
    listing: Listing, config: Mapping[str, Any], renamed: State, layout: type[WeightsLayout]
) -> Method:
    """Build the method for as many training people as the weights tell apart."""
    people = None
    if config["supervision"] == Supervision.IDENTITY:
        classifier = renamed.get(layout.classifier)
        people = 1 if classifier is None else len(classifier)
    try:
        method = build_method(listing.name, listing.plugin, config, 0, TrainSummary(0, [], people))
    except (TypeError, ValueError) as error:
        raise HarnessError(f"{listing.name} cannot be built: {printable(str(error))}.") from error
    if rescores(method):
        raise HarnessError(
            f"{listing.name} scores its first candidates again, which weights from elsewhere are "
            "not read for."
        )
    return method


@dataclass(frozen=True)
class _Filled:
    """What is not the same in a method and in a file."""

    strange: Sequence[str]  # names that the method does not have
    missing: Sequence[str]  # names that the file does not have


def _fill(method: Method, renamed: State, layout: type[WeightsLayout], file: Path) -> _Filled:
    """Load weights into a method, all that encode."""
    wanted = method.state_dict()
    kept = {name: one for name, one in renamed.items() if name in wanted}
    strange = sorted(renamed.keys() - wanted.keys())
    if any(name.startswith(layout.encodes) for name in strange):
        raise HarnessError(
            f"{_named(file)} holds {_listed(strange)}, which this encoder does not have: it is of "
            "another backbone."
        )
    missing = sorted(wanted.keys() - kept.keys())
    if lacking := [name for name in missing if name.startswith(layout.encodes)]:
        raise HarnessError(
            f"{_named(file)} lacks {_listed(lacking)}, without which nothing is encoded."
        )
    for name, one in kept.items():
        if one.shape != wanted[name].shape:
            raise HarnessError(
                f"{_named(file)}: {name} is {tuple(one.shape)}, and {tuple(wanted[name].shape)} "
                "here: it is of another backbone, image size or vocabulary."
            )
    method.load_state_dict({**wanted, **kept})
    return _Filled(strange, missing)


def _named(file: Path) -> str:
    return printable(str(file))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return printable(", ".join(names[:NAMED]), 400) + more
