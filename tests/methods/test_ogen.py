import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import BertConfig

from harness.method import Batch, Encoded, Run, Stage, TrainSummary
from methods import ogen
from methods.blocks.augment import Augmentation, augment
from methods.blocks.granularity import AttendedWords
from methods.ogen import CrossGranularityAggregation, Ogen, OgenConfig

Array = NDArray[np.float64]
Person = dict[int, Array]  # granularity -> the parts of one person (K, d)

WIDTH, HEADS, PEOPLE = 8, 2, 4
COUNTS = {1: 1, 2: 3, 3: 6}
STUDENT = {"l_o": 1.0, "l_1": 1.0, "l_2": 1.0, "l_3": 1.0}
ALL = {**STUDENT, "l_h": 1.0, "l_k": 1.0}
PERSON_IDS = [2, 0, 2, 3, 0]  # two people with two pairs each
CAPTIONS = [
    "a man in a red jacket and blue jeans",
    "a woman wearing a green dress with a black bag",
    "a boy in shorts",
    "a man in a red jacket and black trousers, white sneakers",
    "a girl with a yellow backpack and a white skirt",
]
ROWS = {
    (table, label): dict(changes)
    for table, rows in Ogen.ablations.items()
    for label, changes in rows.items()
}


# The reference: loops over people, heads and tokens.


def values(parameter: Tensor) -> Array:
    """Return the numbers of a parameter."""
    return cast(Array, parameter.detach().numpy())


def softmax(scores: list[float]) -> list[float]:
    """Return the softmax of scores."""
    exponents = [math.exp(score - max(scores)) for score in scores]
    return [value / sum(exponents) for value in exponents]


def attention(module: nn.MultiheadAttention, sequence: Array) -> Array:
    """Let each token of (S, d) attend to all: queries, keys and values head by head."""
    width, size = WIDTH, WIDTH // HEADS
    weight, bias = values(module.in_proj_weight), values(module.in_proj_bias)
    query, key, value = (
        [weight[k * width : (k + 1) * width] @ token + bias[k * width : (k + 1) * width]
         for token in sequence]
        for k in range(3)
    )  # fmt: skip
    found = []
    for i in range(len(sequence)):
        heads = np.zeros(width)
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            scores = [query[i][part] @ other[part] / math.sqrt(size) for other in key]
            for share, other in zip(softmax(scores), value, strict=True):
                heads[part] += share * other[part]
        found.append(values(module.out_proj.weight) @ heads + values(module.out_proj.bias))
    return np.array(found)


def feedforward(module: nn.Sequential, sequence: Array) -> Array:
    """Pass each token through two layers."""
    first, _, last = cast(tuple[nn.Linear, nn.Module, nn.Linear], tuple(module))
    hidden = [
        [max(0.0, unit) for unit in values(first.weight) @ token + values(first.bias)]
        for token in sequence
    ]
    return np.array([values(last.weight) @ row + values(last.bias) for row in hidden])


@dataclass(frozen=True)
class Stages:
    """What equations 2 to 5 make of one person."""

    local: tuple[Array, Array]  # v_12, v_13
    enhanced: tuple[Array, Array]  # v_2, v_3
    swapped: tuple[Array, Array]  # v_32, v_23
    crossed: tuple[Array, Array]  # v^2, v^3
    whole: Array  # v


def aggregate(network: CrossGranularityAggregation, person: Person) -> Stages:
    """Compute equations 2 to 5 of one person, in the order of print."""
    v12 = attention(network.local_2, np.array([person[1][0], *person[2]]))
    v13 = attention(network.local_3, np.array([person[1][0], *person[3]]))
    v2 = feedforward(network.feedforward_2, v12) + v12
    v3 = feedforward(network.feedforward_3, v13) + v13
    v32 = np.array([v3[0], *v2[1:]])
    v23 = np.array([v2[0], *v3[1:]])
    crossed_2 = v32 + attention(network.cross_2, v32)
    crossed_3 = v23 + attention(network.cross_3, v23)
    whole = np.array([*person[1][0], *crossed_2[0], *crossed_3[0]])
    return Stages((v12, v13), (v2, v3), (v32, v23), (crossed_2, crossed_3), whole)


def cosine(a: Array, b: Array) -> float:
    """Return the cosine of two vectors."""
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return float(dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b)))


def triplet(
    anchors: list[Array],
    others: list[Array],
    margin: float = 0.2,
    people: Sequence[int] = PERSON_IDS,
) -> float:
    """Return the mean over anchors of [margin - s(own) + s(hardest other person)]_+."""
    hinges = []
    for i, anchor in enumerate(anchors):
        scores = [cosine(anchor, other) for other in others]
        negatives = [
            score for score, person in zip(scores, people, strict=True) if person != people[i]
        ]
        hinges.append(max(0.0, margin - scores[i] + max(negatives)))
    return sum(hinges) / len(hinges)


def identification(classifier: nn.Linear, features: list[Array]) -> float:
    """Return the mean of -log p of the right person."""
    total = 0.0
    for feature, person in zip(features, PERSON_IDS, strict=True):
        logits = values(classifier.weight) @ feature + values(classifier.bias)
        total -= math.log(softmax(list(logits))[person])
    return total / len(features)


def guided(features: Array, mixed: Array) -> Array:
    """Return v (1 + tanh(v m)) / 2, channel by channel."""
    return np.array(
        [
            [v * (1 + math.tanh(v * m)) / 2 for v, m in zip(*rows, strict=True)]
            for rows in zip(features, mixed, strict=True)
        ]
    )


def energy(feature: Array) -> float:
    """Return the mean of the squares of the channels."""
    return float(sum(value * value for value in feature) / len(feature))


def unit(feature: Array) -> Array:
    """Return a vector of length one."""
    return feature / math.sqrt(sum(value * value for value in feature))


