import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
import torch
from torch import Tensor

from harness.method import Batch, Encoded, Run, TrainSet, TrainSummary
from methods.blocks import losses
from methods.dgia import Dgia, DgiaConfig, Pairs
from methods.irra import Irra

Vector = list[float]
Rows = list[list[float]]

TAU = 0.1  # not the paper's 0.02, at which most probabilities are 0 and would tell nothing
ALL = {"itc": 1.0, "rc_b": 1.0, "rc_g": 1.0, "rc_h": 1.0}
CAPTIONS = [
    "a man in a red jacket and blue jeans",
    "a woman wearing a green dress with a black bag",
    "a boy in shorts",
    "a man in a red jacket and black trousers, white sneakers",
    "a man in a red coat and blue trousers",
    "a girl with a yellow backpack and a white skirt",
    "a woman in a grey coat",
    "a man in a black hoodie, black trousers and black shoes",
    "a woman in a pink top and jeans",
    "a boy wearing a blue cap",
    "a man carrying a brown bag",
    "a woman with a black bag",
]
CAPTIONS_OF_IMAGE = [[5, 2], [0, 11], [7, 1], [3, 10], [4], [6, 9], [8]]
IMAGE_OF_CAPTION = [1, 2, 0, 3, 4, 0, 5, 2, 6, 5, 3, 1]


# The reference: loops over numbers.


def cosine(a: Vector, b: Vector) -> float:
    """Return the cosine of two vectors."""
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


def softmax(row: Vector) -> Vector:
    """Return the softmax of a row."""
    exponents = [math.exp(value - max(row)) for value in row]
    return [value / sum(exponents) for value in exponents]


def probabilities(rows: Rows, columns: Rows) -> Rows:
    """Return the softmax of cosine / tau of each row over all columns."""
    return [softmax([cosine(row, column) / TAU for column in columns]) for row in rows]


def contrast(rows: Rows, columns: Rows) -> float:
    """Return the mean of -log p of the own column."""
    p = probabilities(rows, columns)
    return -sum(math.log(p[i][i]) for i in range(len(rows))) / len(rows)


def divergence(rows: Rows, columns: Rows, target: Rows) -> float:
    """Return the mean over rows of sum_j p log(p / (q + 1e-8))."""
    total = 0.0
    for p_row, q_row in zip(probabilities(rows, columns), target, strict=True):
        for p, q in zip(p_row, q_row, strict=True):
            total += p * (math.log(p) - math.log(q + 1e-8)) if p > 0 else 0.0
    return total / len(rows)


def local_target(modalities: Sequence[Rows], threshold: float, match_weight: float) -> Rows:
    """Return q of equations 3 to 7, for pairs that have to be alike in each modality."""
    count, target = len(modalities[0]), []
    for i in range(count):
        exponents = []
        for j in range(count):
            match = all(cosine(rows[i], rows[j]) > threshold for rows in modalities)
            weight = 1.0 if i == j else match_weight
            exponents.append(math.exp(weight) if i == j or match else 0.0)
        target.append([value / sum(exponents) for value in exponents])
    return target


class Column(NamedTuple):
    """What a row is compared with: of which image, how it looks, and the feature compared."""

    image: int
    visual: Vector
    feature: Vector


@dataclass(frozen=True)
class Scene:
    """The features of a batch, and what the banks hold of 7 images and 12 captions."""

    images: Rows
    texts: Rows
    image_bank: Rows
    text_bank: Rows
    image_index: tuple[int, ...] = (2, 0, 1, 0)
    caption_index: tuple[int, ...] = (7, 5, 0, 2)

    def kin(self, nearest: int, threshold: float) -> list[list[int]]:
        """Return J of equation 12."""
        found = []
        for own, feature in zip(self.image_index, self.images, strict=True):
            others = [image for image in range(len(self.image_bank)) if image != own]
            scores = {image: cosine(feature, self.image_bank[image]) for image in others}
            top = sorted(others, key=lambda image: -scores[image])[:nearest]
            found.append(sorted(image for image in top if scores[image] > threshold))
        return found

    def image_columns(self, kin: list[list[int]]) -> list[Column]:
        """Return the images of the batch, then each related one that is not among them."""
        batch = zip(self.image_index, self.images, self.images, strict=True)
        stored = sorted({image for related in kin for image in related} - {*self.image_index})
        bank = self.image_bank
        return [*map(Column._make, batch), *(Column(i, bank[i], bank[i]) for i in stored)]

    def caption_columns(self, kin: list[list[int]]) -> list[Column]:
        """Return the captions of the batch, then every other caption of the image columns."""
        columns = [*map(Column._make, zip(self.image_index, self.images, self.texts, strict=True))]
        looks = {column.image: column.visual for column in reversed(self.image_columns(kin))}
        for image in sorted(looks):
            for caption in CAPTIONS_OF_IMAGE[image]:
                if caption not in self.caption_index:
                    columns.append(Column(image, looks[image], self.text_bank[caption]))
        return columns

    def weights(self, row: int, related: list[int], columns: list[Column]) -> dict[int, float]:
        """Return Q' of equations 13 and 14 by column, for the columns of J'."""
        own, anchor = self.image_index[row], self.images[row]
        kin = [j for j, column in enumerate(columns) if column.image in {own, *related}]
        total = sum(math.exp(cosine(anchor, columns[k].visual)) for k in kin)
        found = {}
        for j in kin:
            confidence = math.exp(cosine(anchor, columns[j].visual)) / total
            found[j] = 1.0 if columns[j].image == own else 1 - confidence
        return found

    def target(self, kin: list[list[int]], columns: list[Column]) -> Rows:
        """Return q' of equation 15."""
        target = []
        for row, related in enumerate(kin):
            weights = self.weights(row, related, columns)
            total = sum(math.exp(weight) for weight in weights.values())
            shares = {j: math.exp(weight) / total for j, weight in weights.items()}
            target.append([shares.get(j, 0.0) for j in range(len(columns))])
        return target

    def global_loss(self, kin: list[list[int]]) -> float:
        """Return L_rc_g of equations 16 to 18."""
        images, captions = self.image_columns(kin), self.caption_columns(kin)
        by_text = divergence(self.texts, [c.feature for c in images], self.target(kin, images))
        return by_text + divergence(
            self.images, [c.feature for c in captions], self.target(kin, captions)
        )


