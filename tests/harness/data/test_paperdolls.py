"""PaperDolls: the drawn people, their captions, and the files they are written to."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from harness.data.paperdolls.build import (
    ATTRIBUTES,
    SPLITS,
    images_of,
    photographs,
    write_paperdolls,
)
from harness.data.paperdolls.captions import words
from harness.data.paperdolls.captions.words import Forms
from harness.data.paperdolls.captions.writing import Caption, describe
from harness.data.paperdolls.ceiling import rank1_ceiling
from harness.data.paperdolls.drawing.person import draw
from harness.data.paperdolls.drawing.shots import Cut, Shot, take_shot, visible_facts
from harness.data.paperdolls.looks import CROWDDOLLS, PAPERDOLLS, PRETRAINING, VARIED, Look, Sizes
from harness.data.paperdolls.people.attributes import Person, Thing, is_coherent
from harness.data.paperdolls.people.changes import as_seen, as_told
from harness.data.paperdolls.people.families import Families, families, people
from harness.data.paperdolls.random_streams import stream
from harness.data.paperdolls.sheet import contact_sheet

from . import drawn_people

LOOKS = (PAPERDOLLS, CROWDDOLLS, PRETRAINING, VARIED)
SMALL = Sizes(train=12, val=6, test=6)
COLUMNS = ["image", "captions", "person_id", "image_id", "camera", "source_path"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small PaperDolls on disk."""
    folder = tmp_path_factory.mktemp("paperdolls")
    write_paperdolls(folder, seed=0, sizes=SMALL)
    return folder


@pytest.fixture(scope="module")
def rows(
    written: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, list[dict[str, object]]]:
    """The rows of each split, as datasets loads them."""
    datasets = pytest.importorskip("datasets")
    files = {split: str(written / f"{split}.parquet") for split in SPLITS}
    cache = str(tmp_path_factory.mktemp("cache"))
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=cache)
    assert loaded["train"].column_names == COLUMNS
    assert isinstance(loaded["train"].features["image"], datasets.Image)
    return {split: list(loaded[split]) for split in SPLITS}


def crowd(split: str, count: int, look: Look = PAPERDOLLS, seed: int = 0) -> list[Person]:
    """The first people of a split."""
    return list(islice(people(split, seed, look.families), count))


def described(
    split: str, count: int, look: Look, seed: int = 0
) -> list[tuple[Person, Shot, Caption]]:
    """Captions of images that are not drawn, one a person."""
    told = []
    for number, person in enumerate(crowd(split, count, look, seed)):
        rng = stream("test", number)
        shot = take_shot(look.cameras[number % len(look.cameras)], look, rng)
        caption = describe(person, visible_facts(person, shot), look.wording, rng)
        told.append((person, shot, caption))
    return told


def bytes_of(folder: Path) -> dict[str, str]:
    """A digest of each file."""
    paths = [folder / f"{split}.parquet" for split in SPLITS]
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_files_hold_the_images_captions_and_people_asked_for(
    rows: Mapping[str, list[dict[str, object]]],
) -> None:
    """Each split has its people, with so many images each and so many captions an image."""
    for split, people_count in (("train", 12), ("val", 6), ("test", 6)):
        images_of = Counter(row["person_id"] for row in rows[split])
        assert len(images_of) == people_count
        assert set(images_of.values()) == {4}
        assert all(len(row["captions"]) == 2 for row in rows[split])  # type: ignore[arg-type] # a list


def test_loaded_images_are_96_by_32(rows: Mapping[str, list[dict[str, object]]]) -> None:
    """datasets decodes every image to RGB of the promised size."""
    for row in rows["train"] + rows["val"] + rows["test"]:
        image = row["image"]
        assert (image.size, image.mode) == ((32, 96), "RGB")  # type: ignore[attr-defined] # PIL


