"""What runs are trained on beside their dataset: found as they are planned, part of their keys."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from harness import plan, registry, results
from harness.data.catalogue import find_declaration, locate
from harness.data.companions import Companion, companions_folder
from harness.data.declaration import Located
from harness.data.importing.companion_files import add_companion
from harness.data.importing.layouts import APART
from harness.data.loading import load_split
from harness.data.noise import Noise
from harness.errors import HarnessError
from harness.plan import keys
from harness.plan.spec import RunSpec
from harness.verification.findings import Kind
from harness.verification.runs import VerifiedRun
from harness.verification.staleness import find_of_other_code, find_stale

from ...made_once import Make

ONE_STAGE = "(Stage(epochs=2, learning_rate=0.01, batch_size=16),)"
SUITE = plan.Suite("demo", "Demo", "tiny", (0,), ())


@pytest.fixture(scope="module")
def others(once: Make) -> Path:
    """Other drawn people, 6 to train on."""
    from harness.data.paperdolls.build import write_paperdolls
    from harness.data.paperdolls.looks import Sizes

    sizes = Sizes(train=6, val=2, test=2)
    return once("other-dolls", lambda folder: write_paperdolls(folder, 1, sizes=sizes))


def trained_on(plugin: Path, source: str, first: str, second: str = "None") -> Path:
    """Write the toy with two stages, each on a set."""
    stages = ", ".join(
        f"Stage(epochs=1, learning_rate=0.01, batch_size=16, data={data})"
        for data in (first, second)
    )
    assert ONE_STAGE in source
    plugin.write_text(source.replace(ONE_STAGE, f"({stages})"), encoding="utf-8")
    return plugin


def planned(dolls: Path, plugin: Path, noise: Noise | None = None, **settings: Any) -> RunSpec:
    """Plan the run of the toy as published, or with noise or settings."""
    choices = plan.choose(["toy"], registry.list_methods([plugin]), "tiny", False)
    located = [locate(find_declaration(str(dolls)))]
    (spec,) = plan.plan(SUITE, located, choices, (0,), settings, noises=[noise])
    return spec


def test_a_stage_on_another_set_is_found_by_its_name_or_folder(
    small_dolls: Path, others: Path, toy: Path, toy_source: str
) -> None:
    """As a dataset of a run; the record tells what it is."""
    spec = planned(small_dolls, trained_on(toy, toy_source, repr(str(others))))
    first, second = spec.beside.sets
    assert first is not None
    assert (first.declaration.folder, second) == (str(others), None)
    told = spec.record().data["stages"]
    assert (told[0]["title"], told[0]["fingerprint"], told[1]) == (
        others.name,
        first.fingerprint,
        None,
    )


def test_the_content_of_a_set_is_part_of_the_key_and_its_place_is_not(
    small_dolls: Path, others: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """Of the run's, and of the stage's that other variants share."""
    copy = tmp_path / "copy"
    shutil.copytree(others, copy)
    one = planned(small_dolls, trained_on(toy, toy_source, repr(str(others))))
    two = planned(small_dolls, trained_on(toy, toy_source, repr(str(copy))))
    assert (one.key, one.stage_keys) == (two.key, two.stage_keys)
    table = pyarrow.parquet.read_table(copy / "train.parquet")
    pyarrow.parquet.write_table(table.slice(4), copy / "train.parquet")
    other = planned(small_dolls, trained_on(toy, toy_source, repr(str(copy))))
    assert other.key != one.key
    assert other.stage_keys[0] != one.stage_keys[0]
    own = planned(small_dolls, trained_on(toy, toy_source, "None"))
    assert own.key not in (one.key, other.key)
    assert own.stage_keys[0] not in (one.stage_keys[0], other.stage_keys[0])


def test_a_stage_is_shared_by_variants_that_differ_in_the_set_of_a_later_one(
    small_dolls: Path, others: Path, toy: Path, toy_source: str
) -> None:
    """What a later stage trains on decides nothing of the first."""
    plain = planned(small_dolls, trained_on(toy, toy_source, "None"))
    later = planned(small_dolls, trained_on(toy, toy_source, "None", repr(str(others))))
    assert plain.stage_keys == later.stage_keys
    assert plain.key != later.key


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("paperdols", r"There is no dataset 'paperdols'\. Did you mean 'paperdolls'"),
        ("EMPTY", "no Parquet file for train"),
    ],
)
def test_a_set_that_is_not_there_is_missed_before_anything_is_trained(
    small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path, name: str, told: str
) -> None:
    """In the sentence that a dataset of a run has."""
    (tmp_path / "empty").mkdir()
    name = name.replace("EMPTY", str(tmp_path / "empty"))
    plugin = trained_on(toy, toy_source, repr(name))
    with pytest.raises(HarnessError, match=told):
        planned(small_dolls, plugin)
    with pytest.raises(HarnessError, match=told):
        locate(find_declaration(name), needed=("train",))


def test_an_empty_name_is_refused(small_dolls: Path, toy: Path) -> None:
    """Null says that a stage trains on the run's own."""
    with pytest.raises(HarnessError, match="or null for the run's own"):
        planned(small_dolls, toy, data="")