# Local relations. Images 0 and 1 lie exactly at the threshold 0.6; images 0 and 2 at 0.99. Pairs
# 0 and 1, 3 and 4 are alike by text alone, 1 and 2, 2 and 3 by image alone: rows of the matches
# have 2, 0, 1, 1, 0 others.
IMAGES: Rows = [[1, 0, 0], [3, 4, 0], [0.99, 0.141, 0], [0.71, -0.5, 0.496], [0, 0, 2]]
TEXTS: Rows = [[1, 0, 0], [0.9, 0.436, 0], [0.8, -0.6, 0], [1.42, 0, 1.408], [0.1, 0, 0.995]]
MATCHES = {(0, 2), (2, 0), (0, 3), (3, 0)}

# Global relations. Rows 1 and 3 are one image with two captions: stored image 3 is at 0.99, image
# 4 at 0.71, image 5 exactly at the threshold; image 1 is in the batch, too. Image 3 is shared with
# row 2. Row 0 has no kin; images 1 and 2 have captions that are not in the batch.
SCENE = Scene(
    images=[
        [0, 0, 1, 0],
        [2, 0, 0, 0],
        [math.cos(math.radians(30)), math.sin(math.radians(30)), 0, 0],
        [2, 0, 0, 0],
    ],
    texts=[
        [0, 0, 1, 0.2],
        [1, 0, 0, 0],
        [math.cos(math.radians(40)), math.sin(math.radians(40)), 0, 0],
        [0, 2, 0, 0.2],
    ],
    image_bank=[
        [0.9 * math.cos(math.radians(3)), 0.9 * math.sin(math.radians(3)), 0, 0],
        [math.cos(math.radians(36)), math.sin(math.radians(36)), 0, 0],
        [0.1, 0, 0.995, 0],
        [0.8 * math.cos(math.radians(8)), 0.8 * math.sin(math.radians(8)), 0, 0],
        [0.71, -0.7042, 0, 0],
        [0.7, 0, 0, math.sqrt(0.51)],
        [-0.5, 0.3, 0.3, 0.2],
    ],
    text_bank=[
        [math.cos(math.radians(44)), math.sin(math.radians(44)), 0, 0],
        [0.3, 0.2, 0.9, 0],
        [0.95, 0.3, 0, 0],
        [0.2, -0.5, 0.4, 0.7],
        [0, 0.9, 0.3, 0.2],
        [0.99, 0.05, 0, 0],
        [0.8, -0.1, 0, 0.5],
        [0.1, 0.1, 0.9, 0],
        [0, 0.1, 0.8, 0],
        [0.1, 0.1, 0.1, -0.9],
        [0.95, 0, 0.3, 0],
        [0.1, 0.2, 0.3, 0.9],
    ],
)
KIN = [[], [1, 3, 4], [0, 3], [1, 3, 4]]
KIN_BY_TEXT = [[6], [1, 3, 5], [0, 3], [4]]
KIN_BY_BOTH = [[], [1, 3], [0, 3], [4]]
IMAGE_COLUMNS = [2, 0, 1, 0, 3, 4]
CAPTION_COLUMNS = [7, 5, 0, 2, 11, 1, 3, 10, 4]


# The method, and what stands for the harness.


