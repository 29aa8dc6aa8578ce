"""What a run is trained on beside its dataset's training split: sets of stages, and companions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.data.auditing.overlap import shared_images
from harness.data.catalogue import locate
from harness.data.companions import Companion, find_companions
from harness.data.declaration import Declaration, Located
from harness.data.digest import read_rows
from harness.data.importing.layouts import names_nobody
from harness.data.noise import Noise
from harness.errors import HarnessError
from harness.plan.features import COMPANIONS, NOISE, STAGE_DATA
from harness.plan.suites import Suite
from harness.printable import printable
from harness.progress import Show
from harness.results.paper import UNDISCLOSED, ExtraData

Settings = Mapping[str, Any]  # a config, a recipe or a stage, its fields by name


@dataclass(frozen=True)
class Beside:
    """What was found of what a run is trained on beside its dataset's training split."""

    sets: tuple[Located | None, ...] = ()  # of each stage; None: the run's own
    companions: tuple[Companion, ...] = ()  # of its own set and of those, as its config orders them

    @property
    def uses(self) -> dict[str, Any]:
        """What of `harness.plan.features.FEATURES` is in a run's keys for it."""
        found: dict[str, Any] = {}
        if any(self.sets):
            found[STAGE_DATA] = [one and one.fingerprint for one in self.sets]
        if self.companions:
            found[COMPANIONS] = [[c.dataset, c.name, c.fingerprint] for c in self.companions]
        return found

    def has_seen(self, tested: Located) -> bool:
        """Tell whether a stage trains on a dataset, or on images of its test split."""
        here = (one for one in self.sets if one and one.files)
        return any(
            one.fingerprint == tested.fingerprint or bool(shared_images(one, tested))
            for one in here
        )

    def companions_of(self, located: Located) -> tuple[Companion, ...]:
        """Return those of one dataset."""
        return tuple(one for one in self.companions if one.dataset == located.fingerprint)

    def add_to(self, declared: ExtraData | None) -> ExtraData | None:
        """Return what a method declares that it was trained on, with what these runs add to it."""
        numbered = [(number, one) for number, one in enumerate(self.sets, start=1) if one]
        if not numbered and not self.companions:
            return declared
        sets = tuple(f"{one.declaration.title} in stage {number}" for number, one in numbered)
        made = tuple(f"{one.name} by {one.made_by}" for one in self.companions)
        known = declared or ExtraData(weights=(UNDISCLOSED,))
        return replace(
            known,
            pairs=(*known.pairs, *sets),
            captions=(*known.captions, *made),
            people=(*(known.people or ()), *sets) if sets else known.people,
        )

    def record(self) -> dict[str, Any]:
        """Return what a record tells of it; nothing where there is nothing."""
        told: dict[str, Any] = {}
        if any(self.sets):
            told["stages"] = [one and _told(one) for one in self.sets]
        if self.companions:
            told["companions"] = [asdict(one) for one in self.companions]
        return told


NOTHING = Beside()


def uses_of(beside: Beside, noise: Noise | None) -> dict[str, Any]:
    """Return what of `harness.plan.features.FEATURES` a run uses, as its keys hold it."""
    return {**beside.uses, **({NOISE: noise.content} if noise else {})}


def _told(located: Located) -> dict[str, Any]:
    declaration = located.declaration
    return {
        "name": declaration.name,
        "title": declaration.title,
        "fingerprint": located.fingerprint,
        "drawn": declaration.drawn is not None,
        "note": declaration.note,
        "licence": declaration.licence,
        "url": declaration.url,
    }


class Finder:
    """Finds it for the runs of a plan, each dataset once."""

    def __init__(self, suite: Suite, show: Show) -> None:
        self._suite = suite
        self._show = show
        self._known: dict[str, Located] = {}
        self._has_people: dict[str, bool] = {}

    def find(
        self, located: Located, config: Settings, recipe: Settings, noise: Noise | None = None
    ) -> Beside:
        """Return what a run on a dataset needs.

        A stage that names the run's own dataset trains as one that names none.

        Raises:
            HarnessError: it is not here, holds test images of the dataset, shows pairs right that
                noise has made wrong, or names nobody and a stage makes batches by people.
        """
        sets = tuple(self._set_of(stage, located, noise) for stage in recipe["stages"])
        if not config["companions"]:
            return Beside(sets) if any(sets) else NOTHING
        training = {one.fingerprint: one for one in (located, *sets) if one}
        return Beside(sets, tuple(find_companions(config["companions"], training.values())))

    def _set_of(self, stage: Settings, own: Located, noise: Noise | None) -> Located | None:
        if not stage["data"]:
            return None
        found = self._locate(stage["data"])
        self._refuse_nobody(stage, found)
        if found.fingerprint == own.fingerprint:
            return None
        self._refuse_shared(found, own, noise)
        return found

    def _locate(self, name: str) -> Located:
        if name not in self._known:
            declaration = self._suite.find_declaration(name)
            self._known[name] = locate(declaration, self._show, needed=("train",))
        return self._known[name]

    def _refuse_nobody(self, stage: Settings, one: Located) -> None:
        if stage["images_per_person"] and not self._names_people(one):
            raise HarnessError(
                f"Dataset {one.declaration.name!r} names nobody on its training images, and a "
                "stage on it makes batches by people: write images_per_person = 0."
            )

    def _refuse_shared(self, one: Located, own: Located, noise: Noise | None) -> None:
        if shared := shared_images(one, own, self._show):
            raise HarnessError(
                f"Dataset {one.declaration.name!r}, on which a stage trains, holds {len(shared):,} "
                f"test images of {own.declaration.name!r}, among them {printable(shared[0], 80)}: "
                "what is tested may not be learned from. Leave them out of it, or train on "
                "another set."
            )
        if noise and (shared := shared_images(one, own, self._show, split="train")):
            raise HarnessError(
                f"Dataset {one.declaration.name!r}, on which a stage trains, holds {len(shared):,} "
                f"training images of {own.declaration.name!r}, among them "
                f"{printable(shared[0], 80)}, with captions that --noise would not reach: train "
                "on another set, or without noise."
            )

    def _names_people(self, located: Located) -> bool:
        if located.fingerprint not in self._has_people:
            people = read_rows(located.files["train"]).person_of_image
            self._has_people[located.fingerprint] = not names_nobody(people)
        return self._has_people[located.fingerprint]


class Recorded:
    """Returns what records tell of it, for plans that only compare keys.

    What is not as runs write it counts as nothing: the keys differ then.
    """

    def __init__(self, uses: Settings) -> None:
        self._uses = uses

    def find(
        self, located: Located, config: Settings, recipe: Settings, noise: Noise | None = None
    ) -> Beside:
        """Return what runs with these `uses` had, as far as keys tell."""
        return Beside(tuple(self._sets()), tuple(self._companions()))

    def _sets(self) -> Iterator[Located | None]:
        for fingerprint in self._listed(STAGE_DATA):
            yield Located(Declaration("", ""), {}, str(fingerprint)) if fingerprint else None

    def _companions(self) -> Iterator[Companion]:
        for one in self._listed(COMPANIONS):
            if isinstance(one, list) and len(one) == 3:
                dataset, name, fingerprint = map(str, one)
                yield Companion(name, "", "caption", "texts", {}, fingerprint, dataset)

    def _listed(self, feature: str) -> list[Any]:
        found = self._uses.get(feature)
        return found if isinstance(found, list) else []