def test_identifiers_are_unique_over_the_splits(
    rows: Mapping[str, list[dict[str, object]]],
) -> None:
    """No person belongs to two splits, and no image id or path is used twice."""
    ids = [{row["person_id"] for row in rows[split]} for split in SPLITS]
    assert len(set.union(*ids)) == sum(map(len, ids))
    for column in ("image_id", "source_path"):
        values = [row[column] for split in SPLITS for row in rows[split]]
        assert len(set(values)) == len(values)


def test_a_person_is_seen_by_different_cameras(
    rows: Mapping[str, list[dict[str, object]]],
) -> None:
    """The four images of a person come from four cameras."""
    cameras: dict[object, set[object]] = {}
    for row in rows["test"]:
        cameras.setdefault(row["person_id"], set()).add(row["camera"])
    assert {len(names) for names in cameras.values()} == {4}


def test_the_same_seed_writes_the_same_bytes(written: Path, tmp_path: Path) -> None:
    """Files depend on the seed alone, and another seed gives other files."""
    write_paperdolls(tmp_path / "same", seed=0, sizes=SMALL)
    write_paperdolls(tmp_path / "other", seed=1, sizes=SMALL)
    assert bytes_of(tmp_path / "same") == bytes_of(written)
    assert not set(bytes_of(tmp_path / "other").values()) & set(bytes_of(written).values())


def test_a_split_does_not_depend_on_the_size_of_another(written: Path, tmp_path: Path) -> None:
    """Changing the number of training people leaves val and test as they were."""
    write_paperdolls(tmp_path, seed=0, sizes=replace(SMALL, train=3))
    small, large = bytes_of(tmp_path), bytes_of(written)
    assert {split for split in SPLITS if small[split] == large[split]} == {"val", "test"}


def test_a_longer_split_starts_with_a_shorter_one() -> None:
    """More people follow after those that were there."""
    short = list(photographs("val", sizes=replace(SMALL, val=2)))
    long = list(photographs("val", sizes=replace(SMALL, val=4)))
    assert len(long) == 2 * len(short)
    for one, other in zip(short, long, strict=False):
        assert one.image.tobytes() == other.image.tobytes()
        assert one.captions == other.captions


def test_progress_is_reported_up_to_the_end(tmp_path: Path) -> None:
    """The callback counts every image once, against the right total."""
    calls: list[tuple[int, int]] = []
    sizes = Sizes(train=2, val=1, test=1, images=(2, 2))
    write_paperdolls(
        tmp_path, progress=lambda done, total: calls.append((done, total)), sizes=sizes
    )
    assert calls == [(done, 8) for done in range(1, 9)]


def test_no_attribute_set_is_drawn_twice() -> None:
    """People differ within a split, between splits, and from those to pre-train on."""
    sizes = {"train": 400, "val": 100, "test": 200}
    everybody = [
        person.digest() for split, count in sizes.items() for person in crowd(split, count)
    ]
    everybody += [person.digest() for person in crowd("pretraining", 1000, PRETRAINING)]
    assert len(set(everybody)) == len(everybody)


def test_splits_are_disjoint_whatever_the_seed() -> None:
    """A person of one split never appears in another, even drawn with another seed."""
    test = {person.digest() for seed in range(3) for person in crowd("test", 200, seed=seed)}
    train = {person.digest() for seed in range(3) for person in crowd("train", 400, seed=seed)}
    assert not test & train


def test_look_alikes_differ_from_their_base_in_one_attribute() -> None:
    """Exactly one field of every other member of a family differs from the base's."""
    settings = Families(size=4, share=1.0)
    for base, *others in islice(families("train", 0, settings), 60):
        assert len(others) == 3
        for other in others:
            assert sum(vars(base)[name] != vars(other)[name] for name in vars(base)) == 1


def test_people_are_coherent() -> None:
    """Sampled and varied people have no pattern without colour, and no bald man's hair colour."""
    assert all(is_coherent(person) for person in crowd("train", 400))
    person = next(p for p in crowd("train", 400) if p.lower is not None)
    assert not is_coherent(replace(person, lower=Thing("jeans", "pink")))


