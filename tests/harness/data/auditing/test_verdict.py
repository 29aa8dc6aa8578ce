"""Official, not official, refused: by annotation where its hash is known, and by counts."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.auditing.audit import Rows
from harness.data.auditing.verdict import Status, hash_of, judge, pooled_share
from harness.data.importing.layouts import BENCHMARKS

Counts = dict[str, tuple[int, int, int]]  # split -> people, images, captions

PUBLISHED: dict[str, Counts] = {
    "cuhk-pedes": {
        "train": (11003, 34054, 68126),
        "val": (1000, 3078, 6158),
        "test": (1000, 3074, 6156),
    },
    "icfg-pedes": {"train": (3102, 34674, 34674), "test": (1000, 19848, 19848)},
    "rstpreid": {
        "train": (3701, 18505, 37010),
        "val": (200, 1000, 2000),
        "test": (200, 1000, 2000),
    },
}
TITLES = {"cuhk-pedes": "CUHK-PEDES", "icfg-pedes": "ICFG-PEDES", "rstpreid": "RSTPReid"}
CARVED: Counts = {
    "train": (2902, 32438, 32438),
    "val": (200, 2236, 2236),
    "test": (1000, 19848, 19848),
}
WITHDRAWN: Counts = {
    "train": (3901, 19505, 39010),
    "val": (100, 500, 1000),
    "test": (100, 500, 1000),
}
SMALL: Counts = {"train": (4, 8, 16), "val": (2, 4, 8), "test": (2, 4, 8)}


def split(first: int, people: int, images: int, captions: int) -> Rows:
    """Return a split whose people are numbered from `first`; every caption is another."""
    return Rows(
        person_of_image=first + np.arange(images) % people,
        captions=[f"person {first} or later, text {number}" for number in range(captions)],
        image_of_caption=np.sort(np.arange(captions) % images),
        image_hashes=[number.to_bytes(4) for number in range(images)],
    )


def with_sources(rows: Rows) -> Rows:
    """Return a split that tells the paths of its images."""
    return replace(rows, sources=[f"cam/{n}.png" for n in range(len(rows.person_of_image))])


def dataset(counts: Counts) -> dict[str, Rows]:
    """Return splits of these sizes that share no person."""
    firsts = np.cumsum([0, *(people for people, _, _ in counts.values())]).tolist()
    return {
        name: split(first, *of)
        for first, (name, of) in zip(firsts[:-1], counts.items(), strict=True)
    }


def lessened(counts: Counts, name: str, position: int) -> Counts:
    """Return counts of which one is smaller by one."""
    changed = list(counts[name])
    changed[position] -= 1
    people, images, captions = changed
    return {**counts, name: (people, images, captions)}


@pytest.mark.parametrize("called", ["", "mine"])
@pytest.mark.parametrize("name", ["icfg-pedes", "rstpreid"])
def test_a_benchmark_is_known_by_its_counts(name: str, called: str) -> None:
    """Without a known hash they are all that can be said, whatever a user calls a dataset."""
    counts = CARVED if called and name == "icfg-pedes" else PUBLISHED[name]
    verdict = judge(called or name, dataset(counts))
    assert verdict.status is Status.NUMBERS
    assert verdict.reason == (
        f"it has the official numbers of people, images and captions of {TITLES[name]}; whether "
        "it has its annotation is not known"
    )


@pytest.mark.parametrize("called", ["cuhk-pedes", "mine"])
def test_made_up_rows_with_official_counts_are_not_official(called: str) -> None:
    """Where the hash is known the annotation has to have it; where nothing tells, that is said."""
    splits = dataset(PUBLISHED["cuhk-pedes"])
    untold = judge(called, splits)
    assert untold.status is Status.OTHER
    assert "no paths of images (source_path)" in untold.reason
    named = {name: with_sources(rows) for name, rows in splits.items()}
    verdict = judge(called, named)
    assert verdict.status is Status.OTHER
    assert verdict.reason == (
        "it has the official numbers of people, images and captions, but in val and test another "
        "annotation than CUHK-PEDES"
    )


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Rows]:
    """Return small splits of a benchmark whose hashes are known but for train."""
    splits = {name: with_sources(rows) for name, rows in dataset(SMALL).items()}
    hashes = {name: str(hash_of(splits[name])) for name in ("val", "test")}
    layout = replace(BENCHMARKS["cuhk-pedes"], official=SMALL, hashes=hashes)
    monkeypatch.setitem(BENCHMARKS, "cuhk-pedes", layout)
    return splits


def test_the_annotation_makes_a_benchmark_official(known: dict[str, Rows]) -> None:
    """Of the split whose hash is unknown, the words are those of its numbers."""
    verdict = judge("mine", known)
    assert verdict.status is Status.OFFICIAL
    assert verdict.annotation == BENCHMARKS["cuhk-pedes"].hashes
    assert verdict.reason == (
        "in val and test the annotation of CUHK-PEDES, in train the official numbers of people, "
        "images and captions"
    )


@pytest.mark.parametrize("of", ["val", "test"])
def test_shuffled_captions_are_not_official(known: dict[str, Rows], of: str) -> None:
    """The same captions, spread over other people."""
    rows = known[of]
    shuffled = replace(rows, captions=[*rows.captions[2:], *rows.captions[:2]])
    verdict = judge("cuhk-pedes", {**known, of: shuffled})
    assert verdict.status is Status.OTHER
    assert f"but in {of} another annotation than CUHK-PEDES" in verdict.reason


def test_other_training_captions_of_the_same_number_are_not_called_the_annotation(
    known: dict[str, Rows],
) -> None:
    """Nothing more than its numbers is known of train, and nothing more is said."""
    other = replace(known["train"], captions=[f"{text}!" for text in known["train"].captions])
    verdict = judge("cuhk-pedes", {**known, "train": other})
    assert "in train the official numbers" in verdict.reason


def test_the_test_split_alone_of_a_benchmark_is_told(known: dict[str, Rows]) -> None:
    """It is not the benchmark, and it is its test split."""
    verdict = judge("cuhk-pedes", {"test": known["test"]})
    assert verdict.status is Status.OTHER
    assert verdict.reason == (
        "it has no train and no val split; in test the annotation of CUHK-PEDES"
    )


def test_validation_people_of_the_import_leave_a_benchmark_its_numbers() -> None:
    """ICFG-PEDES has no validation split: 200 of its training people make one."""
    assert judge("icfg-pedes", dataset(CARVED)).status is Status.NUMBERS


@pytest.mark.parametrize("people", [199, 201])
def test_other_validation_people_are_not_comparable(people: int) -> None:
    """A validation split of another size leaves other training people."""
    counts = {**CARVED, "val": (people, 2236, 2236), "train": (3102 - people, 32438, 32438)}
    verdict = judge("icfg-pedes", dataset(counts))
    assert verdict.status is Status.OTHER
    assert f"train has {3102 - people:,} people, ICFG-PEDES 3,102" in verdict.reason


def test_a_validation_split_from_elsewhere_is_told() -> None:
    """All of ICFG-PEDES with further people for validation is not ICFG-PEDES."""
    verdict = judge("icfg-pedes", dataset({**PUBLISHED["icfg-pedes"], "val": (100, 300, 300)}))
    assert verdict.status is Status.OTHER
    assert verdict.reason == "it has a validation split that ICFG-PEDES does not have"


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize(
    ("name", "of"), [(name, of) for name, counts in PUBLISHED.items() for of in counts]
)
def test_one_fewer_is_not_official(name: str, of: str, position: int) -> None:
    """The reason says in which split, how many there are, and how many belong there."""
    right = PUBLISHED[name][of][position]
    verdict = judge(name, dataset(lessened(PUBLISHED[name], of, position)))
    what = ("people", "images", "captions")[position]
    assert verdict.status is Status.OTHER
    assert verdict.reason == f"{of} has {right - 1:,} {what}, {TITLES[name]} {right:,}"


def test_what_is_missing_of_carved_training_people_is_told_of_the_whole() -> None:
    """Training and validation people are counted together, as ICFG-PEDES has them."""
    verdict = judge("icfg-pedes", dataset(lessened(CARVED, "val", 2)))
    assert verdict.status is Status.OTHER
    assert verdict.reason == "train has 34,673 captions, ICFG-PEDES 34,674"


def test_every_difference_is_told() -> None:
    """Not only the first."""
    counts = lessened(lessened(PUBLISHED["rstpreid"], "train", 2), "test", 1)
    assert judge("rstpreid", dataset(counts)).reason == (
        "train has 37,009 captions, RSTPReid 37,010; test has 999 images, RSTPReid 1,000"
    )


@pytest.mark.parametrize("name", ["rstpreid", "mine"])
def test_the_withdrawn_release_is_refused(name: str) -> None:
    """RSTPReid's first release is known by its counts too, under whatever name."""
    verdict = judge(name, dataset(WITHDRAWN))
    assert verdict.status is Status.REFUSED
    assert "RSTPReid: its authors withdrew the release with 3901 / 100 / 100" in verdict.reason


