import math
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy
import pyarrow.parquet
import pytest

from harness import plan, registry
from harness.cli.planning import plan_runs
from harness.data.catalogue import find_declaration, locate
from harness.data.declaration import Declaration
from harness.data.noise import parse_noise
from harness.errors import HarnessError
from harness.limits import CHOICES
from harness.plan.spec import RunSpec
from harness.plan.variants import resolve_variant
from harness.results.store import of_training
from harness.training import optimization

DEMO = plan.Suite("demo", "Demo", "tiny", (0, 1), ())


def specs(
    dolls: Path, plugin: Path, *names: str, ablations: bool = False, **settings: object
) -> list[RunSpec]:
    """Plan toy runs."""
    choices = plan.choose(names or ("toy",), registry.list_methods([plugin]), "tiny", ablations)
    located = [locate(find_declaration(str(dolls)))]
    return plan.plan(DEMO, located, choices, DEMO.seeds, settings)


def keys(dolls: Path, plugin: Path) -> set[str]:
    """Return the content keys of the toy's runs."""
    return {spec.key for spec in specs(dolls, plugin)}


def test_a_plan_is_every_variant_and_seed(small_dolls: Path, toy: Path) -> None:
    """With ablations every row is planned for every seed, each under a key of its own."""
    planned = specs(small_dolls, toy, ablations=True)
    runs = [(spec.variant, spec.seed) for spec in planned]
    assert runs == [("full", 0), ("full", 1), ("narrow", 0), ("narrow", 1)]
    assert len({spec.key for spec in planned}) == 4


def test_one_variant_can_be_named(small_dolls: Path, toy: Path) -> None:
    """`toy:narrow` plans that row alone; its command repeats it."""
    (first, _) = specs(small_dolls, toy, "toy:narrow")
    assert first.config["width"] == 4
    assert first.tables == (("Table 1", "narrow", 0),)
    assert first.command == f"harness run toy:narrow --suite demo --dataset {small_dolls} --seeds 0"
    record = first.record()
    assert (record.suite_argument, record.dataset_argument) == ("demo", str(small_dolls))


def test_equal_content_has_equal_keys_wherever_it_lies(
    small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """A copied dataset and a touched file are the same content."""
    copy = tmp_path / "small-dolls"
    shutil.copytree(small_dolls, copy)
    (copy / "train.parquet").touch()
    assert keys(copy, toy) == keys(small_dolls, toy)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("* 10", "* 11", False),  # the loss
        ('"width": 4', '"width": 5', True),  # an ablation row
        ('"""Mean colour against a bag of letters."""', '"""A toy."""', True),
        ("learning_rate=0.01", "learning_rate=0.02", False),  # the recipe
        ("width: int = 8", "width: int = 9", False),  # the config
        ('title="Toy"', 'title="A toy"', True),
    ],
)
def test_what_repeats_a_run(
    small_dolls: Path, toy: Path, toy_source: str, old: str, new: str, same: bool
) -> None:
    """A change of what is computed changes the key; a change of what is said does not."""
    before = keys(small_dolls, toy)
    assert old in toy_source
    toy.write_text(toy_source.replace(old, new), encoding="utf-8")
    assert (keys(small_dolls, toy) == before) is same


def test_a_changed_block_repeats_the_methods_that_import_it(
    small_dolls: Path, toy: Path, toy_source: str
) -> None:
    """The code a method imports is part of its key."""
    block = toy.with_name("block.py")
    block.write_text("def scale(x):\n    return x\n", encoding="utf-8")
    toy.write_text("import block\n" + toy_source, encoding="utf-8")
    before = keys(small_dolls, toy)
    block.write_text("def scale(x):\n    return x * 2\n", encoding="utf-8")
    assert keys(small_dolls, toy) != before


def test_starting_weights_are_part_of_the_key(small_dolls: Path, toy: Path) -> None:
    """Other weights beside a method repeat its runs."""
    folder = toy.parent / "weights"
    folder.mkdir()
    (folder / "start.safetensors").write_bytes(b"one")
    before = keys(small_dolls, toy)
    (folder / "start.safetensors").write_bytes(b"two")
    assert keys(small_dolls, toy) != before


