"""APTM's losses against loops over numbers, its two streams, and what its code says besides."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow
import pyarrow.parquet
import pytest
import torch
from torch import Tensor

from harness import plan, registry
from harness.data.catalogue import find_declaration, locate
from harness.data.importing.companion_files import add_companion
from harness.data.importing.layouts import APART
from harness.data.loading import load_split
from harness.method import Batch, Encoded, Run, Stage, TrainSummary
from harness.run.execute import execute
from harness.run.options import Options
from harness.training.optimization import build_optimizer, build_schedule, parameter_groups
from methods.aptm import Aptm, AptmConfig, Pairs
from methods.blocks import matching, pixels
from methods.blocks.attributes import truth_of_prompts
from methods.blocks.eda import disturbed

PEOPLE = [3, 0, 3, 1, 1]
CAPTIONS = [
    "A man in a red jacket, and blue jeans.",
    "a woman wearing a green dress with a black bag",
    "a man in a red jacket and black trousers, white sneakers",
    "a boy in shorts",
    "a boy wearing a blue cap",
]
PROMPTS = (("a woman", "a man"), ("with a hat", "without a hat"), ("red clothes", "blue clothes"))
LABELS = [[1, 1, 0], [0, -1, -1], [1, 1, 0], [1, -1, -1], []]  # of the last nothing is known
TAU = 0.2


class Train:
    """Stands for a training set with attributes."""

    def __init__(self, labels: Sequence[Sequence[int]]) -> None:
        self.labels = labels

    def companion(self, name: str, by: str) -> Sequence[Sequence[int]]:
        assert (name, by) == ("attributes", "image")
        return self.labels


class Step:
    """Stands for a step of training."""

    stage = step = 0

    def __init__(self, **weights: float) -> None:
        self.losses = weights
        self.train = Train(LABELS)

    def spread(self, function: Callable[..., Any], *rows: Any) -> Any:
        return function(*rows)

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(sum(map(ord, purpose)))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: more only wait for each other on what is this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def method(**changes: Any) -> Aptm:
    """Return the tiny method in float64, with images as they are."""
    settings = {"temperature": TAU, "pixels": ("clip",), "prompts": PROMPTS, **changes}
    config = AptmConfig(backbone="tiny-albef", image_size=(96, 32), **settings)
    torch.manual_seed(0)
    return Aptm(config, TrainSummary(5, CAPTIONS, 5)).double().eval()


@pytest.fixture(scope="module")
def aptm() -> Aptm:
    """The method, for tests that leave it as it is."""
    return method()


def batch(people: list[int] | None = PEOPLE, images: Sequence[int] = range(5)) -> Batch:
    """Return five pairs of three people."""
    shown = torch.randint(
        0, 256, (5, 3, 96, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    ids = None if people is None else torch.tensor(people)
    return Batch(shown, CAPTIONS, torch.tensor([*images]), torch.arange(5), ids)


def pairs(aptm: Aptm, of: Batch | None = None) -> Pairs:
    """Return the batch, encoded without gradients."""
    return Pairs(of or batch(), cast(Run, Step()), aptm)


def losses(aptm: Aptm, of: Batch | None = None, **weights: float) -> dict[str, float]:
    """Return the losses of the batch."""
    found = aptm.training_losses(of or batch(), cast(Run, Step(**weights)))
    return {name: float(loss.detach()) for name, loss in found.items()}


# The reference: loops over numbers, and one pair after the other through the fusion encoder.


def cosine(one: Tensor, other: Tensor) -> float:
    """Return the cosine of two vectors."""
    a, b = one.tolist(), other.tolist()
    lengths = [math.sqrt(sum(x * x for x in vector)) for vector in (a, b)]
    return float(sum(x * y for x, y in zip(a, b, strict=True)) / (lengths[0] * lengths[1]))


def log_softmax(scores: Sequence[float], place: int) -> float:
    """Return the logarithm of a share of exponents."""
    return scores[place] - math.log(sum(map(math.exp, scores)))


def one(encoded: Encoded, row: int) -> Encoded:
    """Return one item."""
    assert encoded.tokens is not None
    mask = None if encoded.mask is None else encoded.mask[row : row + 1]
    return Encoded(encoded.embedding[row : row + 1], encoded.tokens[row : row + 1], mask)


def match(aptm: Aptm, text: Encoded, image: Encoded) -> list[float]:
    """Return the two logits of a pair."""
    with torch.no_grad():
        fused = aptm.model.fuse(text, image)
        scores: list[float] = aptm.model.matching_head(fused[:, 0])[0].tolist()
    return scores


def contrast(images: Tensor, texts: Tensor, people: Sequence[int]) -> float:
    """Contrast in both directions, where the pairs of a person share the target."""
    total = 0.0
    for rows, columns in ((images, texts), (texts, images)):
        for i in range(5):
            scores = [cosine(rows[i], column) / TAU for column in columns]
            alike = [j for j in range(5) if people[j] == people[i]]
            total -= sum(log_softmax(scores, j) for j in alike) / len(alike)
    return total / (2 * 5)


def smoothed(scores: Sequence[float], label: int) -> float:
    """Cross-entropy of two scores with a label smoothed by 0.4."""
    return -sum(
        (0.2 + 0.6 * (kind == label)) * log_softmax(scores, kind) for kind in range(len(scores))
    )


def read(aptm: Aptm, ids: Tensor, labels: Tensor, chosen: Tensor, image: Encoded) -> list[float]:
    """Return minus the log-probability of each masked word of a text with its image."""
    with torch.no_grad():
        fused = aptm.model.fuse(aptm.model.encoder.encode_tokens(ids[None]), image)
        scores = aptm.model.masked_word_head(fused)[0].tolist()
    return [
        -log_softmax(scores[place], int(labels[place]))
        for place in range(len(ids))
        if chosen[place]
    ]


def test_itc_is_a_contrast_of_people(aptm: Aptm) -> None:
    """Of texts, and of texts that EDA has changed."""
    x = pairs(aptm)
    found = losses(aptm, itc=1.0, itc_eda=0.8)
    images = x.images.embedding.detach()
    assert found["itc"] == pytest.approx(contrast(images, x.texts.embedding.detach(), PEOPLE))
    changed = disturbed(CAPTIONS, 0.1, Step().generator("eda"))
    texts = aptm.encode_texts(changed).embedding.detach()
    assert found["itc_eda"] == pytest.approx(0.8 * contrast(images, texts, PEOPLE))
    assert changed != CAPTIONS


def test_where_nobody_is_named_captions_of_one_image_match(aptm: Aptm) -> None:
    """As in MALS."""
    nameless = batch(None, [7, 1, 7, 2, 0])
    x = pairs(aptm, nameless)
    expected = contrast(x.images.embedding.detach(), x.texts.embedding.detach(), [7, 1, 7, 2, 0])
    assert losses(aptm, nameless, itc=1.0)["itc"] == pytest.approx(expected)


def test_itm_judges_pairs_and_hard_negatives(aptm: Aptm) -> None:
    """The mean over 15 pairs of minus the log-probability of what they are."""
    x = pairs(aptm)
    similarity = torch.tensor(
        [[cosine(i, t) / TAU for t in x.texts.embedding] for i in x.images.embedding]
    )
    people = torch.tensor(PEOPLE)
    generator = Step().generator("negatives of texts")
    same = people[:, None] == people[None, :]
    negatives = matching.draw_negatives(similarity.T, similarity, same, generator, 1e-5)
    drawn = matching.pairs_with_negatives(negatives, same)
    total = 0.0
    for text, image, label in zip(*(part.tolist() for part in drawn), strict=True):
        assert (PEOPLE[text] == PEOPLE[image]) == bool(label)
        total -= log_softmax(match(aptm, one(x.texts, text), one(x.images, image)), label)
    assert len(drawn.labels) == 15
    assert losses(aptm, itm=1.0)["itm"] == pytest.approx(total / 15)


def test_mlm_reads_masked_words_from_the_image(aptm: Aptm) -> None:
    """The mean over all masked words of the batch."""
    x = pairs(aptm)
    masked = aptm.mask(x, CAPTIONS, "words")
    found = [
        loss
        for row in range(5)
        for loss in read(
            aptm, masked.ids[row], masked.labels[row], masked.chosen[row], one(x.images, row)
        )
    ]
    assert len(found) == int(masked.chosen.sum()) > 8
    assert losses(aptm, mlm=1.0)["mlm"] == pytest.approx(sum(found) / len(found))


def test_iac_tells_the_true_prompt_of_each_attribute(aptm: Aptm) -> None:
    """By cosine / tau, with smoothed labels, of the images of which it is known."""
    x = pairs(aptm)
    prompts = x.prompts.embedding.detach()
    total = 0.0
    for attribute in range(3):
        known = [row for row in range(4) if LABELS[row][attribute] >= 0]
        for row in known:
            image = x.images.embedding[row].detach()
            scores = [cosine(image, prompts[2 * attribute + side]) / TAU for side in (0, 1)]
            total += smoothed(scores, LABELS[row][attribute]) / len(known)
    assert losses(aptm, iac=1.0)["iac"] == pytest.approx(total / 3)


def test_iam_matches_some_prompts_with_every_image() -> None:
    """Three of six are drawn; whether each is true is asked of every image that it is known of."""
    aptm = method(matched_prompts=3)
    x = pairs(aptm)
    truth = truth_of_prompts(x.labels).tolist()
    picked = torch.randperm(6, generator=Step().generator("prompts"))[:3].tolist()
    total = 0.0
    for prompt in picked:
        known = [row for row in range(5) if truth[row][prompt] >= 0]
        for row in known:
            scores = match(aptm, one(x.prompts, prompt), one(x.images, row))
            total += smoothed(scores, truth[row][prompt]) / len(known)
    assert losses(aptm, iam=1.0)["iam"] == pytest.approx(total / 3)


def test_mam_reads_masked_prompts_from_an_image_that_they_are_true_of(aptm: Aptm) -> None:
    """Each prompt that is true of one, with one that is drawn."""
    x = pairs(aptm)
    truth = truth_of_prompts(x.labels)
    draws = torch.rand(5, 6, generator=Step().generator("examples"))
    masked = aptm.mask(x, aptm.prompts, "prompts")
    found: list[float] = []
    for prompt in range(6):
        true = [row for row in range(5) if truth[row, prompt] == 1]
        if true:
            row = max(true, key=lambda image: float(draws[image, prompt]))
            words = masked.ids[prompt], masked.labels[prompt], masked.chosen[prompt]
            found += read(aptm, *words, one(x.images, row))
    assert losses(aptm, mam=1.0)["mam"] == pytest.approx(sum(found) / len(found))


def test_without_any_label_attributes_teach_nothing(aptm: Aptm) -> None:
    """And nothing breaks: their losses are 0, with gradients of 0."""
    step = Step(iac=1.0, iam=1.0, mam=1.0)
    step.train = Train([[]] * 5)
    found = aptm.training_losses(batch(), cast(Run, step))
    assert {name: float(loss.detach()) for name, loss in found.items()} == dict.fromkeys(found, 0.0)
    assert all(loss.requires_grad for loss in found.values())


def test_labels_for_other_prompts_are_refused(aptm: Aptm) -> None:
    """With how many there are and how many there are to be."""
    step = Step(iac=1.0)
    step.train = Train([[1, 0]] * 5)
    with pytest.raises(ValueError, match="has 2 attributes, and there are prompts for 3"):
        aptm.training_losses(batch(), cast(Run, step))


def test_the_totals_are_those_of_the_code() -> None:
    """Fine-tuning adds what EDA changes by 0.8; pre-training the mean of three by 0.8."""
    texts, eda = {"itc": 1.0, "itm": 1.0, "mlm": 1.0}, {"itc_eda": 0.8, "itm_eda": 0.8}
    assert AptmConfig().losses == {**texts, **eda}
    recipe = Aptm.recipes["mals"]
    first, second = recipe.stages
    assert first.losses == (*texts, "iac", "iam", "mam")
    assert second.losses == (*texts, *eda)
    weights = recipe.config["losses"]
    assert [weights[name] for name in ("iac", "iam", "mam")] == pytest.approx([0.8 / 3] * 3)
    assert (first.epochs, first.batch_size, second.epochs, second.batch_size) == (32, 600, 30, 480)
    assert Aptm.recipes["paper"].stages[0].epochs == 30


def test_candidates_are_ordered_by_the_logit_of_a_match(aptm: Aptm) -> None:
    """As the fusion encoder gives it of each pair."""
    x = pairs(aptm)
    numbers = torch.tensor([2, 0, 0, 4, 1])
    with torch.no_grad():
        found = aptm.rescore(x.texts, x.images, numbers).tolist()
    expected = [
        match(aptm, one(x.texts, row), one(x.images, image))[1]
        for row, image in enumerate(numbers.tolist())
    ]
    assert found == pytest.approx(expected)


def test_the_temperature_begins_where_it_is_told() -> None:
    """Else as ALBEF's, in tiny-albef; it learns."""
    assert float(method().temperature.detach()) == pytest.approx(TAU)
    aptm = method(temperature=None)
    assert float(aptm.temperature.detach()) == pytest.approx(0.07)
    found = aptm.training_losses(batch(), cast(Run, Step(itc=1.0)))
    found["itc"].backward()  # type: ignore[no-untyped-call]  # of torch
    assert aptm.temperature.grad is not None
    assert float(aptm.temperature.grad) != 0