@pytest.mark.parametrize(
    "look", [PAPERDOLLS, CROWDDOLLS, PRETRAINING, VARIED], ids=lambda look: look.name
)
def test_captions_keep_to_their_length(look: Look) -> None:
    """Every caption has as many words as its look allows."""
    fewest, most = look.wording.words
    lengths = [len(told.text.split()) for _, _, told in described("train", 600, look)]
    assert fewest <= min(lengths)
    assert max(lengths) <= most


def test_captions_of_an_image_differ() -> None:
    """The two captions of an image are two texts."""
    photos = list(photographs("val", sizes=SMALL))
    assert photos
    assert all(len({caption.text for caption in photo.captions}) == 2 for photo in photos)


@pytest.mark.parametrize(
    "look", [PAPERDOLLS, CROWDDOLLS, PRETRAINING, VARIED], ids=lambda look: look.name
)
def test_captions_say_what_is_true(look: Look) -> None:
    """The facts that a caption reports, and every word of it that names one, hold of the person."""
    for person, _, caption in described("test", 400, look):
        facts = person.facts()
        assert caption.facts.items() <= facts.items()
        for meanings in meanings_in(caption.text):
            assert meanings & set(facts.values()), (caption.text, meanings)


def test_a_false_word_would_be_noticed() -> None:
    """Reading a text finds every meaning, the longest form first."""
    found = meanings_in("A man with a dark blue baseball cap and dress shoes.")
    assert [sorted(meanings) for meanings in found] == [
        ["man"],
        ["navy"],
        ["cap"],
        ["leather shoes"],
    ]


def test_captions_name_what_the_image_shows() -> None:
    """With no hidden facts told, a caption names visible facts only."""
    wording = replace(PAPERDOLLS.wording, hidden=0.0)
    look = replace(PAPERDOLLS, wording=wording)
    for person, shot, caption in described("test", 300, look):
        required = {"upper", "upper.kind", "lower.kind", "hair.kind", "item.kind", "scarf.kind"}
        assert set(caption.facts) - required <= visible_facts(person, shot)


def test_pretraining_lacks_the_rarer_synonyms() -> None:
    """PaperDolls uses synonyms that captions to pre-train on never hold."""
    drawn = " ".join(told.text for _, _, told in described("train", 500, PAPERDOLLS)).lower()
    plain = " ".join(told.text for _, _, told in described("pretraining", 500, PRETRAINING)).lower()
    for synonym in ("burgundy", "trainers", "jumper", "rucksack", "slacks", "lady"):
        assert synonym in drawn
        assert synonym not in plain


def test_looks_share_no_shade_and_no_place() -> None:
    """What encoders are pre-trained on has the same colour names in other shades, other scenes."""
    for look in (PAPERDOLLS, CROWDDOLLS):
        for other in (PRETRAINING, VARIED):
            assert look.palette.keys() == other.palette.keys()
            assert all(look.palette[name] != other.palette[name] for name in look.palette)
            scenes = [{camera.scene for camera in one.cameras} for one in (look, other)]
            assert not scenes[0] & scenes[1]


def test_one_attribute_shows_in_the_image() -> None:
    """Two people who differ in their shoes alone, in the same shot, differ near the ground only."""
    person = replace(crowd("train", 1)[0], shoes=Thing("sneakers", "red"))
    other = replace(person, shoes=Thing("sneakers", "blue"))
    shot = replace(take_shot(PAPERDOLLS.cameras[0], PAPERDOLLS, stream(0)), occluder=None)
    pair = [
        np.asarray(draw(who, shot, PAPERDOLLS, stream(1)), dtype=int) for who in (person, other)
    ]
    difference = np.abs(pair[0] - pair[1]).max(axis=(1, 2))  # (H,)
    assert difference[75:].max() > 60
    assert difference[:60].max() == 0