def test_settings_make_a_variant_of_their_own(small_dolls: Path, toy: Path) -> None:
    """--set reaches config, loss and stage fields, and never overwrites the method as published."""
    (spec, _) = specs(small_dolls, toy, **{"width": 6, "losses.itc": 0.5, "epochs": 1})
    assert spec.variant == "full (epochs=1, losses.itc=0.5, width=6)"
    assert spec.config["width"] == 6
    assert spec.config["losses"] == {"itc": 0.5}
    assert [stage["epochs"] for stage in spec.recipe["stages"]] == [1]
    assert spec.tables == ()


def test_noise_is_a_variant_of_its_own(small_dolls: Path, toy: Path, tmp_path: Path) -> None:
    """Each share and each file has keys, a label and a command of its own; without, none moves."""
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        order = [*range(number + 1, 4), *range(number + 1)]
        numpy.save(tmp_path / str(number) / "index.npy", order)
    files = [str(tmp_path / str(number) / "index.npy") for number in range(2)]
    texts = ["0", "0.2", "0.5", *files]
    choices = plan.choose(["toy"], registry.list_methods([toy]), "tiny", ablations=False)
    located = [locate(find_declaration(str(small_dolls)))]
    noises = [parse_noise(text) for text in texts]
    planned = plan.plan(DEMO, located, choices, (0,), {"epochs": 1}, noises=noises)
    [plain] = specs(small_dolls, toy, epochs=1)[:1]
    assert (planned[0].key, planned[0].variant) == (plain.key, plain.variant)
    for kind in ("key", "weights_key", "variant", "command", "resume_key"):
        assert len({getattr(spec, kind) for spec in planned}) == len(texts), kind
    assert len({spec.path(tmp_path) for spec in planned}) == len(texts)
    assert planned[1].variant == "full (epochs=1) (noise 0.2)"
    assert planned[1].command == f"{plain.command} --noise 0.2"
    assert planned[4].command == f"{plain.command} --noise {shlex.quote(files[1])}"


def test_what_is_not_trained_has_no_noise(small_dolls: Path) -> None:
    """Its one run stands for every share."""
    choices = plan.choose(["clip"], registry.list_methods(), "tiny", ablations=False)
    located = [locate(find_declaration(str(small_dolls)))]
    noises = [parse_noise("0.2"), parse_noise("0.5")]
    [spec] = plan.plan(DEMO, located, choices, (0,), {}, noises=noises)
    assert (spec.noise, spec.variant) == (None, "full")


def test_how_a_run_is_executed_makes_no_variant(
    small_dolls: Path, toy: Path, toy_source: str
) -> None:
    """Its figures mean the same: it has the label, the place and the key of the published one. The
    recipe tells how, and a checkpoint goes on as it began."""
    source = toy_source.replace(
        "    config_class = ToyConfig\n", "    config_class = ToyConfig\n    spreads = True\n"
    )
    toy.write_text(source, encoding="utf-8")
    (one, _), (other, _) = (
        specs(small_dolls, toy, **options)
        for options in ({}, {"processes": 4, "precision": "bf16", "chunks": 8})
    )
    assert (other.variant, other.changes, other.tables) == ("full", {}, one.tables)
    assert (other.key, other.weights_key) == (one.key, one.weights_key)
    told = {name: other.recipe[name] for name in ("processes", "precision", "chunks")}
    assert told == {"processes": 4, "precision": "bf16", "chunks": 8}
    assert other.resume_key != one.resume_key
    before = one.record()
    assert of_training(other.record(), before).recipe == before.recipe  # where it is taken over