class Scene:
    """Five pairs of four people, taken apart: distinct parts at every granularity."""

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        shared = [self._person(generator) for _ in range(PEOPLE)]
        noise = [[self._person(generator) for _ in PERSON_IDS] for _ in range(2)]
        self.images, self.texts = (
            [
                {s: shared[person][s] + 2.0 * own[s] for s in COUNTS}
                for person, own in zip(PERSON_IDS, owns, strict=True)
            ]
            for owns in noise
        )
        pairs = list(zip(self.images, self.texts, strict=True))
        self.mixed = [{s: (v[s] + e[s]) / 2 for s in COUNTS} for v, e in pairs]
        self.guided_images, self.guided_texts = (
            [
                {s: guided(person[s], mixed[s]) for s in COUNTS}
                for person, mixed in zip(people, self.mixed, strict=True)
            ]
            for people in (self.images, self.texts)
        )

    @staticmethod
    def _person(generator: np.random.Generator) -> Person:
        return {s: generator.normal(size=(count, WIDTH)) for s, count in COUNTS.items()}


SCENE = Scene()


def whole(network: CrossGranularityAggregation, people: list[Person]) -> list[Array]:
    """Return the omni-granularity representations of people."""
    return [aggregate(network, person).whole for person in people]


def side_by_side(people: list[Person], s: int) -> list[Array]:
    """Return the parts of one granularity as one vector a person."""
    return [person[s].reshape(-1) for person in people]


def retrieved_by(people: list[Person]) -> list[Array]:
    """Return the concatenation of unit granularities of people, as without aggregation."""
    return [np.concatenate([unit(person[s].reshape(-1)) for s in COUNTS]) for person in people]


def student_loss(images: list[Array], texts: list[Array], classifier: nn.Module) -> float:
    """Return L_r + L_c of one granularity, equations 6 and 7."""
    ranking = triplet(images, texts) + triplet(texts, images)
    head = cast(nn.Linear, classifier)
    return ranking + identification(head, images) + identification(head, texts)


# The method, and what stands for the harness.


class Step:
    """Stands for a step of training: weights of the losses and generators by purpose."""

    def __init__(self, weights: Mapping[str, float] = ALL) -> None:
        self.losses = weights
        self.purposes: list[str] = []

    def spread(self, function: Callable[..., Any], *rows: Any) -> Any:
        return function(*rows)

    def generator(self, purpose: str) -> torch.Generator:
        self.purposes.append(purpose)
        return torch.Generator().manual_seed(sum(map(ord, purpose)))


def method(backbone: str = "tiny-clip", seed: int = 0, **changes: Any) -> Ogen:
    """Return the method with small parts and four people, ready to retrieve."""
    torch.manual_seed(seed)
    settings = {"backbone": backbone, "image_size": (96, 32), "width": WIDTH, "heads": HEADS}
    config = OgenConfig(**{**settings, **changes})  # type: ignore[arg-type]  # fields by name
    return Ogen(config, TrainSummary(5, CAPTIONS, PEOPLE)).eval()


@torch.no_grad()
def lively(model: Ogen, scale: float = 0.5) -> Ogen:
    """Give what lies behind the encoder weights, biases too, that all matter; in doubles."""
    generator = torch.Generator().manual_seed(7)
    for name, parameter in model.double().named_parameters():
        if not name.startswith("encoder."):
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(scale * drawn)
    return model


def parts_of(people: list[Person]) -> dict[int, Tensor]:
    """Return people's parts as tensors (B, K, d)."""
    return {s: torch.from_numpy(np.array([person[s] for person in people])) for s in COUNTS}


def batch_of(count: int = 5) -> Batch:
    """Return a batch of random pixels with the captions."""
    generator = torch.Generator().manual_seed(1)
    shape = count, 3, 96, 32
    pixels = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    index = torch.arange(count)
    captions = [CAPTIONS[row % 5] for row in range(count)]
    return Batch(pixels, captions, index, index, torch.tensor(PERSON_IDS)[index % 5])


def step(
    model: Ogen,
    names: Sequence[str] | None = None,
    batch: Batch | None = None,
) -> dict[str, Tensor]:
    """Return the losses of a batch, each with weight 1, or those of the config."""
    weights = model.config.losses if names is None else dict.fromkeys(names, 1.0)
    return model.training_losses(batch or batch_of(), cast(Run, Step(weights)))


def taken_apart(model: Ogen, monkeypatch: pytest.MonkeyPatch) -> Ogen:
    """Have the method see the scene's parts, whatever the pixels and the words."""
    for name, people in (("split_images", SCENE.images), ("split_texts", SCENE.texts)):
        parts = {s: part for s, part in parts_of(people).items() if s in model.config.granularities}
        monkeypatch.setattr(model, name, lambda _, parts=parts: parts)
    return model


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Let torch use one thread: more only wait for each other on what is this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Ogen:
    """The method on the scene's parts."""
    return taken_apart(lively(method()), monkeypatch)


class Calls:
    """What a module is given, and what it returns."""

    def __init__(self, module: nn.Module) -> None:
        self.given: list[Any] = []
        self.returned: list[Any] = []
        module.register_forward_hook(self.record)

    def record(self, module: nn.Module, inputs: Any, output: Any) -> None:
        """Note a call."""
        self.given.append(inputs)
        self.returned.append(output)


def close(found: Any, expected: Any, rtol: float = 1e-9) -> None:
    """Hold numbers, or rows of them, against the reference."""
    found = found.detach() if isinstance(found, Tensor) else torch.from_numpy(np.array(found))
    wanted = torch.from_numpy(np.array(expected))
    torch.testing.assert_close(found.double(), wanted, rtol=rtol, atol=1e-10)


# Equations 1 to 5: the aggregation of one person's parts.


@pytest.fixture
def aggregation() -> CrossGranularityAggregation:
    """The aggregation of a lively method."""
    return lively(method()).student.requires_grad_(False)