@pytest.mark.parametrize("name", ["rstpreid", "mine"])
def test_people_in_two_splits_are_refused(name: str) -> None:
    """With official counts too: what was trained on is asked for."""
    splits = dataset(PUBLISHED["rstpreid"])
    people = splits["test"].person_of_image.copy()
    for person in (3901, 3902):  # become people of the training split
        people[people == person] -= 3901
    splits["test"] = replace(splits["test"], person_of_image=people)
    verdict = judge(name, splits)
    assert verdict.status is Status.REFUSED
    assert verdict.reason == "2 people are in several splits"


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("cuhk-pedes", ["val"]),
        ("cuhk-pedes", ["train"]),
        ("icfg-pedes", ["train", "val"]),
        ("mine", ["val"]),
        ("mine", ["train", "val"]),
    ],
)
def test_a_test_split_is_enough(name: str, missing: list[str]) -> None:
    """For methods that are not trained, and to test what was trained elsewhere."""
    splits = {of: rows for of, rows in dataset(SMALL).items() if of not in missing}
    verdict = judge(name, splits)
    assert verdict.status is Status.OTHER
    told = "it has no train" if name == "icfg-pedes" else f"it has no {' and no '.join(missing)}"
    assert verdict.reason.startswith(told) == (name != "mine")