def test_what_is_not_trained_is_one_process(small_dolls: Path, glance: Path) -> None:
    """Where all methods are asked for several, it is none that keeps the others from them."""
    (spec, _) = specs(small_dolls, glance, "blank", processes=4, chunks="auto")
    assert (spec.recipe["processes"], spec.recipe["chunks"]) == (1, 1)
    with pytest.raises(HarnessError, match=r"glance is trained by one process.*run\.spread"):
        specs(small_dolls, glance, "glance", processes=4)
    with pytest.raises(HarnessError, match=r"glance is trained in one chunk.*run\.spread"):
        specs(small_dolls, glance, "glance", chunks="auto")


def test_how_many_chunks_fit_is_found_by_one_process(
    small_dolls: Path, toy: Path, toy_source: str
) -> None:
    """Where one of several has no memory left, the others would wait for it."""
    source = toy_source.replace(
        "    config_class = ToyConfig\n", "    config_class = ToyConfig\n    spreads = True\n"
    )
    toy.write_text(source, encoding="utf-8")
    (spec, _) = specs(small_dolls, toy, chunks="auto")
    assert spec.recipe["chunks"] == "auto"
    with pytest.raises(HarnessError, match=r"toy: .* give a number, as in --chunks 4"):
        specs(small_dolls, toy, chunks="auto", processes=2)


def test_an_unknown_setting_says_what_was_meant(small_dolls: Path, toy: Path) -> None:
    """--set refuses a field that does not exist."""
    with pytest.raises(HarnessError, match=r"no setting of toy 'epoch'\. Did you mean 'epochs'"):
        specs(small_dolls, toy, epoch=1)


def test_unknown_variants_suites_and_recipes_are_refused(toy: Path) -> None:
    """Each wrong name is refused with what exists."""
    listings = registry.list_methods([toy])
    with pytest.raises(HarnessError, match=r"no variant of toy 'narow'\. Did you mean 'narrow'"):
        plan.choose(["toy:narow"], listings, "tiny", False)
    with pytest.raises(HarnessError, match=r"no suite 'demi'\. Did you mean 'demo'"):
        plan.read_suite("demi")
    with pytest.raises(HarnessError, match="no recipe of toy 'paper'"):
        plan.choose(["toy"], listings, "paper", False)


def test_a_table_of_one_scale_is_run_at_that_scale_alone(toy: Path, toy_source: str) -> None:
    """Elsewhere its rows are not planned, its places not recorded, and asking for one says why."""
    rows = '{"Backbones": {"wide": {"width": 9}, "Toy": {}}}'
    recipe = f'"large": Recipe("", (96, 32), ablations={rows}),\n    '
    start = toy_source.index('"tiny": Recipe')
    toy.write_text(toy_source[:start] + recipe + toy_source[start:], encoding="utf-8")
    listings = registry.list_methods([toy])
    (large,) = plan.choose(["toy"], listings, "large", ablations=True)
    (tiny,) = plan.choose(["toy"], listings, "tiny", ablations=True)
    assert large.variants == ("full", "narrow", "wide")
    assert tiny.variants == ("full", "narrow")
    with pytest.raises(HarnessError, match=r"toy:wide is a variant at scale large alone.* tiny"):
        plan.choose(["toy:wide"], listings, "tiny", ablations=False)


def test_a_suite_file_is_read_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    """A suite can be a YAML file of one's own."""
    file = tmp_path / "mine.yaml"
    file.write_text("scale: tiny\nseeds: [3]\ndatasets: [paperdolls]\n", encoding="utf-8")
    assert plan.read_suite(str(file)) == plan.Suite(
        "mine", "mine", "tiny", (3,), ("paperdolls",), str(file)
    )
    for key in ("scale", "seeds", "datasets"):
        values = {"scale": "tiny", "seeds": "[3]", "datasets": "[paperdolls]"}
        del values[key]
        lines = "\n".join(f"{name}: {value}" for name, value in values.items())
        file.write_text(lines, encoding="utf-8")
        with pytest.raises(HarnessError, match=rf"mine\.yaml: .*missing required field `{key}`"):
            plan.read_suite(str(file))