def test_captions_lose_their_signs_where_that_is_asked_for() -> None:
    """As the code reads ICFG-PEDES and RSTPReid; elsewhere they stay."""
    assert method().read("A man's T-shirt, 2 bags.") == "A man's T-shirt, 2 bags."
    plain = method(signs="left out")
    assert plain.read("A man's T-shirt, 2 bags.") == "a man s t shirt 2 bags"
    both = plain.encode_texts(["A red-blue coat!", "a red blue coat"]).embedding
    assert torch.equal(both[0], both[1])


def test_pixels_are_those_of_the_stages_set() -> None:
    """MALS's in the first stage, the benchmark's in the second and at retrieval."""
    aptm = method(pixels=("mals", "rstpreid"), changes=0, erase=0.0)
    seen: list[Tensor] = []
    aptm.model.encoder.visual.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    for stage, name in enumerate(("mals", "rstpreid", "rstpreid")):
        step = Step()
        step.stage = stage
        mean, deviation = pixels.scaled(name, torch.device("cpu"))
        colour = (mean + 2 * deviation).double().expand(4, 3, 96, 32)
        if stage < 2:
            colour = aptm.changed(colour, cast(Run, step))
        aptm.encode_images(colour)
        torch.testing.assert_close(seen[-1], torch.full_like(seen[-1], 2.0), rtol=0, atol=1e-4)