@pytest.mark.parametrize("name", ["rstpreid", "mine"])
def test_a_missing_test_split_is_refused(name: str) -> None:
    """There is nothing to score."""
    splits = dataset(SMALL)
    splits.pop("test")
    verdict = judge(name, splits)
    assert verdict.status is Status.REFUSED
    assert verdict.reason == "it has no test split"


@pytest.mark.parametrize("of", [["val"], ["train", "test"]])
def test_an_empty_split_is_refused(of: list[str]) -> None:
    """One that is there has to hold something."""
    splits = dataset(SMALL)
    for name in of:
        splits[name] = replace(splits[name], captions=[], image_of_caption=np.arange(0))
    verdict = judge("mine", splits)
    assert verdict.status is Status.REFUSED
    assert verdict.reason == f"its {' and its '.join(of)} split has no caption"


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_benchmark_whose_people_are_not_told_is_refused(name: str) -> None:
    """Copies without person ids make each image a person of its own."""
    counts = {of: (images, images, n) for of, (_, images, n) in PUBLISHED[name].items()}
    verdict = judge(name, dataset(counts))
    assert verdict.status is Status.REFUSED
    assert verdict.reason == "no person has two test images: its people are not told"


def test_people_of_the_test_split_have_to_be_told() -> None:
    """Whatever is told of the others."""
    assert judge("cuhk-pedes", dataset({**SMALL, "test": (4, 4, 8)})).status is Status.REFUSED


def test_a_part_of_a_benchmark_may_have_one_image_a_person() -> None:
    """Where the paths of the annotation are told, its people are, too."""
    splits = dataset({**SMALL, "test": (4, 4, 8)})
    told = {name: with_sources(rows) for name, rows in splits.items()}
    assert judge("cuhk-pedes", told).status is Status.OTHER


def test_ones_own_dataset_may_have_one_image_a_person() -> None:
    """Only of the benchmarks it is known that people have several."""
    counts = {"train": (8, 8, 8), "val": (4, 4, 4), "test": (4, 4, 4)}
    verdict = judge("mine", dataset(counts))
    assert verdict.status is Status.OTHER
    assert verdict.reason == "its counts are those of none of the three benchmarks"