def test_a_name_without_a_value_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    """In a suite and in what it declares."""
    file = tmp_path / "mine.yaml"
    dataset = "{name: people, folder: people, note: , licence: }"
    file.write_text(f"title:\nscale: tiny\nseeds: [3]\ndatasets: [{dataset}]\n", encoding="utf-8")
    suite = plan.read_suite(str(file))
    assert (suite.title, suite.declared["people"].note) == ("mine", "")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("audit-selection: true", "'audit-selection'. Did you mean 'audit_selection'?"),
        ("sedes: [3]", "'sedes'. Did you mean 'seeds'?"),
        ("Scale: paper", "'Scale'. Did you mean 'scale'?"),
        ("name:", "'name'. "),
        ("7: seven", "'7'. "),
    ],
)
def test_a_key_that_no_suite_has_is_refused(tmp_path: Path, key: str, meant: str) -> None:
    """With what was probably meant and what there is: else it would silently do nothing."""
    file = suite_file(tmp_path, "paperdolls")
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{key}\n", encoding="utf-8")
    with pytest.raises(HarnessError) as refused:
        plan.read_suite(str(file))
    assert str(refused.value).startswith(f"Suite {file}: There is no key {meant}")
    there = "There are: also_on, audit_selection, datasets, options, scale, seeds, title."
    assert str(refused.value).endswith(there)


@pytest.mark.parametrize("value", ["null", "", "~", "yes", "1", "[true]"])
def test_an_audit_is_asked_for_by_true_or_false(tmp_path: Path, value: str) -> None:
    """No value is neither: whoever wrote the key meant something by it."""
    file = suite_file(tmp_path, "paperdolls")
    written = f"{file.read_text(encoding='utf-8')}\naudit_selection: {value}\n"
    file.write_text(written, encoding="utf-8")
    with pytest.raises(HarnessError, match=r"Expected `bool`, got .*audit_selection"):
        plan.read_suite(str(file))


@pytest.mark.parametrize(
    "seeds", ["[]", '"012"', "0-4", "[-1]", "[0, 0]", "[1:30]", "[1.0]", "[true]"]
)
def test_seeds_that_mean_nothing_are_refused(tmp_path: Path, seeds: str) -> None:
    """A suite has whole numbers from 0, each once."""
    file = tmp_path / "mine.yaml"
    file.write_text(f"scale: tiny\nseeds: {seeds}\ndatasets: [paperdolls]\n", encoding="utf-8")
    with pytest.raises(HarnessError, match="seeds"):
        plan.read_suite(str(file))


def test_what_is_not_trained_has_no_stages(toy: Path) -> None:
    """By --set neither: a supervision that is declared is held."""
    with pytest.raises(HarnessError, match="toy:full declares the supervision none"):
        resolve_variant(toy_listing(toy), "tiny", "full", {"supervision": "none"})


def test_batches_by_people_need_identities(toy: Path) -> None:
    """A variant that is shown no people is refused, and one that is shown them is not."""
    by_people = {"images_per_person": 2}
    with pytest.raises(HarnessError, match="toy:full declares the supervision pairs, which knows"):
        resolve_variant(toy_listing(toy), "tiny", "full", by_people)
    shown = resolve_variant(
        toy_listing(toy), "tiny", "full", {**by_people, "supervision": "identity"}
    )
    assert shown.recipe["stages"][0]["images_per_person"] == 2