class Step:
    """Stands for a step of training: weights, generators, what was encoded and reported."""

    device = torch.device("cpu")

    def __init__(self, weights: dict[str, float] = ALL, encoded: Any = None) -> None:
        self.losses = weights
        self.encoded = encoded
        self.encodings = 0
        self.reported: dict[str, list[tuple[int, int]]] = {}

    def generator(self, purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(len(purpose))

    def spread(self, function: Callable[..., Any], *rows: Any) -> Any:
        return function(*rows)

    def encode(self, train: TrainSet) -> tuple[Encoded, Encoded]:
        self.encodings += 1
        images, texts = self.encoded
        return Encoded(images), Encoded(texts)

    def report_pairs(self, name: str, images: Tensor, captions: Tensor) -> None:
        self.reported[name] = sorted(zip(images.tolist(), captions.tolist(), strict=True))


class Matched(NamedTuple):
    """One direction of one loss: predictions (log p up to a constant), targets, the value."""

    logits: Rows
    target: Rows
    value: float
    target_learns: bool


@pytest.fixture
def matched(monkeypatch: pytest.MonkeyPatch) -> list[Matched]:
    """Record each call of the divergence that the method minimises."""
    calls: list[Matched] = []
    real = losses.distribution_matching

    def record(logits: Tensor, target: Tensor) -> Tensor:
        value = real(logits, target)
        learns = target.requires_grad
        calls.append(Matched(logits.tolist(), target.tolist(), value.item(), learns))
        return value

    monkeypatch.setattr(losses, "distribution_matching", record)
    return calls


def method(**changes: Any) -> Dgia:
    """Return the tiny method for 7 images and 12 captions."""
    torch.manual_seed(0)
    config = DgiaConfig(backbone="tiny-clip", image_size=(96, 32), temperature=TAU, **changes)
    return Dgia(config, TrainSummary(len(CAPTIONS_OF_IMAGE), CAPTIONS)).eval()


def features(rows: Rows, width: int = 64) -> Tensor:
    """Return rows as a tensor of the encoder's width, zeros behind."""
    return torch.tensor([row + [0.0] * (width - len(row)) for row in rows])


def batch_of(image_index: Sequence[int], caption_index: Sequence[int]) -> Batch:
    """Return a batch of random pixels."""
    generator = torch.Generator().manual_seed(1)
    shape = len(image_index), 3, 96, 32
    pixels = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    captions = [CAPTIONS[index] for index in caption_index]
    return Batch(pixels, captions, torch.tensor(image_index), torch.tensor(caption_index))


def local_pairs(dgia: Dgia, images: Rows = IMAGES, texts: Rows = TEXTS) -> Pairs:
    """Return five encoded pairs, of which 0 and 2 are of one image."""
    batch = batch_of((4, 1, 4, 6, 3), (4, 0, 9, 8, 10))
    words = dgia.encoder.tokenize(batch.captions)
    return Pairs(features(images), features(texts), words, batch, cast(Run, Step()))


def train_set() -> TrainSet:
    """Return the numbering of the training set."""
    return cast(
        TrainSet,
        SimpleNamespace(
            captions=CAPTIONS,
            image_of_caption=torch.tensor(IMAGE_OF_CAPTION),
            captions_of_image=CAPTIONS_OF_IMAGE,
        ),
    )


def global_pairs(dgia: Dgia, scene: Scene = SCENE) -> Pairs:
    """Give a method the banks of a scene, lengths included, and return the encoded batch."""
    stored = features(scene.image_bank), features(scene.text_bank)
    run = Step(encoded=stored)
    dgia.prepare(train_set(), cast(Run, run))
    for bank, values in zip((dgia.image_bank, dgia.text_bank), stored, strict=True):
        bank.features.copy_(values)
        bank.lengths.copy_(torch.tensor([math.hypot(*row) for row in values.double().tolist()]))
    batch = batch_of(scene.image_index, scene.caption_index)
    words = dgia.encoder.tokenize(batch.captions)
    return Pairs(features(scene.images), features(scene.texts), words, batch, cast(Run, run))


def close(found: Any, expected: Any, rtol: float = 1e-5) -> None:
    """Hold numbers, or rows of them, against the reference."""
    both = [torch.as_tensor(values, dtype=torch.float64) for values in (found, expected)]
    torch.testing.assert_close(*both, rtol=rtol, atol=1e-7)


def weights_of(target: Rows, row: int, own: int) -> dict[int, float]:
    """Return the Q that a row softmax was taken of, from its own column's weight 1."""
    shares = {j: share for j, share in enumerate(target[row]) if share > 0}
    return {j: 1 + math.log(share / shares[own]) for j, share in shares.items()}


def mined(dgia: Dgia, x: Pairs) -> list[list[int]]:
    """Return which stored images each row is related to."""
    return [row.nonzero()[:, 0].tolist() for row in dgia.mine(x)[0]]


# Equations 1 to 10: contrast and local relations.


def test_equations_1_and_2_contrast_is_the_sum_of_both_directions() -> None:
    """Text against images plus image against texts, each a mean over the rows."""
    dgia = method()
    found = dgia.contrast(local_pairs(dgia))
    by_text, by_image = contrast(TEXTS, IMAGES), contrast(IMAGES, TEXTS)
    assert abs(by_text - by_image) > 0.01
    close(found.item(), by_text + by_image)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_equation_3_a_similarity_counts_above_the_threshold(modality: str) -> None:
    """Each modality's own similarity is strictly above th: 0.6 is not above 0.6."""
    dgia = method(threshold=0.6, local_modalities=(modality,))
    other = [[0.0, 1.0, 0.0]] * 5  # all alike
    x = local_pairs(dgia, **{"images": other, "texts": other, f"{modality}s": IMAGES})
    similarity = losses.cosine(x.of(modality), x.of(modality))
    assert similarity[0, 1] == torch.tensor(0.6)  # the tie is exact in single precision
    expected = [[cosine(a, b) > 0.6 for b in IMAGES] for a in IMAGES]
    assert expected[0] == [True, False, True, True, False]
    assert dgia.local_matches(x).tolist() == expected


def test_equation_4_both_modalities_have_to_agree() -> None:
    """A match is the product of the modalities' matches; rows have unequal numbers of them."""
    dgia = method(threshold=0.6)
    expected = [[0.0] * 5 for _ in range(5)]
    for i in range(5):
        for j in range(5):
            visual = 1 if cosine(IMAGES[i], IMAGES[j]) > 0.6 else 0
            expected[i][j] = visual * (1 if cosine(TEXTS[i], TEXTS[j]) > 0.6 else 0)
    assert [sum(row) for row in expected] == [3, 1, 2, 2, 1]
    assert dgia.local_matches(local_pairs(dgia)).tolist() == expected


def test_equation_5_matches_weigh_lambda_and_own_pairs_one(matched: list[Matched]) -> None:
    """Q = I + lambda (M - I)."""
    dgia = method(threshold=0.6, match_weight=0.3)
    dgia.local_relations(local_pairs(dgia))
    for i in range(5):
        for j, weight in weights_of(matched[0].target, i, own=i).items():
            match = 1.0 if i == j or (i, j) in MATCHES else 0.0
            own = 1.0 if i == j else 0.0
            assert weight == pytest.approx(own + 0.3 * (match - own), abs=1e-5)


def test_equation_6_what_does_not_match_gets_no_share(matched: list[Matched]) -> None:
    """A zero of Q becomes -inf, so that its share is 0, not exp(0)."""
    dgia = method(threshold=0.6)
    dgia.local_relations(local_pairs(dgia))
    for i, row in enumerate(matched[0].target):
        assert [j for j in range(5) if row[j] == 0] == [
            j for j in range(5) if i != j and (i, j) not in MATCHES
        ]


def test_equation_7_targets_are_row_softmaxes_of_q(matched: list[Matched]) -> None:
    """exp(Q) over the sum of a row's exp(Q), in rows of three, one, two, two and one."""
    dgia = method(threshold=0.6)
    dgia.local_relations(local_pairs(dgia))
    close(matched[0].target, local_target((IMAGES, TEXTS), 0.6, 0.5))


def test_equation_8_predictions_are_softmaxes_over_the_batch(matched: list[Matched]) -> None:
    """Image i against text j, over all texts of the batch; tau is 0.02 unless changed."""
    assert DgiaConfig().temperature == 0.02
    dgia = method(threshold=0.6)
    dgia.local_relations(local_pairs(dgia))
    found = [softmax(row) for row in matched[0].logits]
    close(found, probabilities(IMAGES, TEXTS), rtol=1e-4)


def test_equation_9_the_divergence_runs_from_predictions_to_targets(
    matched: list[Matched],
) -> None:
    """The mean over rows of sum_j p log(p / (q + 1e-8)), where many a q is 0."""
    dgia = method(threshold=0.6)
    dgia.local_relations(local_pairs(dgia))
    target = local_target((IMAGES, TEXTS), 0.6, 0.5)
    close(matched[0].value, divergence(IMAGES, TEXTS, target))


def test_equation_10_local_loss_is_the_sum_of_both_directions() -> None:
    """Image-to-text plus text-to-image, both against the rows' own targets."""
    dgia = method(threshold=0.6)
    found = dgia.local_relations(local_pairs(dgia))
    target = local_target((IMAGES, TEXTS), 0.6, 0.5)
    by_image, by_text = divergence(IMAGES, TEXTS, target), divergence(TEXTS, IMAGES, target)
    assert abs(by_image - by_text) > 0.01
    close(found.item(), by_image + by_text)


# Equations 11 to 18: banks and global relations.


def test_equation_11_the_banks_are_moving_averages() -> None:
    """alpha new + (1 - alpha) stored, of features of unit length, in both banks."""
    dgia = method(new_share=0.7)
    seen = replace(SCENE, images=[*SCENE.images[:3], [0.0, 0.0, 3.0, 4.0]])
    x = global_pairs(dgia, seen)
    dgia.global_relations(x)
    dgia.after_step(x.batch, x.run)
    images, texts = [*seen.image_bank], [*seen.text_bank]
    for index, new in (
        (2, [0, 0, 1, 0]),
        (0, [0.5, 0, 0.3, 0.4]),  # the mean of rows 1 and 3, both of image 0
        (1, seen.images[2]),
    ):
        images[index] = [0.7 * a + 0.3 * b for a, b in zip(new, images[index], strict=True)]
    for caption, new in zip(seen.caption_index, seen.texts, strict=True):
        unit = [value / math.hypot(*new) for value in new]
        texts[caption] = [0.7 * a + 0.3 * b for a, b in zip(unit, texts[caption], strict=True)]
    close(dgia.image_bank.features, features(images))
    close(dgia.text_bank.features, features(texts))


@pytest.mark.parametrize("nearest", [1, 2, 3, 10])
def test_equation_12_the_nearest_above_the_threshold_are_kin(nearest: int) -> None:
    """The top k of the other images, then those above th; image 5 lies exactly at th."""
    dgia = method(nearest=nearest)
    x = global_pairs(dgia)
    assert dgia.image_bank.similarity(x.image)[1, 5] == torch.tensor(0.7)
    assert mined(dgia, x) == SCENE.kin(nearest, 0.7)
    assert nearest < 10 or mined(dgia, x) == KIN


def test_equation_13_what_shares_a_rows_identity(matched: list[Matched]) -> None:
    """Columns of the own image weigh 1, those of J have a share, all others none."""
    dgia = method()
    dgia.global_relations(global_pairs(dgia))
    target = matched[0].target
    for row, (own, related) in enumerate(zip(SCENE.image_index, KIN, strict=True)):
        shared = [image == own or image in related for image in IMAGE_COLUMNS]
        assert [share > 0 for share in target[row]] == shared
        weights = weights_of(target, row, own=row)
        ones = [j for j in weights if weights[j] == pytest.approx(1, abs=1e-5)]
        assert ones == [j for j, image in enumerate(IMAGE_COLUMNS) if image == own]


def test_equation_14_weights_fall_as_similarity_rises(matched: list[Matched]) -> None:
    """1 - softmax of visual similarities over J', the own columns in the sum."""
    dgia = method()
    dgia.global_relations(global_pairs(dgia))
    columns = SCENE.image_columns(KIN)
    for row in range(4):
        found = weights_of(matched[0].target, row, own=row)
        expected = SCENE.weights(row, KIN[row], columns)
        assert found == pytest.approx(expected, abs=1e-5)
    weights = SCENE.weights(1, KIN[1], columns)
    assert weights[4] < weights[2] < weights[5] < weights[1] == 1  # at 0.99, 0.87, 0.71, the own


def test_equation_15_targets_are_softmaxes_over_related_columns(matched: list[Matched]) -> None:
    """exp(Q') over the sum of exp(Q') over J'."""
    dgia = method()
    dgia.global_relations(global_pairs(dgia))
    close(matched[0].target, SCENE.target(KIN, SCENE.image_columns(KIN)))


def test_equation_16_predictions_are_softmaxes_over_all_columns(matched: list[Matched]) -> None:
    """Text i against the batch's images and every stored one that any row relates to."""
    dgia = method()
    dgia.global_relations(global_pairs(dgia))
    columns = SCENE.image_columns(KIN)
    assert [column.image for column in columns] == IMAGE_COLUMNS
    found = [softmax(row) for row in matched[0].logits]
    close(found, probabilities(SCENE.texts, [c.feature for c in columns]), rtol=1e-4)


def test_equation_17_text_to_image_divergence(matched: list[Matched]) -> None:
    """The mean over the B texts of the sum over the B_1 images."""
    dgia = method()
    dgia.global_relations(global_pairs(dgia))
    columns = SCENE.image_columns(KIN)
    target = SCENE.target(KIN, columns)
    close(matched[0].value, divergence(SCENE.texts, [c.feature for c in columns], target))


def test_equation_18_the_mirror_is_added(matched: list[Matched]) -> None:
    """Image i against the captions of the same images, weighed by looks."""
    dgia = method()
    found = dgia.global_relations(global_pairs(dgia))
    columns = SCENE.caption_columns(KIN)
    close(matched[1].target, SCENE.target(KIN, columns))
    predictions = probabilities(SCENE.images, [c.feature for c in columns])
    close([softmax(row) for row in matched[1].logits], predictions, rtol=1e-4)
    close(found.item(), SCENE.global_loss(KIN))


# Equations 19 to 22: information-asymmetric pairs, the total.


class Encodings:
    """What an encoder was given, and the embeddings that it returned."""

    def __init__(self, dgia: Dgia, monkeypatch: pytest.MonkeyPatch) -> None:
        self.images: list[tuple[Tensor, Tensor]] = []
        self.words: list[tuple[Tensor, Tensor]] = []
        for name, calls in (("encode_images", self.images), ("encode_tokens", self.words)):
            real = getattr(dgia.encoder, name)
            monkeypatch.setattr(dgia.encoder, name, self.recorder(real, calls))

    @staticmethod
    def recorder(real: Any, calls: list[tuple[Tensor, Tensor]]) -> Any:
        """Return a function that notes what `real` is given and returns."""

        def record(given: Tensor) -> Encoded:
            encoded = cast(Encoded, real(given))
            calls.append((given, encoded.embedding))
            return encoded

        return record


def placements(image: Tensor) -> list[tuple[tuple[bool, int, int], Tensor]]:
    """Return an image flipped or not, moved by up to two pixels within a black border."""
    found = []
    for flip in (False, True):
        padded = torch.zeros(3, 100, 36, dtype=torch.uint8)
        padded[:, 2:98, 2:34] = image.flip(-1) if flip else image
        for top in range(5):
            for left in range(5):
                window = padded[:, top : top + 96, left : left + 32]
                found.append(((flip, top, left), window))
    return found


def is_erased(changed: list[list[bool]]) -> bool:
    """Return whether the changed pixels, if any, fill one rectangle."""
    rows = [y for y, row in enumerate(changed) if any(row)]
    columns = [x for x in range(32) if any(row[x] for row in changed)]
    count = sum(sum(row) for row in changed)
    area = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1) if rows else 0
    return count == area