def test_images_are_changed_in_training_alone(aptm: Aptm) -> None:
    """At retrieval the same image is the same."""
    shown = batch().images
    changed = aptm.changed(shown, cast(Run, Step()))
    assert (changed != shown).flatten(1).any(dim=1).float().mean() > 0.5
    with torch.no_grad():
        again = [aptm.encode_images(shown).embedding for _ in range(2)]
    assert torch.equal(*again)


def test_the_solver_is_the_codes() -> None:
    """AdamW with betas 0.9 and 0.98, from 0 over a tenth of the steps, linearly down to 0."""
    (stage,) = Aptm.recipes["paper"].stages
    assert (stage.optimizer, stage.betas, stage.weight_decay) == ("adamw", (0.9, 0.98), 0.01)
    aptm = method()
    optimizer = build_optimizer(parameter_groups(aptm, stage), stage)
    schedule = build_schedule(optimizer, stage, 10)
    rates = []
    for _ in range(301):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert [rates[0], rates[15], rates[30], rates[165], rates[300]] == pytest.approx(
        [0.0, 0.5e-4, 1e-4, 0.5e-4, 0.0]
    )


def faster(stage: Stage) -> set[str]:
    """Return the parameters of the tiny method that learn at twice the rate."""
    aptm = method()
    names = {id(parameter): name for name, parameter in aptm.named_parameters()}
    groups = [*aptm.parameter_groups(stage)]
    found = [names[id(one)] for group in groups for one in group["params"]]
    assert sorted(found) == sorted(names.values())  # each once
    (two,) = [group for group in groups if group.get("lr") == 2 * stage.learning_rate]
    return {names[id(one)] for one in two["params"]}