def test_a_method_that_updates_after_a_step_takes_it_on_one_batch(
    toy: Path, toy_source: str
) -> None:
    """Several are refused for it, and for it alone."""
    several = {"accumulate": 2}
    assert resolve_variant(toy_listing(toy), "tiny", "full", several).changes == several
    body = f"{toy_source}\n    def after_step(self, batch, run):\n        pass\n"
    toy.write_text(body, encoding="utf-8")
    with pytest.raises(HarnessError, match="toy:full updates something after each step"):
        resolve_variant(toy_listing(toy), "tiny", "full", several)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", -1), ("epochs", 0), ("epochs", "010"), ("epochs", True), ("batch_size", 0),
        ("learning_rate", -0.1), ("learning_rate", True), ("learning_rate", "nan"), ("threads", -1),
        ("width", "1:30"), ("width", True), ("losses.itc", True), ("precision", "fp32"),
        ("optimizer", "adamx"), ("schedule", "cosinus"), ("undecayed", ["biases", "norm"]),
        ("undecayed", "biases"), ("betas", [0.9, -1.0]), ("betas", [0.9, 1]), ("betas", [0.9]),
        ("eps", "x"), ("eps", "nan"), ("eps", math.nan), ("eps", math.inf), ("eps", True),
        ("eps", [1e-8]), ("eps", -1e-8), ("clip_norm", "x"), ("clip_norm", math.nan),
        ("threads", 0), ("threads", 1.5), ("threads", "all"), ("schedule_end", 2),
        ("schedule_end", -0.1), ("warmup_start", 1.5), ("unread", "width"), ("unread", [1]),
        ("learning_rate", math.inf), ("image_size", [0, 8]), ("image_size", [8]),
        ("supervision", "people"), ("losses.itc", math.nan), ("losses.itc", "x"),
        ("chunks", 0), ("chunks", "all"), ("chunks", 1.5), ("processes", 0),
        ("accumulate", 0), ("images_per_person", -1), ("images_per_person", 10_000),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(
    small_dolls: Path, toy: Path, key: str, value: Any
) -> None:
    """Before anything runs, by the name of the setting."""
    listings = registry.list_methods([toy])
    with pytest.raises(HarnessError, match=f"Setting {key}"):
        resolve_variant(registry.find_method("toy", listings), "tiny", "full", {key: value})


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("undecayed", "biases", "undecayed=[biases]."),
        ("undecayed", "biases,norms", "undecayed=[biases, norms]."),
        ("unread", "width", "unread=[width]."),
        ("betas", 0.9, "betas=[0.9, 0.999]."),  # of two, whichever they are
        ("image_size", "8,16", "image_size=[8, 16]."),
        ("eps", "x", "Expected `float | null`, got `str`."),
        ("supervision", "people", "Expected one of identity, none, pairs."),
    ],
)
def test_a_refused_setting_says_what_is_expected(
    toy: Path, key: str, value: Any, told: str
) -> None:
    """A list as it is to be written, or the type."""
    with pytest.raises(HarnessError, match=f"Setting {key}: .*{re.escape(told)}$"):
        resolve_variant(toy_listing(toy), "tiny", "full", {key: value})


def test_a_setting_that_another_one_excludes_is_refused(toy: Path) -> None:
    """By what refuses it in training; apart from the other each is accepted."""
    settings: dict[str, Any] = {"optimizer": "sgd", "eps": 1e-6}
    with pytest.raises(HarnessError, match="Setting eps: sgd divides by nothing"):
        resolve_variant(toy_listing(toy), "tiny", "full", settings)
    for key, value in settings.items():
        assert resolve_variant(toy_listing(toy), "tiny", "full", {key: value}).changes


def test_what_a_recipe_declares_may_be_set_to_null(toy: Path, toy_source: str) -> None:
    """Where its type says so: a method that declares eps is trained with sgd too."""
    toy.write_text(toy_source.replace("batch_size=16", "batch_size=16, eps=1e-3"), encoding="utf-8")
    with pytest.raises(HarnessError, match="write null"):
        resolve_variant(toy_listing(toy), "tiny", "full", {"optimizer": "sgd"})
    changed = resolve_variant(toy_listing(toy), "tiny", "full", {"optimizer": "sgd", "eps": None})
    assert changed.recipe["stages"][0]["eps"] is None


@pytest.mark.parametrize("key", ["undecayed", "unread"])
def test_names_in_no_order_are_one_variant(toy: Path, toy_source: str, key: str) -> None:
    """Whatever their order and however often each stands, and as the method declares them."""
    names = ["biases", "norms"]
    wanted = resolve_variant(toy_listing(toy), "tiny", "full", {key: names})
    assert wanted.label != "full"
    for same in (names[::-1], [*names, "biases"]):
        assert resolve_variant(toy_listing(toy), "tiny", "full", {key: same}) == wanted
    declared = f"batch_size=16, {key}=('norms', 'biases')"
    toy.write_text(toy_source.replace("batch_size=16", declared), encoding="utf-8")
    assert resolve_variant(toy_listing(toy), "tiny", "full", {key: names}).label == "full"