def test_one_person_with_two_test_images_tells_of_people() -> None:
    """What a dataset says of people is believed as soon as it says something."""
    splits = dataset({**SMALL, "test": (4, 5, 8)})
    assert judge("cuhk-pedes", splits).status is Status.OTHER


def pooled(rows: Rows, people: Sequence[int]) -> Rows:
    """Give all images of some people the captions of the person's first image."""
    texts = list(rows.captions)
    for person in people:
        first, *others = np.flatnonzero(rows.person_of_image == person)
        (captions,) = np.nonzero(rows.image_of_caption == first)
        for image in others:
            (own,) = np.nonzero(rows.image_of_caption == image)
            for caption, source in zip(own, captions[::-1], strict=True):
                texts[caption] = rows.captions[source]
    return replace(rows, captions=texts)


@pytest.mark.parametrize("name", ["cuhk-pedes", "mine"])
def test_captions_pooled_by_person_are_refused(name: str) -> None:
    """In any order; for half of the people it may be chance, for more it is not."""
    splits = dataset(SMALL)
    half = {**splits, "train": pooled(splits["train"], [0, 1])}
    assert judge(name, half).status is Status.OTHER
    verdict = judge(name, {**splits, "train": pooled(splits["train"], [0, 1, 3])})
    assert verdict.status is Status.REFUSED
    assert verdict.reason.startswith("captions are pooled by person")
    assert "75%" in verdict.reason


def test_an_official_benchmark_with_pooled_captions_is_refused() -> None:
    """Official counts do not make up for it."""
    splits = dataset(PUBLISHED["rstpreid"])
    train = pooled(splits["train"], range(2000))
    assert judge("rstpreid", {**splits, "train": train}).status is Status.REFUSED


@pytest.mark.parametrize("seed", range(5))
def test_the_share_of_pooled_people(seed: int) -> None:
    """It is that of an image by image comparison; people with one image do not count."""
    random = np.random.default_rng(seed)
    rows = Rows(
        person_of_image=random.integers(0, 8, 14),
        captions=random.choice(["a", "b"], 28).tolist(),
        image_of_caption=np.repeat(np.arange(14), 2),
        image_hashes=[None] * 14,
    )
    alike = several = 0
    for person in range(8):
        images = [image for image in range(14) if rows.person_of_image[image] == person]
        texts = [sorted(rows.captions[2 * image : 2 * image + 2]) for image in images]
        several += len(images) > 1
        alike += len(images) > 1 and all(text == texts[0] for text in texts)
    assert several
    assert pooled_share(rows) == alike / several


def test_without_people_of_several_images_nothing_is_pooled() -> None:
    """There is nothing to compare."""
    assert pooled_share(split(0, 4, 4, 8)) == 0


def test_a_run_on_refused_data_does_not_begin(
    harness: Callable[..., Any], small_dolls: Path, tmp_path: Path
) -> None:
    """Where training people are tested, the command stops with the reason and what tells more."""
    folder = tmp_path / "leaky"
    shutil.copytree(small_dolls, folder)
    shutil.copyfile(folder / "train.parquet", folder / "test.parquet")
    done = harness("run", "clip", "--dataset", folder, "--results", tmp_path / "results")
    told = " ".join(done.stderr.split())
    assert done.returncode == 2
    assert "'leaky' is refused: 12 people are in several splits" in told
    assert "harness data audit" in told
    assert not (tmp_path / "results").exists()


def test_an_unofficial_benchmark_is_named(
    harness: Callable[..., Any], small_dolls: Path, tmp_path: Path
) -> None:
    """A folder that goes by a benchmark's name and has other counts runs, with a note."""
    folder = tmp_path / "rstpreid"
    shutil.copytree(small_dolls, folder)
    done = harness("run", "clip", "--dataset", folder, "--seeds", "0", "--dry-run")
    told = " ".join(done.stderr.split())
    assert done.returncode == 0, told
    assert "rstpreid is not official: train has 12 people, RSTPReid 3,701" in told