def test_a_set_with_test_images_of_the_dataset_is_refused(
    small_dolls: Path, others: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """Whatever else its rows say of them; with how many, and one of them."""
    leaking = tmp_path / "leaking"
    leaking.mkdir()
    test = pyarrow.parquet.read_table(small_dolls / "test.parquet").slice(0, 3)
    train = pyarrow.parquet.read_table(others / "train.parquet")
    both = pyarrow.concat_tables([train, test])
    both = both.set_column(
        both.column_names.index("image_id"),
        "image_id",
        pyarrow.array([f"i{number}" for number in range(len(both))]),
    )
    pyarrow.parquet.write_table(both, leaking / "train.parquet")
    plugin = trained_on(toy, toy_source, repr(str(leaking)))
    told = rf"holds 3 test images of '{small_dolls.name}', among them i{len(train)}:"
    for _ in range(2):  # the second time it is remembered
        with pytest.raises(HarnessError, match=told):
            planned(small_dolls, plugin)


def test_a_stage_on_the_own_dataset_is_one_on_none(
    small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """By whatever folder it is named: noise reaches it, and it has the same key."""
    copy = Path(shutil.copytree(small_dolls, tmp_path / "copy"))
    noise = Noise(0.5, argument="0.5")
    own = planned(small_dolls, trained_on(toy, toy_source, "None"), noise)
    for folder in (small_dolls, copy):
        named = planned(small_dolls, trained_on(toy, toy_source, repr(str(folder))), noise)
        assert not any(named.beside.sets)
        assert (named.key, named.stage_keys) == (own.key, own.stage_keys)


def test_a_set_with_right_pairs_of_what_noise_breaks_is_refused(
    small_dolls: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """A part of the own training images in another folder; without noise it is trained on."""
    part = tmp_path / "part"
    part.mkdir()
    train = pyarrow.parquet.read_table(small_dolls / "train.parquet")
    pyarrow.parquet.write_table(train.slice(2), part / "train.parquet")
    plugin = trained_on(toy, toy_source, repr(str(part)))
    assert planned(small_dolls, plugin).beside.sets[0]
    told = rf"holds {len(train) - 2} training images of .* --noise would not reach"
    with pytest.raises(HarnessError, match=told):
        planned(small_dolls, plugin, Noise(0.5, argument="0.5"))


def test_what_a_stage_has_seen_is_no_other_data(
    small_dolls: Path, others: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """Neither the set of a stage itself, nor one whose test images it holds."""
    spec = planned(small_dolls, trained_on(toy, toy_source, repr(str(others))))
    tested = tmp_path / "tested"
    tested.mkdir()
    train = pyarrow.parquet.read_table(others / "train.parquet")
    pyarrow.parquet.write_table(train.slice(0, 4), tested / "test.parquet")
    elsewhere = {
        str(folder): locate(find_declaration(str(folder)), needed=("test",))
        for folder in (others, tested)
    }
    assert plan.evaluated_on(spec, elsewhere).evaluations == ()
    own = planned(small_dolls, trained_on(toy, toy_source, "None"))
    assert len(plan.evaluated_on(own, elsewhere).evaluations) == 2


def test_a_stage_does_not_leave_noise_unread(small_dolls: Path, toy: Path, toy_source: str) -> None:
    """Whatever fields of a config it leaves unread: it trains on other pairs."""
    source = toy_source.replace(
        ONE_STAGE,
        '(Stage(epochs=1, learning_rate=0.01, unread=("noise", "temperature")),'
        " Stage(epochs=1, learning_rate=0.01))",
    )
    toy.write_text(source.replace("    temperature", "    noise: float = 0.1\n    temperature", 1))
    clean = planned(small_dolls, toy)
    noisy = planned(small_dolls, toy, Noise(0.5, argument="0.5"))
    assert clean.stage_keys != noisy.stage_keys


def test_batches_by_people_need_a_set_that_names_people(
    small_dolls: Path, others: Path, toy: Path, toy_source: str, tmp_path: Path
) -> None:
    """Pairs that name nobody are refused there, and elsewhere trained on."""
    nameless = tmp_path / "nameless"
    nameless.mkdir()
    table = pyarrow.parquet.read_table(others / "train.parquet")
    place = table.column_names.index("person_id")
    people = pyarrow.array(range(APART, APART + len(table)))
    pyarrow.parquet.write_table(
        table.set_column(place, "person_id", people), nameless / "train.parquet"
    )
    plugin = trained_on(toy, toy_source, repr(str(nameless)))
    assert planned(small_dolls, plugin, supervision="identity").beside.sets[0]
    with pytest.raises(HarnessError, match=r"'nameless' names nobody .* images_per_person = 0"):
        planned(small_dolls, plugin, supervision="identity", images_per_person=2)


@pytest.fixture
def companion(
    small_dolls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Located, Companion]:
    """The shared dataset with labels of its images."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    located = locate(find_declaration(str(small_dolls)))
    return located, add(located, tmp_path, "tall")


def add(
    located: Located, folder: Path, label: str, name: str = "looks", **options: bool
) -> Companion:
    """Give the first image a label."""
    (first, *_) = load_split(located, "train").image_ids
    file = folder / "labels.jsonl"
    file.write_text(json.dumps({"image_id": first, "label": label}), encoding="utf-8")
    return add_companion(located, file, name, "<b>somebody</b>", **options)[0]


def test_the_content_of_a_companion_is_part_of_the_key(
    small_dolls: Path, toy: Path, companion: tuple[Located, Companion], tmp_path: Path
) -> None:
    """Of runs that name it; who made it stands in their records."""
    located, added = companion
    without, one = planned(small_dolls, toy), planned(small_dolls, toy, companions=["looks"])
    assert one.beside.companions_of(located) == (added,)
    (told,) = one.record().data["companions"]
    assert (told["name"], told["made_by"], told["counts"]) == (
        "looks", "<b>somebody</b>", {"images": 1, "labels": 1},
    )  # fmt: skip
    assert one.record().uses == {"companions": [[located.fingerprint, "looks", added.fingerprint]]}
    add(located, tmp_path, "small", may_replace=True)
    two = planned(small_dolls, toy, companions=["looks"])
    assert len({without.key, one.key, two.key}) == 3
    assert planned(small_dolls, toy).key == without.key
    assert "companions" not in without.record().data
    assert without.record().uses == {}


def test_the_order_of_companions_is_part_of_the_key(
    small_dolls: Path, toy: Path, companion: tuple[Located, Companion], tmp_path: Path
) -> None:
    """A method may read the first for one thing and the second for another."""
    located, looks = companion
    coats = add(located, tmp_path, "long", name="coats")
    one, two = (
        planned(small_dolls, toy, companions=names)
        for names in (["looks", "coats"], ["coats", "looks"])
    )
    assert one.beside.companions_of(located) == (looks, coats)
    assert two.beside.companions_of(located) == (coats, looks)
    assert one.key != two.key
    with pytest.raises(HarnessError, match="companions names 'looks' twice"):
        planned(small_dolls, toy, companions=["looks", "looks"])


def test_a_companion_that_is_missing_is_missed_as_runs_are_planned(
    small_dolls: Path, toy: Path, companion: tuple[Located, Companion]
) -> None:
    """With those that there are, and the command that adds one."""
    told = r"no companion of dataset .* 'look'.*Did you mean 'looks'.*harness data companion add"
    with pytest.raises(HarnessError, match=told):
        planned(small_dolls, toy, companions=["look"])


def test_a_stage_that_does_not_read_a_companion_is_shared(
    small_dolls: Path, toy: Path, toy_source: str, companion: tuple[Located, Companion]
) -> None:
    """By variants with it and without."""
    source = toy_source.replace(
        ONE_STAGE,
        '(Stage(epochs=1, learning_rate=0.01, unread=("companions",)),'
        " Stage(epochs=1, learning_rate=0.01))",
    )
    toy.write_text(source, encoding="utf-8")
    one, two = planned(small_dolls, toy), planned(small_dolls, toy, companions=["looks"])
    assert one.stage_keys == two.stage_keys
    assert one.key != two.key


CONTENT: Mapping[str, Any] = {"code": keys.Code("weights", "figures")}
CONFIG = {"losses": {"itc": 1.0}, "companions": []}
RECIPE = {
    "stages": [{"losses": None, "unread": [], "data": None}] * 2,
    "threads": 1, "candidates": 0, "processes": 1, "precision": "no", "chunks": 1,
}  # fmt: skip


def test_what_a_run_does_not_use_is_not_in_its_key() -> None:
    """So that features can be added, and their code changed, without repeating other runs."""
    made = keys.make_keys(CONTENT["code"], "toy", CONFIG, RECIPE, "data", 0)
    older = {name: value for name, value in CONFIG.items() if name != "companions"}
    stages = [
        {name: value for name, value in stage.items() if name != "data"}
        for stage in RECIPE["stages"]  # type: ignore[attr-defined]  # of a recipe
    ]
    features = replace(CONTENT["code"], features={"stage data": "other"})
    assert keys.make_keys(features, "toy", older, {**RECIPE, "stages": stages}, "data", 0) == made


def test_runs_are_compared_with_what_their_records_tell(
    small_dolls: Path,
    others: Path,
    toy: Path,
    toy_source: str,
    companion: tuple[Located, Companion],
    tmp_path: Path,
) -> None:
    """Where neither the set nor the companion is here any more; other content is another run."""
    located, _ = companion
    copy = Path(shutil.copytree(others, tmp_path / "copy"))
    spec = planned(small_dolls, trained_on(toy, toy_source, repr(str(copy))), companions=["looks"])
    record = results.RunRecord(**json.loads(json.dumps(asdict(spec.record()))))
    shutil.rmtree(copy)
    shutil.rmtree(companions_folder(located.fingerprint))
    listings = registry.list_methods([toy])
    plugin = registry.find_method("toy", listings).plugin
    assert [*find_stale([VerifiedRun("run", record)], listings, [located])] == []
    assert find_of_other_code([results.StoredRun(record, tmp_path)], [plugin]) == []
    for uses in ({}, {**record.uses, "stage data": ["other", None]}, {"stage data": 3, "x": 1}):
        changed = replace(record, uses=uses)
        (finding,) = find_stale([VerifiedRun("run", changed)], listings, [located])
        assert finding.kind is Kind.STALE
        assert find_of_other_code([results.StoredRun(changed, tmp_path)], [plugin])


def test_what_a_run_adds_is_told_beside_what_its_method_declares(
    small_dolls: Path,
    others: Path,
    toy: Path,
    toy_source: str,
    companion: tuple[Located, Companion],
) -> None:
    """Wherever extra data is told: images of people were seen, and somebody made the labels."""
    plugin = trained_on(toy, toy_source, repr(str(others)))
    told = planned(small_dolls, plugin, companions=["looks"]).record().extra_data
    assert told is not None
    assert str(told) == (
        f"weights: undisclosed; pairs: {others.name} in stage 1; "
        f"captions: looks by <b>somebody</b>; people: {others.name} in stage 1"
    )
    assert told.seen_people == "with"
    declared = toy_source.replace('title="Toy"', 'title="Toy", extra_data=ExtraData(people=())')
    source = declared.replace("import register", "import ExtraData, register")
    told = planned(small_dolls, trained_on(toy, source, repr(str(others)))).record().extra_data
    assert str(told) == f"pairs: {others.name} in stage 1; people: {others.name} in stage 1"
    own = planned(small_dolls, trained_on(toy, source, repr(str(small_dolls)))).record().extra_data
    assert own is not None
    assert own.seen_people == "without"