def test_equation_19_images_are_flipped_padded_cropped_and_erased(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is a placement of its own picture but for one rectangle; every change occurs."""
    dgia = method()
    x = global_pairs(dgia)
    batch = batch_of(range(7), range(7))
    x = replace(x, image=torch.randn(7, 64), text=torch.randn(7, 64), batch=batch)
    x = replace(x, words=dgia.encoder.tokenize(batch.captions))
    given = Encodings(dgia, monkeypatch)
    dgia.asymmetric_pairs(x)
    placed, erased = set(), 0
    for before, after in zip(batch.images, given.images[0][0], strict=True):
        changes = {where: (image != after).any(dim=0) for where, image in placements(before)}
        where = min(changes, key=lambda where: int(changes[where].sum()))
        assert is_erased(changes[where].tolist())
        placed.add(where)
        erased += bool(changes[where].any())
    assert {flip for flip, _, _ in placed} == {False, True}
    assert len({(top, left) for _, top, left in placed}) > 3
    assert 0 < erased < 7


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_equation_20_words_are_masked(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word stays or becomes the mask token; start, end and padding stay."""
    dgia = method(masked_share=share)
    batch = batch_of([0] * 11, range(11))
    words = dgia.encoder.tokenize(batch.captions)
    run = cast(Run, Step())
    given = Encodings(dgia, monkeypatch)
    dgia.asymmetric_pairs(Pairs(torch.randn(11, 64), torch.randn(11, 64), words, batch, run))
    masked = count = 0
    vocabulary = dgia.encoder.vocabulary
    for before, after in zip(words.tolist(), given.words[0][0].tolist(), strict=True):
        end = before.index(vocabulary.end)
        assert after[0] == before[0]
        assert after[end:] == before[end:]
        for old, new in zip(before[1:end], after[1:end], strict=True):
            assert new in (old, vocabulary.mask)
            masked += new == vocabulary.mask
            count += 1
    assert masked / count == pytest.approx(share, abs=0.12)


def test_equation_21_clean_pairs_label_the_asymmetric_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Targets from the clean features, predictions from the changed ones, both directions."""
    dgia = method(threshold=0.6)
    given = Encodings(dgia, monkeypatch)
    found = dgia.asymmetric_pairs(local_pairs(dgia))
    images, texts = given.images[0][1].tolist(), given.words[0][1].tolist()
    target = local_target((IMAGES, TEXTS), 0.6, 0.5)
    assert target != local_target((images, texts), 0.6, 0.5)
    expected = divergence(images, texts, target) + divergence(texts, images, target)
    close(found.item(), expected)


def colourful(count: int) -> Tensor:
    """Return images of coloured blocks, which the encoder tells apart."""
    generator = torch.Generator().manual_seed(3)
    tint = torch.randint(0, 128, (count, 3, 1, 1), generator=generator)
    blocks = torch.randint(0, 128, (count, 3, 6, 2), generator=generator)
    blocks = blocks.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    return (tint + blocks).to(torch.uint8)  # (count, 3, 96, 32)


def real_step(**changes: Any) -> tuple[Dgia, Batch, Step]:
    """Return the method in double precision with banks filled, and a batch of real features.

    At these settings some pairs match and some do not, and no similarity is near the threshold.
    """
    dgia = method(threshold=0.45, nearest=2, **changes).double()
    images = colourful(7)
    with torch.no_grad():
        encoded = dgia.encode_images(images).embedding, dgia.encode_texts(CAPTIONS).embedding
    run = Step(encoded=encoded)
    dgia.prepare(train_set(), cast(Run, run))
    index, captions = torch.tensor([3, 1, 4, 2, 3]), [3, 0, 4, 7, 10]
    words = [CAPTIONS[caption] for caption in captions]
    return dgia, Batch(images[index], words, index, torch.tensor(captions)), run


def test_equation_22_the_total_is_the_sum_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """From pixels and words to four losses of weight 1, each as its own loops have it."""
    dgia, batch, run = real_step()
    given = Encodings(dgia, monkeypatch)
    found = dgia.training_losses(batch, cast(Run, run))
    images, poor_images = (embedding.tolist() for _, embedding in given.images)
    texts, poor_texts = (embedding.tolist() for _, embedding in given.words)
    scene = Scene(
        images,
        texts,
        dgia.image_bank.features.tolist(),
        dgia.text_bank.features.tolist(),
        tuple(batch.image_index.tolist()),
        tuple(batch.caption_index.tolist()),
    )
    target = local_target((images, texts), 0.45, 0.5)
    assert len({sum(share > 0 for share in row) for row in target}) > 1
    expected = {
        "itc": contrast(texts, images) + contrast(images, texts),
        "rc_b": divergence(images, texts, target) + divergence(texts, images, target),
        "rc_g": scene.global_loss(scene.kin(2, 0.45)),
        "rc_h": divergence(poor_images, poor_texts, target)
        + divergence(poor_texts, poor_images, target),
    }
    assert dict(dgia.config.losses) == ALL
    close([found[name].item() for name in ALL], list(expected.values()), rtol=1e-6)
    close(sum(loss.item() for loss in found.values()), sum(expected.values()), rtol=1e-6)


@torch.no_grad()
def central_difference(total: Callable[[], Tensor], weight: Tensor, way: Tensor) -> float:
    """Return the slope of a total along one direction of a weight."""
    start, step, sides = weight.clone(), 1e-5, []
    for sign in (1, -1):
        weight.copy_(start + sign * step * way)
        sides.append(total().item())
    weight.copy_(start)
    return (sides[0] - sides[1]) / (2 * step)


@pytest.mark.parametrize(
    "name", ["visual.proj", "visual.conv1.weight", "text.text_projection", "text.ln_final.bias"]
)
def test_gradients_are_those_of_the_losses_with_targets_held_fixed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Autograd's slope of the total is that of central differences where predictions alone move."""
    dgia, batch, run = real_step()

    def total() -> Tensor:
        return torch.stack(list(dgia.training_losses(batch, cast(Run, run)).values())).sum()

    weight = dict(dgia.encoder.named_parameters())[name]
    gradient = torch.autograd.grad(total(), weight)[0]
    clean = {
        "image": dgia.encode_images(batch.images).embedding.detach(),
        "text": dgia.encode_texts(batch.captions).embedding.detach(),
    }
    monkeypatch.setattr(Pairs, "of", lambda self, modality: clean[modality])
    for seed in range(2):
        torch.manual_seed(seed)
        way = torch.randn_like(weight)
        way = way / way.norm()
        slope = (gradient * way).sum().item()
        assert abs(slope) > 0.01
        assert slope == pytest.approx(central_difference(total, weight, way), rel=1e-4)


# What is read otherwise than printed, or left open in print.


def test_a_step_draws_on_unequal_relations_clear_of_the_threshold() -> None:
    """The tests on real features see rows with and without kin, none within 0.001 of th."""
    dgia, batch, _ = real_step()
    with torch.no_grad():
        images = dgia.encode_images(batch.images).embedding
        texts = dgia.encode_texts(batch.captions).embedding
    for values in (
        losses.cosine(images, images),
        losses.cosine(texts, texts),
        dgia.image_bank.similarity(images),
    ):
        assert ((values - 0.45).abs() > 1e-3).all()
        assert 0 < int((values > 0.45).sum()) < values.numel()


def test_a_target_is_a_softmax_not_a_division(matched: list[Matched]) -> None:
    """One match at lambda 0.5 makes 0.622 and 0.378, not 0.667 and 0.333."""
    dgia = method(threshold=0.6)
    dgia.local_relations(local_pairs(dgia))
    assert matched[0].target[2] == pytest.approx([0.378, 0, 0.622, 0, 0], abs=1e-3)


def test_both_directions_take_row_softmaxes(matched: list[Matched]) -> None:
    """Q is symmetric, its softmax is not: no direction gets the transposed target."""
    dgia = method(threshold=0.6)
    dgia.local_relations(local_pairs(dgia))
    assert matched[0].target == matched[1].target
    assert [sum(row) for row in matched[1].target] == pytest.approx([1.0] * 5)
    assert sum(row[0] for row in matched[1].target) != pytest.approx(1.0, abs=0.1)


def test_the_banks_are_filled_by_one_encoding_pass() -> None:
    """Unit features, images by image and captions by caption; nothing where rc_g is off."""
    dgia = method()
    images, texts = torch.randn(7, 64), torch.randn(12, 64)
    for weights, passes in (({"itc": 1.0, "rc_b": 1.0, "rc_h": 1.0}, 0), ({"rc_g": 1.0}, 1)):
        run = Step(weights, encoded=(images, texts))
        dgia.prepare(train_set(), cast(Run, run))
        assert run.encodings == passes
    for bank, rows in ((dgia.image_bank, images), (dgia.text_bank, texts)):
        units = [[value / math.hypot(*row) for value in row] for row in rows.tolist()]
        close(bank.features, units)


def test_a_batch_is_mined_before_the_banks_take_it_up() -> None:
    """The loss leaves the banks as they are; after the step they change, once."""
    dgia = method()
    x = global_pairs(dgia)
    filled = dgia.image_bank.features.clone()
    dgia.global_relations(x)
    assert torch.equal(dgia.image_bank.features, filled)
    dgia.after_step(x.batch, x.run)
    blended = dgia.image_bank.features.clone()
    assert not torch.equal(blended, filled)
    dgia.after_step(x.batch, x.run)
    assert torch.equal(dgia.image_bank.features, blended)


def test_the_own_image_takes_no_place_among_the_nearest() -> None:
    """With k = 1 a row finds another image, though its own is the most similar."""
    dgia = method(nearest=1)
    x = global_pairs(dgia)
    assert int(dgia.image_bank.similarity(x.image)[2].argmax()) == 1  # row 2 is of image 1
    assert mined(dgia, x) == [[], [3], [3], [3]]


def test_the_second_caption_of_an_image_is_no_negative(matched: list[Matched]) -> None:
    """Rows 1 and 3 are of one image: each is as right for the other as for itself."""
    dgia = method()
    dgia.global_relations(global_pairs(dgia))
    for call in matched:
        for row in (1, 3):
            assert call.target[row][1] == call.target[row][3] == max(call.target[row])


def test_columns_are_not_repeated(matched: list[Matched]) -> None:
    """What rows share appears once, and what is in the batch is not taken from the bank."""
    dgia = method()
    dgia.global_relations(global_pairs(dgia))
    images, captions = SCENE.image_columns(KIN), SCENE.caption_columns(KIN)
    assert KIN[1][1] == KIN[2][1] == 3
    assert KIN[1][0] in SCENE.image_index
    assert {len(row) for row in matched[0].logits} == {len(images)} == {4 + 2}
    assert {len(row) for row in matched[1].logits} == {len(captions)} == {4 + 5}


def test_confidence_goes_by_what_a_column_is(matched: list[Matched]) -> None:
    """A column of the batch is weighed by its new feature, a column of the bank by its stored."""
    dgia = method()
    moved = [0.8, 0.5, 0.3, 0.1]
    for image in (None, 1, 3):  # as it is, an image of the batch moved, one of the bank moved
        bank = [moved if i == image else row for i, row in enumerate(SCENE.image_bank)]
        x = global_pairs(dgia, replace(SCENE, image_bank=bank))
        dgia.global_relations(x)
        assert mined(dgia, x)[1] == KIN[1]
    first, second, third = (weights_of(call.target, 1, own=1) for call in matched[::2])
    assert second == first
    assert third[4] > first[4] + 0.01


def test_an_image_of_the_batch_is_kin_by_what_the_bank_holds(matched: list[Matched]) -> None:
    """Image 1 looks like row 1 in the batch; where its stored feature does not, it is no kin."""
    dgia = method()
    bank = [[0.0, 1.0, 0.0, 0.0] if i == 1 else row for i, row in enumerate(SCENE.image_bank)]
    x = global_pairs(dgia, replace(SCENE, image_bank=bank))
    dgia.global_relations(x)
    assert losses.cosine(x.image, x.image)[1, 2] > 0.7
    assert mined(dgia, x)[1] == [3, 4]
    assert matched[0].target[1][2] == 0


def test_what_others_relate_to_is_a_negative(matched: list[Matched]) -> None:
    """Row 0 has no kin, and the kin of others among its columns, with shares of p but not of q."""
    dgia = method()
    dgia.global_relations(global_pairs(dgia))
    assert matched[0].target[0] == pytest.approx([1, 0, 0, 0, 0, 0])
    assert len(matched[0].logits[0]) == 6


def test_the_mirror_holds_captions_outside_the_batch(matched: list[Matched]) -> None:
    """Row 0 has two captions of its own, of which the bank holds one: half each."""
    dgia = method()
    dgia.global_relations(global_pairs(dgia))
    target = matched[1].target
    own_column, stored_column = CAPTION_COLUMNS.index(7), CAPTION_COLUMNS.index(1)
    expected = [0.0] * len(CAPTION_COLUMNS)
    expected[own_column] = expected[stored_column] = 0.5
    assert target[0] == pytest.approx(expected)
    for row, (own, related) in enumerate(zip(SCENE.image_index, KIN, strict=True)):
        described = [IMAGE_OF_CAPTION[caption] for caption in CAPTION_COLUMNS]
        shared = [image == own or image in related for image in described]
        assert [share > 0 for share in target[row]] == shared


def test_the_mirror_goes_by_looks(matched: list[Matched]) -> None:
    """Other texts change what is predicted from images, not what is aimed at."""
    dgia = method()
    x = global_pairs(dgia)
    dgia.global_relations(x)
    dgia.text_bank.features.copy_(dgia.text_bank.features.flip(0))
    dgia.global_relations(replace(x, text=x.text.flip(0)))
    assert matched[3].target == matched[1].target
    assert matched[3].logits != matched[1].logits


def test_relations_by_text_alone(matched: list[Matched]) -> None:
    """GSRC-T: a stored image is as near as its nearest caption, and confidence goes by that."""
    dgia = method(**Dgia.ablations["Table 6"]["BFE+GSRC-T"])
    x = global_pairs(dgia)
    dgia.global_relations(x)
    assert mined(dgia, x) == KIN_BY_TEXT
    anchor, bank = SCENE.texts[1], SCENE.text_bank
    likeness = {  # by column: the batch's texts 1 to 3, then stored images 3, (4,) 5 and (6)
        1: cosine(anchor, SCENE.texts[1]),
        2: cosine(anchor, SCENE.texts[2]),
        3: cosine(anchor, SCENE.texts[3]),
        4: max(cosine(anchor, bank[3]), cosine(anchor, bank[10])),
        6: max(cosine(anchor, bank[6]), cosine(anchor, bank[9])),
    }
    shares = softmax(list(likeness.values()))
    expected = {j: 1 - share for j, share in zip(likeness, shares, strict=True)}
    found = weights_of(matched[0].target, 1, own=1)
    assert found == pytest.approx(expected | {1: 1.0, 3: 1.0}, abs=1e-5)


def test_relations_on_which_both_modalities_agree(matched: list[Matched]) -> None:
    """GSRC-IT: what is kin by looks and by text, weighed by looks."""
    dgia = method(**Dgia.ablations["Table 6"]["BFE+GSRC-IT"])
    x = global_pairs(dgia)
    dgia.global_relations(x)
    assert mined(dgia, x) == KIN_BY_BOTH
    close(matched[0].target, SCENE.target(KIN_BY_BOTH, SCENE.image_columns(KIN_BY_BOTH)))


@pytest.mark.parametrize(
    ("label", "matches"),
    [
        ("B+LRCI", MATCHES | {(1, 2), (2, 1), (2, 3), (3, 2)}),
        ("B+LRCT", MATCHES | {(0, 1), (1, 0), (1, 3), (3, 1), (3, 4), (4, 3)}),
        ("B+LRC", MATCHES),
    ],
)
def test_local_relations_of_table_5(label: str, matches: set[tuple[int, int]]) -> None:
    """Image information alone, text information alone, or both."""
    dgia = method(threshold=0.6, **Dgia.ablations["Table 5"][label])
    found = {(i, j) for i, j in dgia.local_matches(local_pairs(dgia)).nonzero().tolist() if i != j}
    assert found == matches


def test_no_target_learns(matched: list[Matched]) -> None:
    """Relations steer every loss from detached features; the banks learn nothing either."""
    dgia, batch, run = real_step()
    found = dgia.training_losses(batch, cast(Run, run))
    assert len(matched) == 6
    assert not any(call.target_learns for call in matched)
    assert all(loss.requires_grad for loss in found.values())
    assert not dgia.image_bank.features.requires_grad


def test_only_the_asymmetric_pairs_are_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other losses see pixels and words as they are, and need no second encoding."""
    dgia, batch, run = real_step()
    given = Encodings(dgia, monkeypatch)
    for names in (("itc", "rc_b", "rc_g"), ("rc_h",)):
        run.losses = dict.fromkeys(names, 1.0)
        dgia.training_losses(batch, cast(Run, run))
    words = dgia.encoder.tokenize(batch.captions)
    assert [torch.equal(images, batch.images) for images, _ in given.images] == [True, True, False]
    assert [torch.equal(tokens, words) for tokens, _ in given.words] == [True, True, False]


def test_mined_pairs_are_reported() -> None:
    """As image and caption, in the batch and over the banks; a row's own image is not news."""
    dgia = method(threshold=0.6)
    x = local_pairs(dgia)
    dgia.local_relations(x)
    run = cast(Step, x.run)
    # Rows 0 and 2 match, too, but are of one image.
    assert run.reported == {"local": [(4, 8), (6, 4)]}
    dgia = method()
    x = global_pairs(dgia)
    dgia.global_relations(x)
    expected = [(1, 5), (3, 5), (4, 5), (0, 0), (3, 0), (1, 2), (3, 2), (4, 2)]
    assert cast(Step, x.run).reported == {"global": sorted(expected)}


def test_the_recipe_is_the_papers_and_the_solver_irras() -> None:
    """Section 4.2 prints 40 epochs from 1e-6 to 1e-5 and down a cosine; IRRA's code the rest."""
    recipe, config = Dgia.recipes["paper"], DgiaConfig()
    (stage,) = recipe.stages
    assert recipe.image_size == (384, 128)
    assert (stage.epochs, stage.batch_size, stage.learning_rate) == (40, 64, 1e-5)
    assert (stage.warmup_epochs, stage.warmup_start, stage.schedule) == (5, 0.1, "cosine")
    assert (config.temperature, config.threshold, config.masked_share) == (0.02, 0.7, 0.5)
    (irras,) = Irra.recipes["paper"].stages
    assert (stage.optimizer, stage.betas, stage.eps) == ("adam", irras.betas, irras.eps)
    assert (stage.weight_decay, stage.undecayed) == (irras.weight_decay, irras.undecayed)