def toy_listing(plugin: Path) -> registry.Listing:
    """Return the listing of the toy method."""
    return registry.find_method("toy", registry.list_methods([plugin]))


def test_the_choices_of_a_recipe_are_those_that_training_has() -> None:
    """Planning does not import torch, and keeps names of its own."""
    assert {*CHOICES["optimizer"]} == {*optimization.OPTIMIZERS}
    assert {*CHOICES["schedule"]} == {*optimization.SCHEDULES}
    assert {*CHOICES["undecayed"]} == {*optimization.UNDECAYED}


def suite_file(folder: Path, *datasets: str) -> Path:
    """Write a suite with these datasets, each as YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "mine.yaml"
    listed = "\n".join(f"  - {dataset}" for dataset in datasets)
    file.write_text(f"scale: tiny\nseeds: [0, 1]\ndatasets:\n{listed}\n", encoding="utf-8")
    return file


def test_a_suite_declares_datasets_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside those of the catalogue; a folder is meant from where the file lies."""
    file = suite_file(
        tmp_path / "suites",
        "paperdolls",
        "{name: mine, folder: ../data/mine, columns: {captions: caption}, validation_people: 2}",
        "{name: 2024, title: People of 2024, hub: someone/people, revision: abc, licence: CC0}",
    )
    monkeypatch.chdir(tmp_path)
    for name in (str(file), "suites/mine.yaml"):  # as the command line names it
        suite = plan.read_suite(name)
        assert suite.datasets == ("paperdolls", "mine", "2024")
        assert suite.find_declaration("mine") == Declaration(
            "mine", "mine", folder=str(tmp_path / "data" / "mine"),
            columns={"captions": "caption"}, validation_people=2,
        )  # fmt: skip
        assert suite.find_declaration("2024") == Declaration(
            "2024", "People of 2024", hub="someone/people", revision="abc", licence="CC0"
        )
        assert suite.find_declaration("paperdolls") == find_declaration("paperdolls")
        with pytest.raises(HarnessError, match="no dataset 'minee'"):
            suite.find_declaration("minee")


def test_a_dataset_of_the_suite_comes_before_the_catalogues(tmp_path: Path) -> None:
    """Under the name of a benchmark a suite may declare its own copy."""
    file = suite_file(tmp_path, "{name: rstpreid, folder: copy}")
    found = plan.read_suite(str(file)).find_declaration("rstpreid")
    assert found.folder == str(tmp_path / "copy")
    assert find_declaration("rstpreid").folder == "data/rstpreid"


def test_a_folder_may_be_absolute(tmp_path: Path) -> None:
    """Then it does not matter where the file lies."""
    file = suite_file(tmp_path / "suites", f"{{name: mine, folder: {tmp_path}/people}}")
    assert plan.read_suite(str(file)).declared["mine"].folder == f"{tmp_path}/people"


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("{folder: people}", r"a mapping with one: got \{'folder': 'people'\}"),
        ("{name: '', folder: people}", "a mapping with one: got"),
        ("[mine, people]", r"a mapping with one: got \['mine', 'people'\]"),
        ("7", "a mapping with one: got 7"),
        (
            "{name: mine, folder: people, colums: {}}",
            "'mine': colums is not known.*columns, folder",
        ),
        ("{name: mine, drawn: paperdolls}", "'mine': drawn is not known"),
        ("{name: mine, folder: people, hub: a/b}", "'mine': say either folder or hub"),
        ("{name: mine}", "'mine': say either folder or hub"),
        ("{name: mine, folder: null}", "'mine': say either folder or hub"),
        (
            "{name: mine, folder: p, columns: caption}",
            "'mine': Expected `object`, got `str` - at `\\$.columns`",
        ),
        (
            "{name: mine, folder: p, columns: {caption: text}}",
            "'mine': .*captions.* are called.*: got caption",
        ),
        (
            "{name: mine, folder: p, validation_people: few}",
            "got `str` - at `\\$.validation_people`",
        ),
        (
            "{name: mine, folder: p, validation_people: -1}",
            "'mine': validation_people is a number of",
        ),
    ],
)
def test_a_broken_declaration_is_one_message(dataset: str, message: str, tmp_path: Path) -> None:
    """It names the dataset, where it has a name, and what is wrong with it."""
    with pytest.raises(HarnessError, match=message):
        plan.read_suite(str(suite_file(tmp_path, "paperdolls", dataset)))


