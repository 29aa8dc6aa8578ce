"""The training sets of stages that train on another one than the run's own."""

from __future__ import annotations

from collections.abc import Callable

from harness.data.declaration import Located
from harness.data.importing.layouts import names_nobody
from harness.data.pixels import Pixels
from harness.data.schema import Split, StageSet, TrainView
from harness.method import Supervision
from harness.plan.spec import RunSpec

OpenSplit = Callable[[Located, str], tuple[Split, Pixels]]


def open_stage_sets(spec: RunSpec, open_split: OpenSplit) -> dict[int, StageSet]:
    """Return them by the number of the stage from 0; stages on one dataset share what is opened."""
    opened: dict[str, StageSet] = {}
    found = {}
    for number, located in enumerate(spec.beside.sets):
        if located is None:
            continue
        if located.fingerprint not in opened:
            opened[located.fingerprint] = _open(spec, located, open_split)
        found[number] = opened[located.fingerprint]
    return found


def _open(spec: RunSpec, located: Located, open_split: OpenSplit) -> StageSet:
    split, pixels = open_split(located, "train")
    supervision = Supervision(spec.config["supervision"])
    if names_nobody(split.person_of_image):
        supervision = Supervision.PAIRS
    companions = spec.beside.companions_of(located)
    return StageSet.of(TrainView(split, pixels, supervision, spec.seed, companions), split)