def test_people_of_a_crowd_have_three_to_six_images() -> None:
    """How many images a person has differs, and does not depend on how many people there are."""
    few = replace(CROWDDOLLS.sizes, test=30)
    counts = Counter(photo.person_id for photo in photographs("test", sizes=few, look=CROWDDOLLS))
    assert set(counts.values()) == {3, 4, 5, 6}
    assert list(counts.values()) == [
        images_of(row, "test", 0, CROWDDOLLS.sizes) for row in range(30)
    ]


def test_bags_come_and_go_between_images() -> None:
    """About as often as asked for, what a person carries is put down or taken up, nothing else."""
    changed = 0
    for number, person in enumerate(crowd("train", 500)):
        seen = as_seen(person, 0.2, stream("seen", number))
        assert is_coherent(seen)
        assert replace(seen, bag=person.bag, item=person.item) == person
        assert (seen.bag == person.bag) or (seen.bag is None) != (person.bag is None)
        changed += seen.bag != person.bag
    assert 0.15 < changed / 500 < 0.25
    assert as_seen(person, 0.0, stream(0)) == person


def test_a_caption_errs_in_one_thing_now_and_then() -> None:
    """About as often as asked for, a caption tells of someone who differs in one attribute."""
    differences = Counter(
        len(differing(person, as_told(person, 0.2, stream("told", number))))
        for number, person in enumerate(crowd("train", 500))
    )
    assert differences.keys() == {0, 1}
    assert 0.15 < differences[1] / 500 < 0.25


def test_what_a_box_cuts_off_is_not_told() -> None:
    """Where feet are outside the box, shoes are not among the visible facts; the head stays."""
    person = crowd("train", 1)[0]
    shot = replace(take_shot(PAPERDOLLS.cameras[0], PAPERDOLLS, stream(0)), occluder=None)
    cut = replace(shot, cut=Cut(bottom=0.15))
    assert "shoes" in visible_facts(person, shot)
    assert "shoes" not in visible_facts(person, cut)
    red, blue = (
        np.asarray(
            draw(replace(person, shoes=Thing("sneakers", colour)), cut, PAPERDOLLS, stream(1))
        )
        for colour in ("red", "blue")
    )
    assert np.array_equal(red, blue)
    whole, boxed = (np.asarray(draw(person, one, PAPERDOLLS, stream(1))) for one in (shot, cut))
    assert boxed.shape == whole.shape
    assert not np.array_equal(whole, boxed)


def test_vague_words_come_up_as_asked() -> None:
    """A look that asks for vague words uses them, one that does not never."""
    vague = {
        form
        for table in (words.COLOURS, words.HATS)
        for one in table.values()
        for form in one.vague
    }
    asked = replace(PAPERDOLLS, wording=replace(PAPERDOLLS.wording, vague=0.5))
    plain, said = (
        " ".join(told.text for _, _, told in described("train", 200, look))
        for look in (PAPERDOLLS, asked)
    )
    assert vague == {"dark", "bright", "dull", "light", "hat"}
    assert "a bright T-shirt" in said
    assert "a bright T-shirt" not in plain


def test_attributes_lie_beside_the_images(written: Path) -> None:
    """What is true of each person is written once, by person id."""
    stored = json.loads((written / ATTRIBUTES).read_text())
    photos = [photo for split in SPLITS for photo in photographs(split, sizes=SMALL)]
    assert stored == {str(photo.person_id): photo.person.facts() for photo in photos}


def test_a_perfect_reader_finds_most_people() -> None:
    """Ambiguity leaves more than 80 % Rank-1 to a reader who sees everything, but not 100 %."""
    gallery = crowd("test", 200)
    rows = {person.digest(): row for row, person in enumerate(gallery)}
    queries = [(told, rows[who.digest()]) for who, _, told in described("test", 200, PAPERDOLLS)]
    assert 80 < rank1_ceiling(queries, gallery) < 100