def declared(small_dolls: Path, folder: Path) -> Path:
    """Write a suite whose dataset calls its captions otherwise and has no validation split."""
    people = folder / "my people"
    people.mkdir(parents=True)
    for split in ("train", "test"):
        table = pyarrow.parquet.read_table(small_dolls / f"{split}.parquet")
        names = ["texts" if name == "captions" else name for name in table.column_names]
        pyarrow.parquet.write_table(table.rename_columns(names), people / f"{split}.parquet")
    return suite_file(
        folder, "{name: my people, folder: my people, columns: {captions: texts}, "
        "validation_people: 3}",
    )  # fmt: skip


def test_the_command_of_a_run_on_a_declared_dataset_repeats_it(
    small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """It names suite and dataset, and what it names is the same run, to the key."""
    file = declared(small_dolls, tmp_path / "with space")
    planned = plan_runs(["toy:narrow"], registry.list_methods([toy]), str(file), plugins=[toy])
    assert [(spec.dataset, spec.seed) for spec in planned] == [("my people", 0), ("my people", 1)]
    for spec in planned:
        words = shlex.split(spec.command)
        assert words[:3] == ["harness", "run", "toy:narrow"]
        given = dict(zip(words[3::2], words[4::2], strict=True))
        assert given["--dataset"] == "my people"
        [again] = plan_runs(
            [words[2]], registry.list_methods([toy]), given["--suite"], [given["--dataset"]],
            given["--seeds"], plugins=[Path(given["--plugins"])],
        )  # fmt: skip
        assert again.key == spec.key
        assert again.command == spec.command


def test_a_folder_called_as_a_declared_dataset_is_still_named_by_its_path(
    small_dolls: Path, toy: Path, tmp_path: Path
) -> None:
    """Else the command would repeat the run on the suite's dataset."""
    file = suite_file(tmp_path, "{name: small-dolls, folder: elsewhere}")
    [spec] = plan_runs(
        ["toy"], registry.list_methods([toy]), str(file), [str(small_dolls)], "0", plugins=[toy]
    )
    assert f"--dataset {small_dolls} " in spec.command


def test_the_bundled_suites_name_datasets_that_exist() -> None:
    """Every suite's datasets are in the catalogue."""
    for suite in plan.list_suites():
        for name in suite.datasets:
            assert find_declaration(name).title


def test_all_means_every_method_with_a_recipe(toy: Path) -> None:
    """A method without a recipe for the suite's scale is left out where none was named."""
    listings = registry.list_methods([toy])
    tiny = {choice.listing.name for choice in plan.choose([], listings, "tiny", False)}
    paper = {choice.listing.name for choice in plan.choose([], listings, "paper", False)}
    assert "toy" in tiny
    assert "toy" not in paper
    assert {"clip", "irra"} <= paper


def test_a_plugin_stands_on_the_blocks_of_the_project(toy: Path, toy_source: str) -> None:
    """A plugin file that imports a public block is repeated when that block changes."""
    toy.write_text("from methods.blocks import losses\n" + toy_source, encoding="utf-8")
    (plugin,) = [p for p in registry.find_plugins([toy]) if p.module.path == toy]
    assert "methods.blocks.losses" in {module.name for module in plugin.sources()}
