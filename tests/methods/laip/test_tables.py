from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
import torch

from harness import plan, registry
from harness.data.catalogue import find_declaration
from harness.data.declaration import Located
from harness.method import Run, Supervision
from harness.plan.spec import RunSpec
from harness.registry import Listing
from harness.registry.description import describe
from harness.training.optimization import build_optimizer, parameter_groups
from methods import laip
from methods.laip import STAGE_1, Laip, LaipConfig

from .scenes import ALL, PEOPLE, ROWS, Step, batch_of, encoded, method

# What a row computes.


class Uncalled:
    """Fails where it is called."""

    def __call__(self, *given: object, **named: object) -> None:
        raise AssertionError("this row does not need it")


TAG = "methods.laip.method.tag"
NEEDS = {
    TAG: {"biatt", "mpm"},
    "methods.laip.Laip.fuse_phrases": {"biatt", "mpm"},
    "methods.laip.Laip.mask_phrases": {"biatt", "mpm"},
    "methods.laip.Laip.weigh_patches": {"biatt"},
    "methods.laip.Laip.masked_words": {"mlm"},
    "methods.blocks.momentum_pairs.fuse_with_negatives": {"itm", "tri"},
    "methods.laip.Laip.fusion_triplet": {"tri"},
}


@pytest.mark.parametrize(("table", "label"), ROWS, ids=[" ".join(key) for key in ROWS])
def test_a_row_computes_its_losses_and_nothing_else(
    table: str, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss that is off is not computed; rows without phrases parse and fuse none."""
    names = dict(ROWS[table, label]).get("losses", LaipConfig().losses)
    for place, needed_by in NEEDS.items():
        if not needed_by & names.keys():
            monkeypatch.setattr(place, Uncalled())
    model = method(**ROWS[table, label])
    found = model.training_losses(batch_of(), cast(Run, Step(tuple(names))))
    assert found.keys() == names.keys()
    assert all(torch.isfinite(loss) for loss in found.values())


def test_the_first_stage_computes_contrast_and_matching_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the method as published too."""
    for place, needed_by in NEEDS.items():
        if place != TAG and not needed_by & set(STAGE_1):
            monkeypatch.setattr(place, Uncalled())
    for recipe in Laip.recipes.values():
        first, second = recipe.stages
        assert first.losses == ("itc", "itm")
        assert second.losses is None
        found = method().training_losses(batch_of(), cast(Run, Step(first.losses)))
        assert found.keys() == {"itc", "itm"}


def rows_of(table: str) -> dict[str, Mapping[str, Any]]:
    """Return the rows of a table by label."""
    return {label: changes for (of, label), changes in ROWS.items() if of == table}


def test_table_4_and_its_rows() -> None:
    """Each row's losses, attention and starting weights."""
    found = {}
    for label, changes in rows_of("Table IV").items():
        config = LaipConfig(**changes)
        found[label] = (config.weights, " ".join(config.losses), config.attention)
        assert replace(config, **{n: getattr(LaipConfig(), n) for n in changes}) == LaipConfig()
        assert set(config.losses.values()) == {1.0}
    local = "itc itm biatt"
    assert found == {
        "Baseline": ("albef", "itc itm", "bidirectional"),
        "Baseline⁺": ("coco", "itc itm", "bidirectional"),
        "+ForAtt": ("coco", local, "forward"),
        "+BackAtt": ("coco", local, "backward"),
        "+BidirAtts": ("coco", local, "bidirectional"),
        "+MPM": ("coco", "itc itm mpm", "bidirectional"),
        "+BidirAtts+MPM": ("coco", f"{local} mpm", "bidirectional"),
        "LAIP(Ours)": ("coco", "itc itm tri biatt mpm", "bidirectional"),
    }


def test_tables_5_and_6_and_figure_6() -> None:
    """What their rows change, and only that."""
    mlm = rows_of("Table V")["MLM"]
    assert mlm.keys() == {"losses"}
    assert mlm["losses"] == dict.fromkeys(("itc", "itm", "tri", "biatt", "mlm"), 1.0)
    both = {"itc": 1.0, "itm": 1.0}
    assert rows_of("Table VI") == {
        "Baseline": {"losses": both, "weights": "albef"},
        "Baseline⁺": {"losses": both},
        "LAIP": {"weights": "albef"},
        "LAIP⁺": {},
    }
    assert list(rows_of("Figure 6, layer").values()) == [{"layer": n} for n in range(1, 6)]
    margins = [0.2, 0.4, 0.6, 0.8, 1.0]
    assert list(rows_of("Figure 6, delta").values()) == [{"margin": m} for m in margins]
    assert LaipConfig().layer == 3
    assert LaipConfig().margin == 0.6


@pytest.mark.parametrize("scale", ["tiny", "paper"])
@pytest.mark.parametrize("number", [0, 1])
def test_what_decays_is_what_albef_decays(scale: str, number: int) -> None:
    """By ALBEF's own rule neither biases nor other vectors do; the temperature, a number, does."""
    model, stage = method(), Laip.recipes[scale].stages[number]
    groups = build_optimizer(parameter_groups(model, stage), stage).param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            spared = len(parameter.shape) == 1 or name.endswith(".bias")
            assert decays.pop(id(parameter)) == (0.0 if spared else 0.02), name
    assert not decays


def test_the_recipe_is_the_papers() -> None:
    """384 x 384, 30 and 15 epochs of AdamW from 1e-6 to 1e-5 and down a cosine, k 128."""
    recipe, config = Laip.recipes["paper"], LaipConfig()
    assert recipe.image_size == (384, 384)
    assert [stage.epochs for stage in recipe.stages] == [30, 15]
    for stage in recipe.stages:
        assert (stage.optimizer, stage.schedule, stage.learning_rate) == ("adamw", "cosine", 1e-5)
        assert stage.learning_rate * stage.warmup_start == pytest.approx(1e-6)
        assert stage.warmup_epochs > 0
        assert stage.learning_rate * stage.schedule_end == pytest.approx(1e-6)
        assert stage.batch_size == 4 * 32
    assert recipe.candidates == 128
    assert (config.momentum, config.queue, config.temperature) == (0.995, 65_536, None)
    assert float(method().temperature.detach()) == pytest.approx(0.07)
    assert (config.distillation, config.weights) == (0.4, "coco")
    assert config.supervision is Supervision.IDENTITY


def planned(**settings: object) -> dict[str, RunSpec]:
    """Plan every row at scale tiny."""
    (plugin,) = (p for p in registry.find_plugins() if p.module.name == "methods.laip")
    description = describe(registry.load_method("laip", plugin))
    listing = Listing("laip", plugin, description)
    suite = plan.Suite("demo", "Demo", "tiny", (0,), ())
    located = Located(find_declaration("paperdolls"), {}, "of nothing")
    choices = plan.choose(["laip"], [listing], "tiny", ablations=True)
    return {s.variant: s for s in plan.plan(suite, [located], choices, (0,), settings)}


def test_rows_share_the_first_stage_where_they_agree_on_it() -> None:
    """All rows but those from other weights; a setting that stage reads makes a key of its own."""
    specs = planned()
    without_coco = {"Baseline", "LAIP"}
    assert without_coco < specs.keys()
    assert all(len(spec.stage_keys) == 1 for spec in specs.values())
    with_coco = {specs[name].stage_keys for name in specs.keys() - without_coco}
    assert len(with_coco) == 1
    others = {specs[name].stage_keys for name in without_coco}
    assert len(others) == 1
    assert with_coco != others
    assert len({spec.key for spec in specs.values()}) == len(specs)
    for setting in ("momentum", "distillation", "temperature"):
        (changed,) = {
            spec.stage_keys for spec in planned(**{setting: 0.123}).values()
            if spec.config["weights"] == "coco"
        }  # fmt: skip
        assert {changed} != with_coco


def test_rows_that_differ_in_the_second_stage_train_the_same_first() -> None:
    """What the first stage is said not to read changes neither its losses nor its gradients."""
    changes: dict[str, Any] = {
        "attention": "forward", "layer": 1, "margin": 0.1, "masked_share": 0.9,
        "most_phrases": 1, "phrase_losses": "mean", "losses": {"itc": 1.0, "itm": 1.0},
    }  # fmt: skip
    assert set(laip.STAGE_2_ALONE) == (changes.keys() | {"tagger"}) - {"losses"}
    one, two = method(), method(**changes)
    for model in (one, two):
        found = model.training_losses(batch_of(), cast(Run, Step(STAGE_1, stage=0)))
        torch.stack(list(found.values())).sum().backward()
    for (name, mine), theirs in zip(one.named_parameters(), two.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        if mine.grad is not None:
            assert theirs.grad is not None, name
            assert torch.equal(mine.grad, theirs.grad), name


# Pairs as labels.


def test_pairs_as_positives_never_read_identities() -> None:
    """Images are the labels: two captions of an image match, two images of a person do not."""
    model = method(positives="pair", supervision=Supervision.PAIRS)
    batch = batch_of(people=None, images=[7, 3, 3, 9])
    found = model.training_losses(batch, cast(Run, Step()))
    assert all(torch.isfinite(loss) for loss in found.values())
    x = model.seen
    assert x is not None
    assert x.labels.tolist() == [7, 3, 3, 9]
    other = method(positives="pair")
    same = other.training_losses(replace(batch, person_ids=torch.tensor([1, 1, 1, 1])), x.run)
    for name in ALL:
        assert torch.equal(found[name], same[name])
    model.after_step(batch, x.run)
    assert model.image_queue.filled()[1].tolist() == [7, 3, 3, 9]


def test_people_as_positives() -> None:
    """Identities are the labels, whatever the images' numbers."""
    assert encoded(method(), batch=batch_of(images=[5, 5, 6, 7])).labels.tolist() == PEOPLE