def test_equation_1_each_token_attends_to_the_whole_sequence(
    aggregation: CrossGranularityAggregation,
) -> None:
    """All four attentions: softmax(q k / sqrt(d / heads)) v, head by head, then the output map."""
    modules = [getattr(aggregation, f"{kind}_{s}") for kind in ("local", "cross") for s in (2, 3)]
    calls = [Calls(module) for module in modules]
    aggregation(parts_of(SCENE.images))
    for module, call in zip(modules, calls, strict=True):
        queries, keys, contents = call.given[0]
        assert torch.equal(queries, keys)
        assert torch.equal(queries, contents)
        for sequence, found in zip(queries, call.returned[0][0], strict=True):
            close(found, attention(module, sequence.numpy()))


def test_equation_2_the_whole_leads_the_parts(aggregation: CrossGranularityAggregation) -> None:
    """v_12 = MHA([v^1 || v^2_k]) of 3 parts, v_13 of 6 with weights of its own, no residual."""
    local = Calls(aggregation.local_2), Calls(aggregation.local_3)
    aggregation(parts_of(SCENE.images))
    for calls, length, s in zip(local, (4, 7), (0, 1), strict=True):
        found = calls.returned[0][0]
        assert found.shape == (5, length, WIDTH)
        close(found, [aggregate(aggregation, person).local[s] for person in SCENE.images])


def test_equation_3_a_feedforward_with_a_residual(
    aggregation: CrossGranularityAggregation,
) -> None:
    """v_2 = FFN(v_12) + v_12, and v_3 by another network; what follows is made of these."""
    cross_2, cross_3 = Calls(aggregation.cross_2), Calls(aggregation.cross_3)
    aggregation(parts_of(SCENE.images))
    v32, v23 = cross_2.given[0][0], cross_3.given[0][0]
    stages = [aggregate(aggregation, person).enhanced for person in SCENE.images]
    close(torch.cat([v23[:, :1], v32[:, 1:]], dim=1), [v2 for v2, _ in stages])
    close(torch.cat([v32[:, :1], v23[:, 1:]], dim=1), [v3 for _, v3 in stages])


def test_equation_4_the_first_tokens_are_swapped(aggregation: CrossGranularityAggregation) -> None:
    """v^2 = v_32 + MHA(v_32) with v_32 = [v_3[0] || v_2[1:]], v^3 likewise the other way."""
    cross = Calls(aggregation.cross_2), Calls(aggregation.cross_3)
    found = aggregation(parts_of(SCENE.images)).unflatten(1, (3, WIDTH))  # (B, 3, d)
    stages = [aggregate(aggregation, person) for person in SCENE.images]
    for s, calls in enumerate(cross):
        close(calls.given[0][0], [stage.swapped[s] for stage in stages])
        close(found[:, 1 + s], [stage.crossed[s][0] for stage in stages])


def test_equation_5_the_raw_whole_beside_both_crossed(
    aggregation: CrossGranularityAggregation,
) -> None:
    """v = [v^1 || v^2[0] || v^3[0]], with v^1 as it came in, of images and of texts alike."""
    for people in (SCENE.images, SCENE.texts):
        found = aggregation(parts_of(people))
        assert found.shape == (5, 3 * WIDTH)
        assert torch.equal(found[:, :WIDTH], parts_of(people)[1][:, 0])
        close(found, whole(aggregation, people))


def test_the_aggregation_is_nothing_beyond_print(aggregation: CrossGranularityAggregation) -> None:
    """Four attentions and two networks of two layers; parts in another order change nothing."""
    kinds = [type(module) for module in aggregation.modules() if not list(module.children())]
    linear = nn.modules.linear.NonDynamicallyQuantizableLinear
    assert kinds.count(linear) == 4
    assert kinds.count(nn.Linear) == 4
    assert kinds.count(nn.ReLU) == len(kinds) - 8 == 2
    parts = parts_of(SCENE.images)
    shuffled = {1: parts[1], 2: parts[2].flip(1), 3: parts[3].flip(1)}
    torch.testing.assert_close(aggregation(shuffled), aggregation(parts), rtol=1e-12, atol=0)


def test_six_heads_of_128() -> None:
    """The paper's attention: 6 heads whose features have 128 channels."""
    config = OgenConfig()
    network = CrossGranularityAggregation(config.width, config.heads)
    for module in (network.local_2, network.local_3, network.cross_2, network.cross_3):
        assert (module.num_heads, module.head_dim) == (6, 128)
        assert module.dropout == 0


# Equations 6 to 8: the student.


def test_equation_6_both_directions_against_the_hardest_of_another_person(scene: Ogen) -> None:
    """L_r of s(v, e): texts for images plus images for texts; of one person none is a negative."""
    images, texts = whole(scene.student, SCENE.images), whole(scene.student, SCENE.texts)
    nn.init.zeros_(scene.omni_classifier.weight)
    nn.init.zeros_(scene.omni_classifier.bias)
    found = step(scene, ["l_o"])["l_o"].item() - 2 * math.log(PEOPLE)  # of an even guess
    forward, backward = triplet(images, texts), triplet(texts, images)
    assert found == pytest.approx(forward + backward, rel=1e-9)
    assert min(forward, backward) > 0.1
    assert abs(forward - backward) > 0.01
    strangers = triplet(images, texts, people=range(5)) + triplet(texts, images, people=range(5))
    assert strangers > found + 0.01  # so it matters that one person's pairs are left out


def test_equation_6_the_margin_is_the_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    """alpha is 0.2, and another where the config says so."""
    assert OgenConfig().margin == 0.2
    model = taken_apart(lively(method(margin=0.9)), monkeypatch)
    pairs = [side_by_side(people, 2) for people in (SCENE.images, SCENE.texts)]
    expected = triplet(*pairs, margin=0.9) + triplet(*reversed(pairs), margin=0.9)
    head = cast(nn.Linear, model.classifiers["2"])
    expected += sum(identification(head, people) for people in pairs)
    assert step(model, ["l_2"])["l_2"].item() == pytest.approx(expected, rel=1e-9)