def test_the_ceiling_counts_ties_as_chance() -> None:
    """A caption that fits all three people equally finds its own one time in three."""
    gallery = [
        replace(crowd("test", 1)[0], shoes=Thing("sneakers", colour))
        for colour in ("red", "blue", "white")
    ]
    vague = Caption("", {"kind": gallery[0].kind})
    exact = Caption("", {"shoes.colour": "blue"})
    assert rank1_ceiling([(vague, 0)], gallery) == pytest.approx(100 / 3)
    assert rank1_ceiling([(exact, 1)], gallery) == 100
    assert rank1_ceiling([(exact, 0)], gallery) == 0


def test_people_are_drawn_as_they_were() -> None:
    """The mean colours of the first people of every look are those of the picture.

    Another Pillow may draw an edge otherwise, and another processor round a pixel.
    """
    with Image.open(drawn_people.PICTURE) as picture:
        expected, drawn_by = np.asarray(picture.convert("RGB")), picture.info[drawn_people.PILLOW]
    seen = drawn_people.shrink(drawn_people.draw_people())
    assert seen.shape == expected.shape
    changes = np.abs(seen.astype(int) - expected)
    assert changes.max() <= 2
    if drawn_by == PIL.__version__:
        assert (changes > 0).mean() < 0.001


def test_people_are_described_as_they_were() -> None:
    """Every look's first people have the captions that were read when they were written."""
    expected = drawn_people.CAPTIONS.read_text(encoding="utf-8")
    assert drawn_people.describe_people().splitlines() == expected.splitlines()


def test_the_contact_sheet_holds_every_image() -> None:
    """A sheet shows the first image of the family at the zoom asked for."""
    number = next(n for n, f in enumerate(families("train", 0, PAPERDOLLS.families)) if len(f) > 1)
    sheet = np.asarray(contact_sheet((number,), zoom=2, images=1))
    first = next(
        photo
        for photo in photographs("train", sizes=replace(SMALL, train=9))
        if photo.person == nth_family(number)[0]
    )
    large = np.asarray(first.image).repeat(2, axis=0).repeat(2, axis=1)
    height, width = large.shape[:2]
    assert np.array_equal(sheet[28 : 28 + height, 28 : 28 + width], large)


def differing(person: Person, other: Person) -> list[str]:
    """Return the names of the attributes in which two people differ."""
    names = [field.name for field in fields(person)]
    return [name for name in names if getattr(person, name) != getattr(other, name)]


def nth_family(number: int) -> list[Person]:
    """One family of the training split."""
    return next(islice(families("train", 0, PAPERDOLLS.families), number, None))


def meanings_in(text: str) -> list[set[str]]:
    """Return, for each form found in a text, the values that it may stand for, in reading order."""
    return [MEANINGS[match.group().lower()] for match in FORM.finditer(text)]


def _meanings() -> dict[str, set[str]]:
    tables: list[dict[str, Forms]] = [
        words.KINDS, words.COLOURS, words.HAIR_COLOURS, words.HAIR, words.UPPERS, words.LOWERS,
        words.SHOES, words.BAGS, words.HATS, words.ITEMS, words.GLASSES, words.PATTERNS,
        words.SCARVES,
    ]  # fmt: skip
    meanings: dict[str, set[str]] = {}
    for table in tables:
        for value, forms in table.items():
            for form in forms.common + forms.rare + forms.vague:
                meanings.setdefault(form.lower(), set()).add(value)
    return {form: values for form, values in meanings.items() if not values & {"any", "person"}}


MEANINGS = _meanings()
# The longest form first, so that "dress shoes" is no dress.
FORM = re.compile(
    r"\b(?:"
    + "|".join(re.escape(form) for form in sorted(MEANINGS, key=len, reverse=True))
    + r")\b",
    re.IGNORECASE,
)
