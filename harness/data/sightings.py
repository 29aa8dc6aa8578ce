"""What images of drawn people show, exactly: who is on each, and what of them can be seen.

Neither is stored with a drawn dataset. Both follow from its look, its seed and the numbers of the
person and the image, without drawing anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from harness.data.declaration import Located
from harness.data.paperdolls.build import ATTRIBUTES
from harness.data.paperdolls.drawing.shots import take_shot, visible_facts
from harness.data.paperdolls.looks import DATASETS, Look
from harness.data.paperdolls.people.attributes import Person
from harness.data.paperdolls.people.changes import as_seen
from harness.data.paperdolls.people.families import people
from harness.data.paperdolls.random_streams import stream
from harness.data.schema import Split
from harness.errors import HarnessError

_IMAGE = re.compile(r"([a-z]+)-(\d{4,9})-(\d{1,4})")  # split, person and image, from 0

Facts = Mapping[str, str]  # as `Person.facts` names them


@dataclass(frozen=True)
class _Numbers:
    """Which image it is."""

    person: int
    turn: int


def read_sightings(located: Located, split: Split) -> list[Facts]:
    """Return, for each of the M images of a split, what it shows of its person.

    Raises:
        HarnessError: the dataset is none that this project draws, or not as it would draw it.
    """
    numbers = [_numbers(split.name, image_id) for image_id in split.image_ids]
    known = [one for one in numbers if one is not None]
    facts = _known_facts(located)
    if facts is not None and len(known) == len(numbers):
        count = 1 + max(one.person for one in known)
        for look in _looks(located):
            crowd = list(islice(people(split.name, look.seed, look.families), count))
            if _is_drawn_so(crowd, known, split, facts):
                return [_seen(crowd[one.person], one, split.name, look) for one in known]
    raise HarnessError(
        f"{located.declaration.name!r} is no dataset of drawn people as this version draws them: "
        "only of those is it known what an image shows."
    )


def _numbers(split: str, image_id: str) -> _Numbers | None:
    found = _IMAGE.fullmatch(image_id)
    return _Numbers(int(found[2]), int(found[3])) if found and found[1] == split else None


def _known_facts(located: Located) -> Mapping[str, Any] | None:
    """Return what the dataset itself says of its people, by their ids; None where it does not."""
    try:
        file = located.files["test"][0].parent / ATTRIBUTES
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, IndexError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _looks(located: Located) -> Sequence[Look]:
    drawn = located.declaration.drawn
    return [DATASETS[drawn]] if drawn in DATASETS else list(DATASETS.values())


def _is_drawn_so(
    crowd: Sequence[Person], numbers: Sequence[_Numbers], split: Split, facts: Mapping[str, Any]
) -> bool:
    ids = split.person_of_image.tolist()
    return all(
        facts.get(str(person)) == crowd[one.person].facts()
        for person, one in dict(zip(ids, numbers, strict=True)).items()
    )


def _seen(person: Person, image: _Numbers, split: str, look: Look) -> Facts:
    """Return what an image shows: its shot is the first that is drawn of its random numbers."""
    key = look.seed, split, image.person
    order = stream("cameras", *key).permutation(len(look.cameras))
    camera = look.cameras[order[image.turn % len(order)]]
    shot = take_shot(camera, look, stream("image", *key, image.turn))
    now = as_seen(person, look.difficulty.changes, stream("changes", *key, image.turn))
    facts, visible = now.facts(), visible_facts(now, shot)
    return {name: value for name, value in facts.items() if name in visible}