def test_equation_7_two_cross_entropies_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    """CE(y, p_v) + CE(y, p_e), one classifier for both modalities."""
    model = taken_apart(lively(method(margin=-9.0)), monkeypatch)  # every hinge is 0
    images, texts = whole(model.student, SCENE.images), whole(model.student, SCENE.texts)
    of_images = identification(model.omni_classifier, images)
    of_texts = identification(model.omni_classifier, texts)
    assert abs(of_images - of_texts) > 0.01
    assert step(model, ["l_o"])["l_o"].item() == pytest.approx(of_images + of_texts, rel=1e-9)


def test_equation_8_the_student_learns_at_four_granularities(scene: Ogen) -> None:
    """L_stu sums L_r + L_c over o, 1, 2, 3: the last three of the parts before aggregation."""
    found = step(scene, list(STUDENT))
    expected = {
        "l_o": student_loss(
            whole(scene.student, SCENE.images),
            whole(scene.student, SCENE.texts),
            scene.omni_classifier,
        )
    }
    for s in COUNTS:
        expected[f"l_{s}"] = student_loss(
            side_by_side(SCENE.images, s),
            side_by_side(SCENE.texts, s),
            scene.classifiers[str(s)],
        )
    assert found.keys() == expected.keys()
    close([found[name].item() for name in expected], list(expected.values()))


def test_equation_8_of_granularities_behind_aggregation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other reading: L^1 of v^1, L^2 of v^2[0] and L^3 of v^3[0], the first rows of eq. 4."""
    model = taken_apart(lively(method(judged="aggregated")), monkeypatch)
    found = step(model, list(STUDENT))
    sides = []
    for people in (SCENE.images, SCENE.texts):
        stages = [aggregate(model.student, person) for person in people]
        crossed = [[stage.crossed[s][0] for stage in stages] for s in (0, 1)]
        sides.append({"1": [person[1][0] for person in people], "2": crossed[0], "3": crossed[1]})
    expected = {
        "l_o": student_loss(
            whole(model.student, SCENE.images),
            whole(model.student, SCENE.texts),
            model.omni_classifier,
        )
    }
    for s in ("1", "2", "3"):
        expected[f"l_{s}"] = student_loss(sides[0][s], sides[1][s], model.classifiers[s])
    close([found[name].item() for name in expected], list(expected.values()))


@pytest.mark.parametrize("label", ["Baseline", "+DA", "+MGE", "+MGE+DA"])
def test_rows_without_aggregation_are_judged_by_their_parts(label: str) -> None:
    """Behind an aggregation that there is not nothing can be judged: losses are the same bits."""
    one, other = (method(**ROWS["Table II", label], judged=j) for j in ("parts", "aggregated"))
    found, expected = step(other), step(one)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_batch_of_one_person_has_no_ranking(scene: Ogen) -> None:
    """Without a negative L_r and L_h are zero; the identities are still learned from."""
    batch = replace(batch_of(), person_ids=torch.tensor([2] * 5))
    found = step(scene, batch=batch)
    assert found["l_h"].item() == 0
    logits = scene.classifiers["1"](
        torch.cat([scene.split_images(None)[1], scene.split_texts(None)[1]])[:, 0]
    )
    expected = -logits.log_softmax(dim=1)[:, 2].mean().item() * 2
    assert found["l_1"].item() == pytest.approx(expected)
    sum(found.values()).backward()
    assert all(p.grad.isfinite().all() for p in scene.parameters() if p.grad is not None)


# Equations 9 to 13: the teacher.


def teacher_inputs(model: Ogen) -> list[dict[int, Tensor]]:
    """Return what the teacher's own aggregation is given in a step of its losses."""
    calls = Calls(model.teacher)
    step(model, ["l_h", "l_k"])
    return [given[0] for given in calls.given]


def among(inputs: list[dict[int, Tensor]], people: list[Person]) -> bool:
    """Tell whether parts are among what was given, at every granularity."""
    wanted = parts_of(people)
    return any(
        all(torch.allclose(given[s], wanted[s], rtol=1e-12, atol=1e-12) for s in COUNTS)
        for given in inputs
    )


@pytest.fixture
def separate(monkeypatch: pytest.MonkeyPatch) -> Ogen:
    """The method on the scene's parts with an aggregation of its own for each network."""
    return taken_apart(lively(method(aggregation="separate")), monkeypatch)


def test_equation_9_mixed_features_are_the_average(separate: Ogen) -> None:
    """m = (v + e) / 2 of every part of every granularity goes through the aggregation."""
    inputs = teacher_inputs(separate)
    assert len(inputs) == 3
    assert among(inputs, SCENE.mixed)


def test_equation_10_channels_are_amplified_or_restrained(separate: Ogen) -> None:
    """h = v (1 + tanh(v m)) / 2, channel by channel, z likewise; v m has both signs."""
    products = np.array([v[3] * m[3] for v, m in zip(SCENE.images, SCENE.mixed, strict=True)])
    assert 0.1 < (products < 0).mean() < 0.9
    inputs = teacher_inputs(separate)
    assert among(inputs, SCENE.guided_images)
    assert among(inputs, SCENE.guided_texts)
    by_hand = ogen.dual_attention(torch.tensor([2.0, -2.0, 1.0]), torch.tensor([1.0, 1.0, 0.0]))
    expected = [2 * (1 + math.tanh(2)) / 2, -2 * (1 + math.tanh(-2)) / 2, 0.5]
    assert by_hand.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("aggregation", ["shared", "separate"])