def test_what_is_new_learns_faster_in_pre_training() -> None:
    """Attention to images, which BERT does not have."""
    found = faster(Stage(1, 1e-4, data="elsewhere"))
    assert len(found) == 6 * 10  # of six layers: query, key, value, output, norm
    assert all(".crossattention." in name for name in found)


def test_what_is_late_learns_faster_in_fine_tuning() -> None:
    """The last layers of the fusion, and the heads."""
    found = faster(Stage(1, 1e-4))
    assert {name.split(".")[1] for name in found} == {"fusion", "matching_head", "masked_word_head"}
    layers = {name.split(".")[3] for name in found if name.startswith("model.fusion")}
    assert layers == {"4", "5"}


def test_vectors_and_biases_do_not_decay_and_the_temperature_does() -> None:
    """As in the code."""
    aptm = method()
    (stage,) = Aptm.recipes["paper"].stages
    optimizer = build_optimizer(parameter_groups(aptm, stage), stage)
    decays = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    found = {name: decays[id(parameter)] for name, parameter in aptm.named_parameters()}
    assert found["temperature"] == 0.01
    assert found["model.fusion.layers.0.attention.output.LayerNorm.weight"] == 0.0
    assert found["model.fusion.layers.0.attention.self.query.bias"] == 0.0
    assert found["model.fusion.layers.0.attention.self.query.weight"] == 0.01


@pytest.fixture
def crowd(small_dolls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Some training images as a dataset that names nobody, with attributes, as MALS is."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "crowd"
    folder.mkdir()
    table = pyarrow.parquet.read_table(small_dolls / "train.parquet").slice(0, 24)
    people = pyarrow.array(range(APART, APART + len(table)))
    place = table.column_names.index("person_id")
    table = table.set_column(place, "person_id", people)
    pyarrow.parquet.write_table(table, folder / "train.parquet")
    located = locate(find_declaration(str(folder)), needed=("train",))
    split = load_split(located, "train")
    rows = [
        {"image_id": name, "labels": [number % 3 - 1, number % 2]}
        for number, name in enumerate(split.image_ids)
    ]
    file = tmp_path / "attributes.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    add_companion(located, file, "attributes", "counting")
    return folder


def test_it_trains_with_attributes_on_a_set_that_names_nobody(
    small_dolls: Path, crowd: Path, tmp_path: Path
) -> None:
    """From the plan to figures on the benchmark: all six losses are in the history, and finite."""
    suite = plan.Suite("demo", "Demo", "tiny", (0,), ())
    choices = plan.choose(["aptm"], registry.list_methods(), "tiny", False)
    settings: dict[str, Any] = {
        "data": str(crowd), "companions": ["attributes"],
        "prompts": [["a woman", "a man"], ["with a hat", "without a hat"]],
        "losses": dict.fromkeys(("itc", "itm", "mlm", "iac", "iam", "mam"), 1.0),
        "matched_prompts": 2,
    }  # fmt: skip
    located = locate(find_declaration(str(small_dolls)))
    (spec,) = plan.plan(suite, [located], choices, (0,), settings)
    record = execute(spec, Options(tmp_path, "cpu"), lambda update: None)
    assert record.error is None
    (epoch,) = pyarrow.parquet.read_table(next(tmp_path.rglob("history.parquet"))).to_pylist()
    for name in settings["losses"]:
        assert math.isfinite(epoch[f"loss/{name}"])
        assert epoch[f"loss/{name}"] > 0