def test_equation_11_the_mixed_feature_is_the_anchor(
    aggregation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L_h ranks h, then z, for the mixed feature of a pair, against other people's."""
    model = taken_apart(lively(method(aggregation=aggregation)), monkeypatch)
    network = model.student if aggregation == "shared" else model.teacher
    mixed = whole(network, SCENE.mixed)
    images, texts = whole(network, SCENE.guided_images), whole(network, SCENE.guided_texts)
    expected = triplet(mixed, images) + triplet(mixed, texts)
    assert expected > 0.01
    assert expected != pytest.approx(triplet(images, mixed) + triplet(texts, mixed), rel=1e-3)
    assert step(model, ["l_h"])["l_h"].item() == pytest.approx(expected, rel=1e-9)


def test_equation_12_energies_are_compared_pair_by_pair(scene: Ogen) -> None:
    """The squared difference of mean energies of h and z over 3 d channels, then the mean."""
    images = whole(scene.student, SCENE.guided_images)
    texts = whole(scene.student, SCENE.guided_texts)
    differences = [energy(h) - energy(z) for h, z in zip(images, texts, strict=True)]
    assert len({difference > 0 for difference in differences}) == 2
    expected = sum(difference**2 for difference in differences) / 5
    assert step(scene, ["l_k"])["l_k"].item() == pytest.approx(expected, rel=1e-9)


def test_equation_12_survives_half_precision() -> None:
    """Squares and lengths that overflow or vanish in half precision are taken in float32."""
    large, small = torch.full((2, 4), 300.0).half(), torch.full((2, 4), 1e-4).half()
    assert ogen.adaptation((large,), (large / 2,)).item() == pytest.approx(67_500**2, rel=1e-6)
    assert ogen.adaptation((small,), (small / 2,)).item() > 0
    for feature in (large, small):
        torch.testing.assert_close(ogen.joined((feature,)), torch.full((2, 4), 0.5))


def test_equation_13_the_teacher_adds_two_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """All is L_stu + L_tea = L_stu + L_h + L_k: six terms of weight 1, by the config as it is."""
    assert dict(OgenConfig().losses) == ALL
    model = taken_apart(lively(method()), monkeypatch)
    found = step(model)
    network = model.student
    total = student_loss(
        whole(network, SCENE.images), whole(network, SCENE.texts), model.omni_classifier
    )
    for s in COUNTS:
        pairs = side_by_side(SCENE.images, s), side_by_side(SCENE.texts, s)
        total += student_loss(*pairs, model.classifiers[str(s)])
    mixed = whole(network, SCENE.mixed)
    images, texts = whole(network, SCENE.guided_images), whole(network, SCENE.guided_texts)
    total += triplet(mixed, images) + triplet(mixed, texts)
    total += sum((energy(h) - energy(z)) ** 2 for h, z in zip(images, texts, strict=True)) / 5
    assert sum(loss.item() for loss in found.values()) == pytest.approx(total, rel=1e-9)


def test_weights_of_losses_multiply_them(scene: Ogen) -> None:
    """A weight of the run scales its term."""
    one = step(scene)
    weights = {name: 0.5 + n for n, name in enumerate(ALL)}
    other = scene.training_losses(batch_of(), cast(Run, Step(weights)))
    for name, weight in weights.items():
        assert other[name].item() == pytest.approx(weight * one[name].item())


# The teacher without aggregation, and L_k on the student.


@pytest.mark.parametrize("label", ["+DA", "+MGE+DA"])
def test_dual_attention_without_aggregation(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """L_h is of the unit granularities side by side, L_k of the granularities as they are."""
    model = taken_apart(lively(method(**ROWS["Table II", label], margin=0.9)), monkeypatch)
    granularities = model.config.granularities

    def kept(people: list[Person]) -> list[Person]:
        return [{s: person[s] for s in granularities} for person in people]

    def lengths_one(people: list[Person]) -> list[Array]:
        return [np.concatenate([unit(p.reshape(-1)) for p in x.values()]) for x in kept(people)]

    def raw(people: list[Person]) -> list[Array]:
        return [np.concatenate([p.reshape(-1) for p in x.values()]) for x in kept(people)]

    mixed = lengths_one(SCENE.mixed)
    found = step(model)
    expected = triplet(mixed, lengths_one(SCENE.guided_images), margin=0.9)
    expected += triplet(mixed, lengths_one(SCENE.guided_texts), margin=0.9)
    assert expected > 0.1
    assert found["l_h"].item() == pytest.approx(expected, rel=1e-9)
    pairs = zip(raw(SCENE.guided_images), raw(SCENE.guided_texts), strict=True)
    expected = sum((energy(h) - energy(z)) ** 2 for h, z in pairs) / 5
    assert found["l_k"].item() == pytest.approx(expected, rel=1e-9)


def test_adaptation_of_the_student(monkeypatch: pytest.MonkeyPatch) -> None:
    """L_k(S) compares the energies of v and e, without dual attention; L_h stays the teacher's."""
    changes = ROWS["Table V", "L_k(S)"]
    model = taken_apart(lively(method(**changes)), monkeypatch)
    other = taken_apart(lively(method()), monkeypatch)
    images, texts = whole(model.student, SCENE.images), whole(model.student, SCENE.texts)
    expected = sum((energy(v) - energy(e)) ** 2 for v, e in zip(images, texts, strict=True)) / 5
    found, as_printed = step(model), step(other)
    assert found["l_k"].item() == pytest.approx(expected, rel=1e-9)
    assert found["l_k"].item() != pytest.approx(as_printed["l_k"].item(), rel=1e-3)
    for name in ALL.keys() - {"l_k"}:
        assert found[name].item() == as_printed[name].item()


# From pixels and words.


def test_parts_come_from_the_encoders_tokens() -> None:
    """Each granularity by its own module; granularity 1 from the encoder's own token."""
    model = lively(method())
    batch = batch_of()
    with torch.no_grad():
        images, words = model.split_images(batch.images), model.encoder.tokenize(batch.captions)
        texts = model.split_texts(words)
        pixels, encoded = (
            model.encoder.encode_images(batch.images),
            model.encoder.encode_tokens(words),
        )
        for s, count in COUNTS.items():
            assert images[s].shape == texts[s].shape == (5, count, WIDTH)
            assert torch.equal(images[s], model.image_parts[str(s)](pixels.tokens))
            arguments = encoded.embedding, encoded.tokens, encoded.mask
            assert torch.equal(texts[s], model.text_parts[str(s)](*arguments))
    assert [(p.parts, p.grid) for p in model.image_parts.values()] == [
        (count, (12, 4)) for count in COUNTS.values()
    ]
    assert [p.parts for p in model.text_parts.values()] == list(COUNTS.values())


@torch.no_grad()
def central_difference(total: Callable[[], Tensor], weight: Tensor, way: Tensor) -> float:
    """Return the slope of a total along one direction of a weight."""
    start, size, sides = weight.clone(), 1e-6, []
    for sign in (1, -1):
        weight.copy_(start + sign * size * way)
        sides.append(total().item())
    weight.copy_(start)
    return (sides[0] - sides[1]) / (2 * size)


@pytest.fixture(scope="module")
def trainee() -> Ogen:
    """A lively method in double precision, in whose total no loss drowns the others."""
    return lively(method(), scale=0.2)


@pytest.mark.parametrize(
    "name",
    [
        "student.local_2.in_proj_weight",
        "student.cross_2.out_proj.weight",
        "student.cross_3.in_proj_weight",
        "student.feedforward_3.0.weight",
        "image_parts.1.project.weight",
        "image_parts.2.attention.gates.0.weight",
        "text_parts.2.heads.scores.weight",
        "text_parts.3.project.weight",
        "classifiers.2.weight",
        "encoder.visual.proj",
        "encoder.text.text_projection",
    ],
)
def test_gradients_are_those_of_the_total(trainee: Ogen, name: str) -> None:
    """Autograd's slope of all six losses is that of central differences: nothing is detached."""

    def total() -> Tensor:
        return torch.stack(list(step(trainee).values())).sum()

    weight = dict(trainee.named_parameters())[name]
    gradient = torch.autograd.grad(total(), weight)[0]
    torch.manual_seed(0)
    way = torch.randn_like(weight)
    way = way / way.norm()
    slope = (gradient * way).sum().item()
    assert abs(slope) > 1e-4
    assert slope == pytest.approx(central_difference(total, weight, way), rel=1e-4)


@pytest.mark.parametrize(
    ("aggregation", "losses", "learning"),
    [
        ("shared", ["l_o"], {"student"}),
        ("shared", ["l_h"], {"student"}),
        ("shared", ["l_k"], {"student"}),
        ("separate", ["l_o", "l_1", "l_2", "l_3"], {"student"}),
        ("separate", ["l_h"], {"teacher"}),
        ("separate", ["l_k"], {"teacher"}),
        ("separate", list(ALL), {"student", "teacher"}),
        ("shared", ["l_1", "l_2", "l_3"], set()),
        ("none", ["l_1", "l_2", "l_3", "l_h", "l_k"], set()),
    ],
)
def test_which_aggregation_learns(
    aggregation: str, losses: list[str], learning: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teacher's losses reach the shared module; with one each they keep to their own."""
    model = taken_apart(lively(method(aggregation=aggregation)), monkeypatch)
    for part in (
        v for parts in (model.split_images(0), model.split_texts(0)) for v in parts.values()
    ):  # type: ignore[arg-type]  # whatever is given
        part.requires_grad_()
    sum(step(model, losses).values()).backward()
    for network in ("student", "teacher"):
        gradients = [parameter.grad for parameter in getattr(model, network).parameters()]
        if network in learning:
            assert all(grad is not None and grad.abs().sum() > 0 for grad in gradients)
        else:
            assert all(grad is None for grad in gradients)


@pytest.mark.parametrize(("loss", "learns"), [("l_1", False), ("l_2", True), ("l_3", True)])
def test_what_is_judged_behind_aggregation_teaches_it(
    loss: str, learns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L^2 and L^3 reach the student's aggregation there, where by parts they do not."""
    model = taken_apart(lively(method(judged="aggregated")), monkeypatch)
    step(model, [loss])[loss].backward()
    reached = any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.student.parameters())
    assert reached is learns


def test_parts_of_captions_by_multi_head_attention() -> None:
    """`text_heads` "attention" makes all granularities of words so, and a step trains it."""
    model = method(text_heads="attention")
    assert model.text_parts["1"].heads is None
    assert {type(model.text_parts[s].heads) for s in ("2", "3")} == {AttendedWords}
    sum(step(model).values()).backward()
    for s in ("2", "3"):
        for name, parameter in model.text_parts[s].named_parameters():
            assert parameter.grad is not None, name
            if name != "heads.key.bias":  # the same for all words: a softmax does not see it
                assert parameter.grad.abs().sum() > 0, name


# Retrieval.


def features(model: Ogen) -> tuple[Tensor, Tensor]:
    """Return what images and captions are retrieved by."""
    with torch.no_grad():
        return model.encode_images(batch_of().images), model.encode_texts(CAPTIONS)


def same(one: tuple[Tensor, Tensor], two: tuple[Tensor, Tensor]) -> bool:
    """Tell whether features are equal, bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("row", ROWS, ids="/".join)
def test_retrieval_is_the_students_alone(row: tuple[str, str]) -> None:
    """Without the teacher and the classifiers features are the same bits, in every row."""
    model = method(**ROWS[row])
    before = features(model)
    unused = [model.teacher, model.classifiers, model.omni_classifier]
    if model.config.aggregation == "none":
        unused.append(model.student)
    for module in unused:
        for parameter in module.parameters():
            nn.init.constant_(parameter, math.nan)
    assert same(features(model), before)
    del model.teacher, model.classifiers, model.omni_classifier
    assert same(features(model), before)
    assert all(torch.isfinite(feature).all() for feature in before)


def test_with_aggregation_retrieval_is_by_the_unit_omni_feature() -> None:
    """v / |v| and e / |e| of parts that went through the student's aggregation."""
    model = lively(method(aggregation="separate"))
    found = features(model)
    with torch.no_grad():
        parts = (
            model.split_images(batch_of().images),
            model.split_texts(model.encoder.tokenize(CAPTIONS)),
        )
    for feature, part in zip(found, parts, strict=True):
        people = [{s: part[s][row].numpy() for s in COUNTS} for row in range(5)]
        close(feature, [unit(person) for person in whole(model.student, people)])


@pytest.mark.parametrize("label", ["Baseline", "+DA", "+MGE", "+MGE+DA"])
def test_without_aggregation_retrieval_is_by_unit_granularities(label: str) -> None:
    """Each granularity's parts as one vector of length one, granularities side by side."""
    model = lively(method(**ROWS["Table II", label]))
    found = features(model)
    with torch.no_grad():
        parts = (
            model.split_images(batch_of().images),
            model.split_texts(model.encoder.tokenize(CAPTIONS)),
        )
    for feature, part in zip(found, parts, strict=True):
        expected = [
            np.concatenate([unit(p[row].numpy().reshape(-1)) for p in part.values()])
            for row in range(5)
        ]
        close(feature, expected)
        close(feature.norm(dim=1), [math.sqrt(len(part))] * 5)


def test_only_training_changes_pixels_and_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step flips, crops, erases and masks by its own draws; retrieval takes all as it is."""
    model = method()
    given: dict[str, list[Tensor]] = {"encode_images": [], "encode_tokens": []}
    for name, calls in given.items():
        real = getattr(model.encoder, name)

        def record(tensor: Tensor, real: Any = real, calls: list[Tensor] = calls) -> Encoded:
            calls.append(tensor)
            return cast(Encoded, real(tensor))

        monkeypatch.setattr(model.encoder, name, record)
    batch = batch_of(300)
    words = model.encoder.tokenize(batch.captions)
    with torch.no_grad():
        run = Step({})
        model.training_losses(batch, cast(Run, run))
        model.encode_images(batch.images)
        model.encode_texts(batch.captions)
    assert len(run.purposes) == len(set(run.purposes)) == 2
    augmented, clean = given["encode_images"]
    assert torch.equal(clean, batch.images)
    mean = model.encoder.mean
    expected = augment(batch.images, Augmentation(), mean, Step().generator("augment"))
    assert torch.equal(augmented, expected)
    assert not torch.equal(augmented, clean)
    masked, untouched = given["encode_tokens"]
    assert torch.equal(untouched, words)
    v = model.encoder.vocabulary
    real_words = (words != v.start) & (words != v.end) & (words != v.pad)
    hidden = masked != words
    assert (masked[hidden] == v.mask).all()
    assert not (hidden & ~real_words).any()
    assert (hidden.sum() / real_words.sum()).item() == pytest.approx(0.15, abs=0.02)
    draws = {tuple(row.tolist()) for row in hidden[::5]}
    assert len(draws) > 10  # of one caption


# The rows of Tables II to V.


@dataclass(frozen=True)
class Row:
    """What a row changes, written out: fields, width retrieved by, calls of each aggregation."""

    changes: dict[str, Any]
    width: int
    student: int = 5
    teacher: int = 0


def ones(*names: str) -> dict[str, Any]:
    """Return losses of weight 1 as a row's change."""
    return {"losses": dict.fromkeys(names, 1.0)}


BARE = {"granularities": (1,), "aggregation": "none"}
EXPECTED = {
    ("Table II", "Baseline"): Row(BARE | ones("l_1"), WIDTH, 0),
    ("Table II", "+DA"): Row(BARE | ones("l_1", "l_h", "l_k"), WIDTH, 0),
    ("Table II", "+MGE"): Row({"aggregation": "none"} | ones("l_1", "l_2", "l_3"), 10 * WIDTH, 0),
    ("Table II", "+MGE+Student"): Row(ones("l_o", "l_1", "l_2", "l_3"), 3 * WIDTH, 2),
    ("Table II", "+MGE+DA"): Row(
        {"aggregation": "none"} | ones("l_1", "l_2", "l_3", "l_h", "l_k"), 10 * WIDTH, 0
    ),
    ("Table II", "OGEN"): Row({}, 3 * WIDTH),
    ("Table III", "no shared CGAM"): Row({"aggregation": "separate"}, 3 * WIDTH, 2, 3),
    ("Table III", "shared CGAM"): Row({}, 3 * WIDTH),
    ("Table IV", "3, 6"): Row({}, 3 * WIDTH),
    ("Table IV", "3, 8"): Row({"parts": (3, 8)}, 3 * WIDTH),
    ("Table IV", "4, 6"): Row({"parts": (4, 6)}, 3 * WIDTH),
    ("Table IV", "4, 8"): Row({"parts": (4, 8)}, 3 * WIDTH),
    ("Table V", "w/o L_k"): Row(ones("l_o", "l_1", "l_2", "l_3", "l_h"), 3 * WIDTH),
    ("Table V", "L_k(S)"): Row({"adapted": "student"}, 3 * WIDTH),
    ("Table V", "L_k(T)"): Row({}, 3 * WIDTH),
}


def test_the_tables_have_the_papers_rows() -> None:
    """Every row of Tables II to V, in the order of print, and no other."""
    assert list(ROWS) == list(EXPECTED)


@pytest.mark.parametrize("row", EXPECTED, ids="/".join)
def test_a_row_changes_what_it_says(row: tuple[str, str]) -> None:
    """Fields that differ from the paper's, losses, widths and parts are the row's, no others."""
    full, expected = OgenConfig(), EXPECTED[row]
    config = replace(full, **ROWS[row])
    different = {
        name: value for name, value in asdict(config).items() if value != asdict(full)[name]
    }
    assert different == expected.changes
    model = method(**ROWS[row])
    calls = Calls(model.student), Calls(model.teacher)
    found = step(model)
    assert found.keys() == config.losses.keys()
    assert [len(call.given) for call in calls] == [expected.student, expected.teacher]
    assert [feature.shape for feature in features(model)] == [(5, expected.width)] * 2
    counts = {s: {1: 1, 2: config.parts[0], 3: config.parts[1]}[s] for s in config.granularities}
    parts = (
        model.split_images(batch_of().images),
        model.split_texts(model.encoder.tokenize(CAPTIONS)),
    )
    for part in parts:
        assert {s: tuple(v.shape) for s, v in part.items()} == {
            s: (5, count, WIDTH) for s, count in counts.items()
        }


@pytest.mark.parametrize("row", EXPECTED, ids="/".join)
def test_a_loss_that_is_off_is_never_computed(row: tuple[str, str]) -> None:
    """Only the classifiers of losses that are on are asked, twice each."""
    model = method(**ROWS[row])
    heads = {"l_o": model.omni_classifier} | {f"l_{s}": model.classifiers[s] for s in "123"}
    calls = {name: Calls(head) for name, head in heads.items()}
    step(model)
    asked = {name: len(call.given) for name, call in calls.items()}
    assert asked == {name: 2 * (name in model.config.losses) for name in heads}


RESIZED = {("Table IV", label) for label in ("3, 8", "4, 6", "4, 8")}


@pytest.mark.parametrize("row", sorted(EXPECTED.keys() - RESIZED), ids="/".join)
def test_rows_of_one_seed_start_from_the_same_weights(row: tuple[str, str]) -> None:
    """Whatever a row of the same parts uses, it starts as the full method does."""
    full, state = method().state_dict(), method(**ROWS[row]).state_dict()
    assert state.keys() == full.keys()
    assert all(torch.equal(state[name], full[name]) for name in full)


def test_aggregation_without_its_granularities_is_refused() -> None:
    """The message says what aggregation needs and what to set."""
    with pytest.raises(ValueError, match="aggregation needs granularities"):
        method(granularities=(1,))


def test_networks_and_seeds_start_from_different_weights() -> None:
    """The teacher's own aggregation is no copy of the student's; another seed is another start."""
    one, two = method(), method(seed=1)
    assert not torch.equal(one.student.local_2.in_proj_weight, one.teacher.local_2.in_proj_weight)
    assert not torch.equal(one.student.local_2.in_proj_weight, one.student.local_3.in_proj_weight)
    assert not torch.equal(one.student.local_2.in_proj_weight, two.student.local_2.in_proj_weight)


def test_at_the_start_no_person_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both cross entropies of each granularity are those of an even guess."""
    model = taken_apart(method(margin=-9.0).double(), monkeypatch)
    for loss in step(model, list(STUDENT)).values():
        assert loss.item() == pytest.approx(2 * math.log(PEOPLE), abs=0.05)


def test_the_papers_settings() -> None:
    """What section IV-A prints of sizes, optimiser and masking."""
    config, recipe = OgenConfig(), Ogen.recipes["paper"]
    assert (config.width, config.heads, config.parts) == (768, 6, (3, 6))
    assert (config.granularities, config.aggregation) == ((1, 2, 3), "shared")
    assert (config.adapted, config.margin, config.masked_share) == ("teacher", 0.2, 0.15)
    assert (config.judged, config.text_heads) == ("parts", "weights")
    assert recipe.image_size == (384, 192)
    (stage,) = recipe.stages
    assert (stage.epochs, stage.batch_size, stage.optimizer) == (50, 64, "adam")
    assert (stage.learning_rate, stage.weight_decay, stage.losses) == (2e-4, 5e-4, None)


def test_erasing_is_with_the_encoders_own_mean(
    bert_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ViT that is normalised by 0.5, not by CLIP's mean, sees nothing where pixels are erased."""
    model = method(f"vit_tiny_patch16_224+{bert_folder}")
    assert torch.allclose(model.encoder.mean, torch.tensor(0.5 * 255))
    given: list[Tensor] = []
    encode = model.encoder.encode_images

    def record(pixels: Tensor) -> Encoded:
        given.append(pixels)
        return cast(Encoded, encode(pixels))

    monkeypatch.setattr(model.encoder, "encode_images", record)
    batch = batch_of(300)
    black = replace(batch, images=torch.zeros_like(batch.images))
    with torch.no_grad():
        model.training_losses(black, cast(Run, Step({})))
    assert set(given[0].unique().tolist()) == {0, 128}


# Learning rates.


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the configuration and the vocabulary of a small BERT."""
    folder = tmp_path_factory.mktemp("bert")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *{w for c in CAPTIONS for w in c.split()},
    ]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertConfig(
        vocab_size=len(words),
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("backbone", ["tiny-clip", "vit_tiny_patch16_224"])
def test_what_is_pretrained_learns_at_a_share_of_the_rate(backbone: str, bert_folder: Path) -> None:
    """Both towers at a tenth, all the rest, the Bi-GRU too, at the stage's; each weight once."""
    name = backbone if backbone == "tiny-clip" else f"{backbone}+{bert_folder}"
    model = method(name)
    stage = Stage(epochs=1, learning_rate=2e-4)
    optimizer = torch.optim.Adam(list(model.parameter_groups(stage)), lr=stage.learning_rate)
    rates: dict[int, list[float]] = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            rates.setdefault(id(parameter), []).append(group["lr"])
    trainable = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert len(rates) == len(trainable)
    towers = {
        id(p) for tower in (model.encoder.visual, model.encoder.text) for p in tower.parameters()
    }  # type: ignore[attr-defined]  # both kinds of encoder have them
    assert len(towers) > 10
    for name, parameter in trainable.items():
        expected = 2e-5 if id(parameter) in towers else 2e-4
        assert rates[id(parameter)] == [pytest.approx(expected)], name


def test_the_share_of_the_rate_is_the_configs() -> None:
    """`encoder_rate` 1 trains all alike."""
    groups = method(encoder_rate=1.0).parameter_groups(Stage(epochs=1, learning_rate=0.5))
    assert {group.get("lr", 0.5) for group in groups} == {0.5}


def test_a_step_with_a_vit_and_bert(bert_folder: Path) -> None:
    """Towers without a joint space, of 192 and 512 channels, learn by all six losses."""
    model = method(f"vit_tiny_patch16_224+{bert_folder}").train()
    found = step(model)
    assert found.keys() == ALL.keys()
    sum(found.values()).backward()
    encoder = cast(nn.Module, model.encoder)
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert 0 < parameter.grad.abs().sum() < math.inf, name
