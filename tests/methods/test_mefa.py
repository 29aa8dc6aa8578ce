import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness import plan, registry
from harness.method import (
    Batch,
    Encoded,
    NegativeCaption,
    Run,
    Supervision,
    TrainSet,
    TrainSummary,
)
from harness.registry.description import describe
from harness.training.optimization import build_optimizer, build_schedule
from methods import mefa
from methods.blocks.dual_encoder import DualEncoder
from methods.mefa import (
    Local,
    Mefa,
    MefaConfig,
    Pairs,
    Refinement,
    discriminative_contrast,
    interaction_weights,
    intra_modal_contrast,
    middling_words,
    nearest_others,
    normalised_contrast,
    separation,
)

from .blocks.small_siglip import BREADTH, HEIGHT, save_words, small_siglip

Array = NDArray[np.float64]

ALL = ("itc", "imr_t", "imr_v", "cmr", "dcc")
PERSON_OF_IMAGE = [0, 0, 1, 1, 2, 2]
TRAIN_CAPTIONS = [
    "a woman wearing a green dress",
    "a girl with a yellow backpack",
    "a boy in shorts",
    "a man in a red jacket and long blue jeans",
    "a lady in a coat",
    "she is running",
]
# The batch: where its images and captions stand in the training set, one person twice.
IMAGES, ORDER = [5, 0, 4, 2], [3, 0, 5, 1]
PEOPLE = [PERSON_OF_IMAGE[image] for image in IMAGES]
CAPTIONS = [TRAIN_CAPTIONS[caption] for caption in ORDER]
NEGATIVES = {  # of captions 0, 3 and 5 of the batch, and of others; caption 1 has none
    0: ["a woman wearing a blue dress"],
    2: ["a boy in trousers"],
    3: ["a jacket in a red man and long blue jeans", "a man in a black jacket and long blue jeans"],
    4: ["a coat in a lady"],
    5: ["he is running", "she is standing", "she is walking"],
}

# Of the drawn batch: captions of six, one, three and two words, start and end not counted.
LENGTHS = [8, 3, 5, 4]
WIDTH, PATCHES = 5, 4


# The reference: loops over rows, patches and words.


def values(tensor: Tensor) -> Array:
    """Return the numbers of a tensor."""
    return cast(Array, tensor.detach().double().numpy())


def cosine(a: Array, b: Array) -> float:
    """Return the cosine of two vectors."""
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return float(dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b)))


def mean(numbers: Sequence[float]) -> float:
    """Return the mean of numbers."""
    return sum(numbers) / len(numbers)


def cross_entropy(logits: Sequence[float], target: Sequence[float]) -> float:
    """Return -sum of target times log softmax."""
    largest = max(logits)
    total = largest + math.log(sum(math.exp(logit - largest) for logit in logits))
    return -sum(t * (logit - total) for t, logit in zip(target, logits, strict=True))


def equation_1(positives: Sequence[float], negatives: Sequence[list[float]], alpha: float) -> float:
    """Return the mean hinge of a row's negatives, then of the rows that have any."""
    return mean([
        mean([max(0.0, alpha + n - p) for n in of_row])
        for p, of_row in zip(positives, negatives, strict=True)
        if of_row
    ])  # fmt: skip


def equation_2(positives: Sequence[float], negatives: Sequence[list[float]], gamma: float) -> float:
    """Return the mean of log(1 + exp(gamma (the most similar negative - positive)))."""
    return mean([
        math.log(1 + math.exp(gamma * (max(of_row) - p)))
        for p, of_row in zip(positives, negatives, strict=True)
        if of_row
    ])  # fmt: skip


def equation_3(patches: Array, words: Array) -> tuple[list[float], list[float]]:
    """Return what each patch and each word gets of all pairs, the mean of either 1."""
    table = [[math.exp(cosine(patch, word)) for word in words] for patch in patches]
    total = sum(map(sum, table))
    return (
        [len(patches) * sum(row) / total for row in table],
        [len(words) * sum(row[j] for row in table) / total for j in range(len(words))],
    )


def equation_4(module: Refinement, local: Array, whole: Array) -> Array:
    """Return local features, each beside the global one, gated and back at their width."""
    weight, bias = values(module.gate.weight), values(module.gate.bias)
    found = []
    for feature in local:
        both = [*feature, *whole]
        gated = [
            value * math.tanh(sum(w * b for w, b in zip(weight[o], both, strict=True)) + bias[o])
            for o, value in enumerate(both)
        ]
        found.append([sum(w * g for w, g in zip(row, gated, strict=True))
                      for row in values(module.project.weight)])  # fmt: skip
    return np.array(found)


def equation_6(images: Array, texts: Array, people: Sequence[int], tau: float) -> float:
    """Return the mean cross-entropy of both ways towards identities."""
    total = 0.0
    for i, person in enumerate(people):
        same = [float(other == person) for other in people]
        target = [value / sum(same) for value in same]
        total += cross_entropy([cosine(images[i], text) / tau for text in texts], target)
        total += cross_entropy([cosine(texts[i], image) / tau for image in images], target)
    return total / 2 / len(people)


def middle(words: Array, image: Array, count: int) -> Array:
    """Return R, the mean direction of the words of middling similarity to their image."""
    ranked = sorted(range(len(words)), key=lambda i: -cosine(words[i], image))
    first = max(0, len(words) - count) // 2
    chosen = [words[i] / np.linalg.norm(words[i]) for i in ranked[first : first + count]]
    return cast(Array, sum(chosen) / len(chosen))


def equation_7(images: Array, clues: Array, people: Sequence[int], tau: float) -> float:
    """Return -log of the own caption's share, other captions of the person left out."""
    terms = []
    for i, person in enumerate(people):
        columns = [j for j, other in enumerate(people) if j == i or other != person]
        logits = [cosine(images[i], clues[j]) / tau for j in columns]
        terms.append(cross_entropy(logits, [float(j == i) for j in columns]))
    return mean(terms)


# The method, and what stands for the harness.


class Step:
    """Stands for a step of training; `features` are those of all training images."""

    device = torch.device("cpu")

    def __init__(
        self, names: Sequence[str] = ALL, seed: int = 0, features: Tensor | None = None
    ) -> None:
        self.losses = dict.fromkeys(names, 1.0)
        self.stage = self.epoch = self.step = 0
        self.seed = seed
        self.features = features
        self.purposes: list[str] = []

    def spread(self, function: Callable[..., Any], *rows: Any) -> Any:
        return function(*rows)

    def generator(self, purpose: str) -> torch.Generator:
        self.purposes.append(purpose)
        return torch.Generator().manual_seed(1000 * self.seed + sum(map(ord, purpose)))

    def tell(self, doing: str) -> None:
        """Show nothing."""

    def encode(self, train: TrainSet) -> tuple[Encoded, Encoded]:
        assert self.features is not None, "this row encodes no training set"
        return Encoded(self.features), Encoded(torch.zeros(0))


class Train:
    """Stands for a training set of six images, of which it notes those that are asked for."""

    def __init__(self, captions: Sequence[str] = TRAIN_CAPTIONS) -> None:
        self.captions = captions
        self.person_of_image = torch.tensor(PERSON_OF_IMAGE)
        generator = torch.Generator().manual_seed(1)
        self.images = torch.randint(0, 256, (6, 3, 96, 32), generator=generator).to(torch.uint8)
        self.asked: list[list[int]] = []

    def pixels(self, indices: Tensor) -> Tensor:
        self.asked.append(indices.tolist())
        return self.images[indices]


def method(**changes: Any) -> Mefa:
    """Return the method in doubles, unprepared."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "backbone": "tiny-clip", "image_size": (96, 32), "temperature": 0.1,
        "tagger": "lexicon", "filler": "tiny-clip",
    }  # fmt: skip
    config = MefaConfig(**{**settings, **changes})
    return Mefa(config, TrainSummary(6, TRAIN_CAPTIONS, 3)).double().eval()


def prepared(**changes: Any) -> Mefa:
    """Return the method with known negatives: of each image both of the next person's."""
    model = method(**changes)
    model.negatives_of_caption = NEGATIVES
    model.neighbours = torch.tensor([[2, 3], [2, 3], [4, 5], [4, 5], [0, 1], [0, 1]])
    model.pixels = cast(Any, Train().pixels)
    return model


def batch_of(captions: Sequence[str] = CAPTIONS, people: Sequence[int] = PEOPLE) -> Batch:
    """Return the batch."""
    rows = torch.tensor(IMAGES)
    return Batch(
        Train().images[rows], list(captions), rows, torch.tensor(ORDER), torch.tensor(people)
    )


def losses(model: Mefa, names: Sequence[str] = ALL, batch: Batch | None = None) -> dict[str, Any]:
    """Return the losses of a step."""
    return model.training_losses(batch or batch_of(), cast(Run, Step(names)))


def encoded(model: Mefa, run: Step | None = None) -> Pairs:
    """Return the batch as a step encodes it."""
    batch = batch_of()
    images, texts = model.encode_images(batch.images), model.encode_texts(batch.captions)
    words = model.encoder.vocabulary.words(model.encoder.tokenize(batch.captions))
    return Pairs(batch, cast(Run, run or Step()), images, texts, words)


def one_by_one(model: Mefa, captions: Sequence[str]) -> list[Array]:
    """Return the embeddings of captions, each encoded alone."""
    return [values(model.encode_texts([caption]).embedding[0]) for caption in captions]


def drawn(lengths: Sequence[int] = LENGTHS, people: Sequence[int] = PEOPLE, seed: int = 3) -> Pairs:
    """Return a batch of random embeddings and tokens, also where there is padding."""
    generator = torch.Generator().manual_seed(seed)
    count, longest = len(lengths), max(lengths)
    images, texts, patches, words = (
        torch.randn(count, *shape, WIDTH, generator=generator, dtype=torch.float64)
        for shape in ((), (), (1 + PATCHES,), (longest,))
    )
    place, ends = torch.arange(longest), torch.tensor(lengths)[:, None] - 1
    real = (place > 0) & (place < ends)
    for part in (images, texts, patches, words):
        part.requires_grad_()
    batch = batch_of(CAPTIONS[:count], people)
    encoded = Encoded(images, patches), Encoded(texts, words, place <= ends)
    return Pairs(batch, cast(Run, Step()), *encoded, real)


def leaves(x: Pairs) -> list[Tensor]:
    """Return the tensors behind a drawn batch."""
    found = [x._images.embedding, x._texts.embedding, x._images.tokens, x._texts.tokens]
    return [leaf for leaf in found if leaf is not None]


def rows_of(x: Pairs) -> list[tuple[Array, Array]]:
    """Return the patches and the words of each row of a drawn batch, without padding."""
    _, _, patches, words = map(values, leaves(x))
    return [
        (patches[i, 1:], words[i, 1 : length - 1])
        for i, length in enumerate(cast(Tensor, x._texts.mask).sum(dim=1).tolist())
    ]


def narrow(model: Mefa, seed: int = 0) -> Mefa:
    """Give the method a refinement of drawn features, random throughout."""
    torch.manual_seed(seed)
    model.refinement = Refinement(WIDTH).double()
    for parameter in model.refinement.parameters():
        nn.init.normal_(parameter, std=0.7)
    return model


def close(found: Any, expected: Any, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Hold numbers, or rows of them, against the reference."""
    wanted = torch.from_numpy(np.array(expected))
    torch.testing.assert_close(found.detach().double(), wanted.double(), rtol=rtol, atol=atol)


def assert_finite(loss: Tensor, parts: Sequence[Tensor]) -> None:
    """Hold a loss and its gradients finite."""
    assert torch.isfinite(loss)
    gradients = torch.autograd.grad(loss, list(parts), allow_unused=True)
    reached = [gradient for gradient in gradients if gradient is not None]
    assert reached
    assert all(torch.isfinite(gradient).all() for gradient in reached)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Let torch use one thread: more only wait for each other on what is this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# Equations 1 and 2: negatives of one modality.

# Three, one, none and two negatives; more similar than the positive in rows 0 and 3. The slots
# that no negative fills hold what would change everything.
POSITIVES = [0.4, 0.9, 0.7, -0.2]
OF_ROWS = [[0.5, -0.6, 0.3], [0.1], [], [0.8, 0.8]]
SLOTS = [[0.5, -0.6, 0.3], [0.1, 0.99, 0.99], [0.99, 0.99, 0.99], [0.8, 0.8, 0.99]]
FILLED = [[True, True, True], [True, False, False], [False] * 3, [True, True, False]]


def similarities() -> tuple[Tensor, Tensor, Tensor]:
    """Return the positives, the negatives and which of them exist."""
    positive = torch.tensor(POSITIVES, dtype=torch.float64, requires_grad=True)
    negatives = torch.tensor(SLOTS, dtype=torch.float64, requires_grad=True)
    return positive, negatives, torch.tensor(FILLED)


@pytest.mark.parametrize("alpha", [0.5, 0.2, 0.0])
def test_equation_1_separation(alpha: float) -> None:
    """[alpha + s_n - s_p]_+, the mean of a row's negatives, then of the rows with any."""
    close(separation(*similarities(), alpha), equation_1(POSITIVES, OF_ROWS, alpha))


@pytest.mark.parametrize("gamma", [10.0, 1.0])
def test_equation_2_intra_modal_contrast(gamma: float) -> None:
    """gamma scales the whole difference to the negative most like the anchor."""
    close(intra_modal_contrast(*similarities(), gamma), equation_2(POSITIVES, OF_ROWS, gamma))


def test_equations_1_and_2_by_hand() -> None:
    """One row with two negatives: (0.5 + 0 + 0.2) / 2 and log(1 + e^(2 * 0.2))."""
    row = torch.tensor([0.6]), torch.tensor([[0.8, -0.9]]), torch.tensor([[True, True]])
    close(separation(*row, 0.5), (0.7 + 0) / 2, 1e-6)
    close(intra_modal_contrast(*row, 2.0), math.log(1 + math.exp(0.4)), 1e-6)


def test_equations_1_and_2_as_printed_would_reward_a_similar_negative() -> None:
    """Printed for distances they fall when the negative comes closer; ours rise."""
    own, closer = 0.4, [-0.2, 0.1, 0.3, 0.6]
    printed_1 = [max(0.0, 0.5 + own - n) for n in closer]
    printed_2 = [math.log(1 + math.exp(10 * (own - n))) for n in closer]
    rows = [(torch.tensor([own]), torch.tensor([[n]]), torch.tensor([[True]])) for n in closer]
    ours_1 = [float(separation(*row, 0.5)) for row in rows]
    ours_2 = [float(intra_modal_contrast(*row, 10.0)) for row in rows]
    for printed, ours in ((printed_1, ours_1), (printed_2, ours_2)):
        assert printed == sorted(printed, reverse=True)
        assert printed[0] > printed[-1]
        assert ours == sorted(ours)
        assert ours[0] < ours[-1]


@pytest.mark.parametrize(
    "loss", [lambda *s: separation(*s, 0.5), lambda *s: intra_modal_contrast(*s, 10.0)]
)
def test_equations_1_and_2_pull_the_positive_and_push_what_exists(
    loss: Callable[..., Tensor],
) -> None:
    """The gradient lowers a positive's loss, raises a negative's, and spares empty slots."""
    positive, negatives, exists = similarities()
    loss(positive, negatives, exists).backward()
    assert positive.grad is not None
    assert negatives.grad is not None
    assert (positive.grad <= 0).all()
    assert (negatives.grad >= 0).all()
    assert positive.grad[0] < 0 < negatives.grad[0, 0]
    assert positive.grad[2] == 0
    assert not negatives.grad[~exists].any()


@pytest.mark.parametrize(
    "loss", [lambda *s: separation(*s, 0.5), lambda *s: intra_modal_contrast(*s, 10.0)]
)
def test_equations_1_and_2_without_any_negative_are_zero(loss: Callable[..., Tensor]) -> None:
    """Not a division by zero, in the gradient neither."""
    positive, negatives, exists = similarities()
    found = loss(positive, negatives, torch.zeros_like(exists))
    assert found == 0
    assert_finite(found, [positive, negatives])


def test_equation_2_in_saturation() -> None:
    """A negative that is ahead by far costs what it is ahead, not infinity."""
    row = torch.tensor([-1.0]), torch.tensor([[1.0]]), torch.tensor([[True]])
    close(intra_modal_contrast(*row, 1000.0), 2000.0, 1e-6)


# Intra-modal reasoning: which negatives the two losses see.


@pytest.mark.parametrize(("margin", "sharpness"), [(0.5, 10.0), (0.1, 3.0)])
def test_equations_1_and_2_of_captions(margin: float, sharpness: float) -> None:
    """IMR(T): an image with its caption, against the negatives of that caption, each once."""
    model = prepared(margin=margin, sharpness=sharpness)
    images = values(model.encode_images(batch_of().images).embedding)
    positives = list(map(cosine, images, one_by_one(model, CAPTIONS)))
    negatives = [
        [cosine(image, text) for text in one_by_one(model, NEGATIVES.get(row, []))]
        for image, row in zip(images, ORDER, strict=True)
    ]
    assert [len(of_row) for of_row in negatives] == [2, 1, 3, 0]
    assert any(max(of_row) > p for p, of_row in zip(positives, negatives, strict=True) if of_row)
    expected = equation_1(positives, negatives, margin) + equation_2(
        positives, negatives, sharpness
    )
    close(model.text_reasoning(encoded(model)), expected, 1e-6)


def test_text_reasoning_encodes_the_negatives_of_its_captions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of the batch's captions by their place in the training set, and no others."""
    model, given = prepared(), []
    x, tokenize = encoded(model), model.encoder.tokenize

    def recorded(captions: Sequence[str]) -> Tensor:
        given.extend(captions)
        return tokenize(captions)

    monkeypatch.setattr(model.encoder, "tokenize", recorded)
    model.text_reasoning(x)
    assert sorted(given) == sorted(text for row in ORDER for text in NEGATIVES.get(row, []))


def test_equations_1_and_2_of_images() -> None:
    """IMR(V): a caption with its image, against the neighbour that is drawn."""
    model = prepared()
    train, run = Train(), Step(seed=2)
    model.pixels = cast(Any, train.pixels)
    found = model.image_reasoning(encoded(model, run))
    (chosen,) = train.asked
    images = values(model.encode_images(batch_of().images).embedding)
    others = values(model.encode_images(train.images[torch.tensor(chosen)]).embedding)
    texts = one_by_one(model, CAPTIONS)
    positives = list(map(cosine, texts, images))
    negatives = [[cosine(text, other)] for text, other in zip(texts, others, strict=True)]
    assert any(of_row[0] > p for p, of_row in zip(positives, negatives, strict=True))
    expected = equation_1(positives, negatives, 0.5) + equation_2(positives, negatives, 10.0)
    close(found, expected, 1e-6)


def test_image_reasoning_draws_one_of_an_images_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the run's generator, each about as often, rows apart from each other."""
    model, train = prepared(), Train()
    model.neighbours = torch.tensor([[1, 2, 3], [9] * 3, [0, 4, 5], [9] * 3, [0, 2, 3], [2, 3, 1]])
    monkeypatch.setattr(train, "images", torch.zeros(6, 1))
    monkeypatch.setattr(model.encoder, "embed_images", lambda pixels: torch.ones(4, 64))
    model.pixels = cast(Any, train.pixels)
    x = encoded(prepared())
    for seed in range(300):
        run = Step(seed=seed)
        model.image_reasoning(Pairs(x.batch, cast(Run, run), x._images, x._texts, x._words))
        assert len(run.purposes) == 1
    counts = np.zeros((4, 3), dtype=int)
    for chosen in train.asked:
        for row, (image, one) in enumerate(zip(IMAGES, chosen, strict=True)):
            counts[row, model.neighbours[image].tolist().index(one)] += 1
    assert (abs(counts - 100) < 40).all()
    assert len({tuple(chosen) for chosen in train.asked}) > 60  # of 81
    again = train.asked[7]
    model.image_reasoning(Pairs(x.batch, cast(Run, Step(seed=7)), x._images, x._texts, x._words))
    assert train.asked[-1] == again


# Negatives among the training images.


def others_of(features: Array, people: Sequence[int], row: int, count: int) -> list[int]:
    """Return the images of other people, the most similar to a row first."""
    others = [j for j, person in enumerate(people) if person != people[row]]
    return sorted(others, key=lambda j: -cosine(features[row], features[j]))[:count]


MANY = [4, 0, 2, 0, 4, 2, 2, 7, 0, 4, 7]  # people without an image among them


@pytest.mark.parametrize("block", [1, 3, 4, 1024])
@pytest.mark.parametrize(("count", "width"), [(1, 1), (5, 5), (8, 8), (9, 8), (100, 8)])
def test_neighbours_are_the_most_similar_of_other_people(
    count: int, width: int, block: int
) -> None:
    """In order, by cosine, whatever the block; as many as the most frequent person leaves."""
    generator = torch.Generator().manual_seed(5)
    scales = torch.rand(len(MANY), 1, generator=generator, dtype=torch.float64) * 9
    features = torch.randn(len(MANY), 4, generator=generator, dtype=torch.float64) * scales
    found = nearest_others(features, torch.tensor(MANY), count, block)
    assert found.tolist() == [
        others_of(values(features), MANY, row, width) for row in range(len(MANY))
    ]


def test_a_twin_of_the_same_person_is_no_neighbour() -> None:
    """Not where all other people are as unlike as can be."""
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    found = nearest_others(features, torch.tensor([0, 0, 1, 1]), 3)
    assert [set(row) for row in found.tolist()] == [{2, 3}, {2, 3}, {0, 1}, {0, 1}]


def test_one_person_alone_has_no_negatives() -> None:
    """The message says so."""
    with pytest.raises(ValueError, match="show one person: there are no negatives"):
        nearest_others(torch.eye(3), torch.tensor([2, 2, 2]), 5)


def test_neighbours_are_found_among_the_encoded_training_images() -> None:
    """The initial encoder's embeddings, k of another person for each image."""
    features = torch.randn(6, 8, generator=torch.Generator().manual_seed(2))
    model = method(neighbours=3)
    model.prepare(cast(TrainSet, Train()), cast(Run, Step(["imr_v"], features=features)))
    assert model.neighbours.tolist() == [
        others_of(values(features), PERSON_OF_IMAGE, row, 3) for row in range(6)
    ]
    assert torch.isfinite(losses(model, ["imr_v"])["imr_v"])


# Negatives of captions.


def test_captions_are_mined_once_with_the_configs_tagger_and_filler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a seed that is drawn from the run; a caption without a negative has no entry."""
    given: list[tuple[Any, ...]] = []

    def mined(*arguments: Any) -> list[NegativeCaption]:
        given.append(arguments)
        return [
            NegativeCaption(n, "a tier", text, "") for n, of in NEGATIVES.items() for text in of
        ]

    monkeypatch.setattr(mefa, "mine_once", mined)
    monkeypatch.setattr(mefa, "load_filler", lambda name, device: (name, device))
    model = method(tagger="a tagger", filler="a filler")
    steps = [Step(["imr_t"], seed) for seed in (0, 0, 1)]
    for step in steps:
        model.prepare(cast(TrainSet, Train()), cast(Run, step))
    captions, tagger, _, filler, tell = given[0]
    assert (captions, tagger) == (TRAIN_CAPTIONS, "a tagger")
    assert filler == ("a filler", torch.device("cpu"))
    assert tell == steps[0].tell
    seeds = [arguments[2] for arguments in given]
    assert seeds[0] == seeds[1] != seeds[2]
    assert dict(model.negatives_of_caption) == NEGATIVES


def test_mined_captions_train() -> None:
    """With the real miner and the tiny filler: each negative is another text than its caption."""
    model = method()
    model.prepare(cast(TrainSet, Train()), cast(Run, Step(["imr_t"])))
    assert model.negatives_of_caption
    for number, texts in model.negatives_of_caption.items():
        assert 1 <= len(texts) <= 3
        assert TRAIN_CAPTIONS[number] not in texts
    assert losses(model, ["imr_t"])["imr_t"] > 0


# Equation 3: weights by interaction.


def test_equation_3_interaction_weights() -> None:
    """Shares of all pairs of a patch and a real word, the mean of a row 1; 0 for padding."""
    x = drawn()
    of_patches, of_words = interaction_weights(x.patches, x.words)
    for row, (patches, words) in enumerate(rows_of(x)):
        expected = equation_3(patches, words)
        assert max(expected[0]) > 1.1
        close(of_patches[row], expected[0])
        real = x.words.real[row]
        assert real.tolist() == [0 < i < LENGTHS[row] - 1 for i in range(max(LENGTHS))]
        close(of_words[row][real], expected[1])
        assert not of_words[row][~real].any()


def test_equation_3_patches_may_be_padded_too() -> None:
    """A patch that is not real weighs nothing and takes nothing from the others."""
    x = drawn()
    real = torch.tensor([[True] * 4, [True, False, True, True], [False] * 3 + [True], [True] * 4])
    found, of_words = interaction_weights(Local(x.patches.tokens, real), x.words)
    for row, (patches, words) in enumerate(rows_of(x)):
        expected = equation_3(patches[real[row].numpy()], words)
        close(found[row][real[row]], expected[0])
        close(of_words[row][x.words.real[row]], expected[1])
        assert not found[row][~real[row]].any()


def test_equation_3_by_hand() -> None:
    """Two patches and two words, one of each alike: (e + 1) / (e + 3) of the pairs."""
    patches = Local(torch.tensor([[[3.0, 0.0], [0.0, 2.0]]]), torch.ones(1, 2, dtype=torch.bool))
    words = Local(torch.tensor([[[5.0, 0.0], [0.0, -1.0]]]), torch.ones(1, 2, dtype=torch.bool))
    total = math.e + 1 + 1 + 1 / math.e
    expected = [[2 * (math.e + 1) / total, 2 * (1 + 1 / math.e) / total]]
    for found in interaction_weights(patches, words):
        close(found, expected, 1e-6)


def test_equation_3_does_not_change_with_padding() -> None:
    """Longer captions beside it leave a row as it is."""
    x = drawn()
    alone = Local(x.words.tokens[1:2, :3], x.words.real[1:2, :3])
    patches = Local(x.patches.tokens[1:2], x.patches.real[1:2])
    for found, beside in zip(
        interaction_weights(patches, alone), interaction_weights(x.patches, x.words), strict=True
    ):
        close(found[0], values(beside[1, : found.shape[1]]))


def test_local_features_are_the_encoders_tokens() -> None:
    """Patches without the class token, words without start and end, all in the joint space."""
    model = method()
    x = encoded(model)
    tokens = model.encoder.encode_images(x.batch.images).tokens
    assert tokens is not None
    assert torch.equal(x.patches.tokens, tokens[:, 1:])
    assert x.patches.real.all()
    pieces = [len(model.encoder.word_pieces(caption)) for caption in CAPTIONS]
    assert len(set(pieces)) > 1
    assert x.words.real.sum(dim=1).tolist() == pieces


# Equations 4 and 5: refinement.


def test_equation_4_refinement() -> None:
    """(v + g) x tanh(W (v + g) + b) of the features side by side, projected back."""
    module = narrow(method()).refinement
    x = drawn()
    found = module(x.patches.tokens, x.image)
    for row, (patches, _) in enumerate(rows_of(x)):
        close(found[row], equation_4(module, patches, values(x.image)[row]))


def test_equations_4_and_5_share_their_weights_each_with_its_own_global_feature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One module refines weighted patches beside v_cls, and weighted words beside t_cls."""
    model, calls = narrow(method()), []
    model.refinement.register_forward_hook(lambda module, given, gave: calls.append(given))
    x = drawn()
    model.refined_contrast(x)
    (images, image), (texts, text) = calls
    assert torch.equal(image, x.image)
    assert torch.equal(text, x.text)
    for row, (patches, words) in enumerate(rows_of(x)):
        of_patches, of_words = equation_3(patches, words)
        close(images[row], np.array(of_patches)[:, None] * patches)
        close(texts[row, 1 : 1 + len(words)], np.array(of_words)[:, None] * words)


def test_refinement_starts_from_the_encoders_alignment() -> None:
    """Biases of 1 open the gate; the projection is the sum of local and global feature."""
    module = Refinement(3).double()
    assert (module.gate.bias == 1).all()
    close(module.project.weight, [[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]])
    assert module.project.bias is None
    nn.init.zeros_(module.gate.weight)
    local, whole = torch.randn(2, 4, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    close(module(local, whole), math.tanh(1) * values(local + whole[:, None]))


def test_refinement_has_the_width_of_the_joint_space() -> None:
    """Whatever a row uses, it is built."""
    model = method(losses={"itc": 1.0})
    assert model.refinement.gate.weight.shape == (128, 128)
    assert model.refinement.project.weight.shape == (64, 128)


# Equation 6: the refined contrast.


@pytest.mark.parametrize("people", [PEOPLE, [4, 4, 4, 4], [3, 1, 0, 2], [1, 1, 1, 0]])
def test_equation_6_normalised_contrast(people: list[int]) -> None:
    """Every pair of one person is a target, in equal shares, both ways."""
    x = drawn()
    found = normalised_contrast(x.image, x.text, torch.tensor(people), 0.3)
    close(found, equation_6(values(x.image), values(x.text), people, 0.3), 1e-6)


@pytest.mark.parametrize("tau", [0.1, 0.7])
def test_equations_3_to_6_refined_contrast(tau: float) -> None:
    """Weighted, refined, averaged over patches and over real words, contrasted."""
    model, x = narrow(method(temperature=tau)), drawn()
    images, texts, printed = [], [], []
    for (patches, words), image, text in zip(
        rows_of(x), values(x.image), values(x.text), strict=True
    ):
        of_patches, of_words = equation_3(patches, words)
        weighted = np.array(of_words)[:, None] * words
        images.append(
            equation_4(model.refinement, np.array(of_patches)[:, None] * patches, image).mean(0)
        )
        texts.append(equation_4(model.refinement, weighted, text).mean(0))
        printed.append(equation_4(model.refinement, weighted, image).mean(0))
    expected = equation_6(np.array(images), np.array(texts), PEOPLE, tau)
    of_print = equation_6(np.array(images), np.array(printed), PEOPLE, tau)
    assert abs(expected - of_print) > 1e-2
    close(model.refined_contrast(x), expected, 1e-6)


# Equation 7: clues.


@pytest.mark.parametrize("count", [1, 2, 3, 4, 50])
def test_equation_7_words_of_middling_similarity(count: int) -> None:
    """Neither the most nor the least similar; all where there are no more than `count`."""
    x = drawn()
    found = middling_words(x.words, x.image, count)
    expected = [middle(w, v, count) for (_, w), v in zip(rows_of(x), values(x.image), strict=True)]
    close(found, expected)


def test_equation_7_ties_are_taken_in_the_captions_order() -> None:
    """Words that are equally similar rank as they stand; lengths do not count."""
    tokens = torch.tensor([[[9.0, 9.0, 9.0], [0.0, 2.0, 0.0], [0.0, 0.0, 4.0], [0.0, -3.0, 0.0],
                            [1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [9.0, 9.0, 9.0]]])  # fmt: skip
    real = torch.tensor([[False] + [True] * 5 + [False]])
    image = torch.tensor([[2.0, 0.0, 0.0]])
    assert middling_words(Local(tokens, real), image, 1).tolist() == [[0.0, 0.0, 1.0]]
    close(middling_words(Local(tokens, real), image, 3), [[0.0, 0.0, 1 / 3]], 1e-6)


def test_equation_7_a_caption_without_words_has_no_clue() -> None:
    """It is zero, not a mean of nothing."""
    x = drawn([8, 2, 5, 4])
    assert not middling_words(x.words, x.image, 3)[1].any()


@pytest.mark.parametrize("people", [PEOPLE, [4, 4, 4, 4], [3, 1, 0, 2], [1, 1, 1, 0]])
def test_equation_7_discriminative_contrast(people: list[int]) -> None:
    """An image against all captions but the others of its person; by cosine, images as rows."""
    x = drawn()
    found = discriminative_contrast(x.image, x.text, torch.tensor(people), 0.3)
    close(found, equation_7(values(x.image), values(x.text), people, 0.3), 1e-7)


@pytest.mark.parametrize(("count", "tau"), [(3, 0.1), (2, 0.7), (9, 0.3)])
def test_equation_7_clue_contrast(count: int, tau: float) -> None:
    """The global feature of an image against R of each caption, R by the caption's own image."""
    model, x = method(clue_words=count, temperature=tau), drawn()
    images = values(x.image)
    clues = [middle(words, v, count) for (_, words), v in zip(rows_of(x), images, strict=True)]
    close(model.clue_contrast(x), equation_7(images, np.array(clues), PEOPLE, tau), 1e-7)


def test_equation_7_as_printed_has_no_lower_bound() -> None:
    """Its numerator, q . R, is no part of its denominator, q . v; ours stays above 0."""
    texts, clues, regions = np.eye(2), np.eye(2), -np.ones((2, 2)) / math.sqrt(2)
    for tau in (1.0, 0.1, 0.01, 0.001):
        printed = 0.0
        for i in range(2):
            own = texts[i] @ clues[i] / tau
            others = [texts[j] @ regions[i] / tau for j in range(2)]
            printed -= own - others[0] - math.log(sum(math.exp(o - others[0]) for o in others))
        assert printed < 2 * math.log(2) - 2 / tau
        for images in (regions, texts, -texts):
            given = torch.tensor(images), torch.tensor(clues), torch.tensor([0, 1])
            assert discriminative_contrast(*given, tau) >= 0


# Objective, gradients and precision.


def test_the_losses_are_those_of_the_functions_times_their_weights() -> None:
    """Five names; twice the weight is twice the value."""
    model, run = prepared(), Step()
    assert MefaConfig().losses == dict.fromkeys(ALL, 1.0)
    x = encoded(model)
    expected = {
        "itc": model.contrast(x),
        "imr_t": model.text_reasoning(x),
        "imr_v": model.image_reasoning(x),
        "cmr": model.refined_contrast(x),
        "dcc": model.clue_contrast(x),
    }
    found = model.training_losses(batch_of(), cast(Run, run))
    assert found.keys() == expected.keys()
    run.losses = dict.fromkeys(ALL, 2.0)
    twice = model.training_losses(batch_of(), cast(Run, run))
    for name, loss in expected.items():
        close(found[name], values(loss), 1e-7)
        close(twice[name], 2 * values(loss), 1e-7)


def test_the_baseline_contrasts_each_pair_with_the_batch() -> None:
    """Row 0: the own caption alone is the target, one person twice or not, both ways."""
    x = drawn()
    expected = equation_6(values(x.image), values(x.text), range(4), 0.1)
    close(method().contrast(x), expected, 1e-6)


@pytest.mark.parametrize("name", ALL)
def test_each_loss_reaches_both_towers(name: str) -> None:
    """Refinement too, by the refined contrast alone."""
    model = prepared()
    losses(model, [name])[name].backward()
    for tower in (model.encoder.visual, model.encoder.text):
        gradients = [p.grad for p in tower.parameters() if p.grad is not None]
        assert len(gradients) > 10
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
        assert sum(gradient.abs().sum() for gradient in gradients) > 0
    for parameter in model.refinement.parameters():
        assert (parameter.grad is not None) is (name == "cmr")
        assert parameter.grad is None or parameter.grad.abs().sum() > 0


NO_WORDS = [CAPTIONS[0], "", CAPTIONS[2], CAPTIONS[3]]
BATCHES = {
    "a caption without words": batch_of(NO_WORDS),
    "no caption with words": batch_of(["", "", "", ""]),
    "one person": batch_of(people=[1, 1, 1, 1]),
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("name", ALL)
def test_losses_and_gradients_are_finite(name: str, batch: Batch) -> None:
    """In single precision, as one trains."""
    model = prepared().float()
    loss = losses(model, [name], batch)[name]
    assert_finite(loss, list(model.parameters()))


def test_a_batch_without_any_negative_caption_costs_nothing() -> None:
    """IMR(T) is 0 and has a gradient, of zeros; nothing is encoded."""
    model = prepared()
    model.negatives_of_caption = {}
    x = drawn()
    loss = model.text_reasoning(x)
    assert loss == 0
    loss.backward()
    assert x.image.grad is not None
    assert not x.image.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_features_stay_finite(dtype: torch.dtype) -> None:
    """In values and gradients, a caption without words among them."""
    x = drawn([8, 2, 5, 4])
    image, text, patches, words = (part.detach().to(dtype) for part in leaves(x))
    people = torch.tensor(PEOPLE)
    for part in (image, text, patches, words):
        part.requires_grad_()
    of_images = Local(patches[:, 1:], x.patches.real)
    of_texts = Local(words, x.words.real)
    weights = interaction_weights(of_images, of_texts)
    assert_finite(weights[0].square().sum() + weights[1].square().sum(), [patches, words])
    clues = middling_words(of_texts, image, 3)
    assert_finite(discriminative_contrast(image, clues, people, 0.02), [image, words])
    assert_finite(normalised_contrast(image, text, people, 0.02), [image, text])
    similar = [part.detach().to(dtype).requires_grad_() for part in similarities()[:2]]
    exists = torch.tensor(FILLED)
    assert_finite(separation(*similar, exists, 0.5), similar)
    assert_finite(intra_modal_contrast(*similar, exists, 10.0), similar)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_mixed_precision_stays_finite(dtype: torch.dtype, name: str) -> None:
    """A step as at scale paper, a caption without words among the others."""
    model = prepared().float()
    with torch.autocast("cpu", dtype=dtype):
        loss = losses(model, [name], batch_of(NO_WORDS))[name]
    assert_finite(loss, list(model.parameters()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_mixed_precision_leaves_similarities_as_they_are(dtype: torch.dtype) -> None:
    """Weights and clues are those of single precision: in half, words that differ would tie."""
    x = drawn()
    patches, words = (Local(part.tokens.float(), part.real) for part in (x.patches, x.words))
    image = x.image.float()
    expected = [*interaction_weights(patches, words), middling_words(words, image, 2)]
    with torch.autocast("cpu", dtype=dtype):
        found = [*interaction_weights(patches, words), middling_words(words, image, 2)]
    for one, other in zip(found, expected, strict=True):
        close(one, values(other), 1e-5, 1e-6)


def test_retrieval_is_by_the_global_features_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder's own embeddings, whatever refinement has learned."""
    model = prepared()
    images, texts = batch_of().images, CAPTIONS
    for parameter in model.refinement.parameters():
        nn.init.constant_(parameter, math.nan)
    for found, own in (
        (model.encode_images(images), model.encoder.encode_images(images)),
        (model.encode_texts(texts), model.encoder.encode_texts(texts)),
    ):
        assert torch.equal(found.embedding, own.embedding)
        assert torch.isfinite(found.embedding).all()


# Highlights.


def siglip(folder: Path, has_end: bool) -> DualEncoder:
    """Return a small SigLIP in doubles: its texts have no start, and an end only where told."""
    return small_siglip(save_words(folder, has_end)).double()


@pytest.mark.parametrize(
    ("start", "encoder"),
    [
        (1, lambda folder: method().encoder),
        (0, lambda folder: siglip(folder, False)),
        (0, lambda folder: siglip(folder, True)),
    ],
    ids=["CLIP", "SigLIP without an end", "SigLIP with an end"],
)
@torch.no_grad()
def test_every_word_is_highlighted_by_its_own_token(
    tmp_path: Path, start: int, encoder: Callable[[Path], DualEncoder]
) -> None:
    """By how alike it is to the whole image, wherever an encoder's texts begin and end."""
    model = method()
    model.encoder = encoder(tmp_path)
    height, width = (96, 32) if start else (HEIGHT, BREADTH)
    images = torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8)
    captions = ["a man in a red jacket", "a woman"]
    texts, whole = model.encode_texts(captions), model.encode_images(images).embedding
    assert texts.tokens is not None
    found = model.highlight(images, captions)
    for row, caption in enumerate(captions):
        words = [caption[one.start : one.stop] for one in found[row]]
        assert words == caption.split()  # one piece a word, in all vocabularies here
        tokens = values(texts.tokens)[row, start : start + len(words)]
        expected = [cosine(token, values(whole)[row]) for token in tokens]
        assert [one.similarity for one in found[row]] == pytest.approx(expected)


# The rows of the tables, and the recipe.


def checked(*names: str) -> dict[str, Any]:
    """Return the losses of a row, each of weight 1."""
    return {"losses": dict.fromkeys(("itc", *names), 1.0)}


TABLE_4 = {
    "0": checked(),
    "I": checked("imr_t"),
    "II": checked("imr_v"),
    "III": checked("cmr"),
    "IV": checked("dcc"),
    "V": checked("imr_t", "imr_v"),
    "VI": checked("imr_t", "imr_v", "cmr"),
    "VII": checked("imr_t", "imr_v", "dcc"),
    "VIII": checked("imr_t", "imr_v", "cmr", "dcc"),
}
CLIP = {"backbone": "ViT-B-16-quickgelu/openai"}
OF_BACKBONES = {
    f"Table {number}": {
        "CLIP(ViT-B/16)": checked() | CLIP,
        "EvaCLIP(baseline)" if number == 1 else "EvaCLIP": checked(),
        "MeFa(CLIP)": checked(*ALL[1:]) | CLIP,
        "MeFa(EvaCLIP)": checked(*ALL[1:]),
    }
    for number in (1, 2, 3)
}


def changed(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what each row trains, and in which other fields it differs from the method."""
    full = MefaConfig()
    found = {}
    for label, changes in rows.items():
        config = asdict(replace(full, **changes))
        other = {key: value for key, value in config.items() if value != asdict(full)[key]}
        found[label] = other | {"losses": dict(config["losses"])}
    return found


def test_table_4_and_its_rows() -> None:
    """Every row in the order of print; a check mark adds a loss, and nothing else changes."""
    assert list(Mefa.ablations) == ["Table 4"]
    found = changed(Mefa.ablations["Table 4"])
    assert list(found) == list(TABLE_4)
    assert found == TABLE_4


def test_rows_of_other_backbones_exist_at_scale_paper_alone() -> None:
    """Four rows of each of Tables 1 to 3: CLIP and EVA, as a baseline and with all paths."""
    tables = {title: changed(rows) for title, rows in Mefa.recipes["paper"].ablations.items()}
    assert tables == OF_BACKBONES
    assert [list(rows) for rows in tables.values()] == [list(r) for r in OF_BACKBONES.values()]
    (plugin,) = (p for p in registry.find_plugins() if p.module.name == "methods.mefa")
    description = describe(registry.load_method("mefa", plugin))
    for scale, there in (("paper", True), ("tiny", False)):
        labels = plan.variants_at(description, scale)
        assert ("MeFa(CLIP)" in labels) is ("CLIP(ViT-B/16)" in labels) is there


NEEDS = {
    "negative_captions": "imr_t",
    "text_reasoning": "imr_t",
    "image_reasoning": "imr_v",
    "nearest_others": "imr_v",
    "refined_contrast": "cmr",
    "interaction_weights": "cmr",
    "clue_contrast": "dcc",
    "middling_words": "dcc",
}


def uncalled(*given: object, **named: object) -> None:
    """Fail where it is called."""
    raise AssertionError("this row does not need it")


@pytest.mark.parametrize("label", TABLE_4)
def test_a_row_computes_its_losses_and_nothing_else(
    label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without imr_t no captions are mined, without imr_v no training set is encoded."""
    names = TABLE_4[label]["losses"]
    for name, needed_by in NEEDS.items():
        if needed_by not in names:
            monkeypatch.setattr(Mefa if hasattr(Mefa, name) else mefa, name, uncalled)
    monkeypatch.setattr(
        mefa, "mine_once", lambda *given: [NegativeCaption(3, "", "a man in red", "")]
    )
    monkeypatch.setattr(mefa, "load_filler", lambda *given: None)
    model, train = method(**dict(Mefa.ablations["Table 4"][label])), Train()
    run = Step(list(names), features=torch.rand(6, 8) if "imr_v" in names else None)
    model.prepare(cast(TrainSet, train), cast(Run, run))
    assert train.asked == []
    found = model.training_losses(batch_of(), cast(Run, run))
    assert found.keys() == names.keys()
    assert all(torch.isfinite(loss) for loss in found.values())
    assert len(train.asked) == ("imr_v" in names)


def test_the_images_are_trained_on_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper names no augmentation."""
    model, given = prepared(), []
    encode = model.encoder.encode_images

    def recorded(images: Tensor) -> Encoded:
        given.append(images)
        return encode(images)

    monkeypatch.setattr(model.encoder, "encode_images", recorded)
    losses(model.train())
    assert torch.equal(given[0], batch_of().images)


def test_the_recipe_is_the_papers() -> None:
    """EVA-CLIP at 224 x 224, 12 epochs of LAMB, 80 pairs a batch."""
    recipe, config = Mefa.recipes["paper"], MefaConfig()
    assert recipe.backbone.startswith("EVA02-B-16/")
    assert recipe.image_size == (224, 224)
    (stage,) = recipe.stages
    assert (stage.epochs, stage.batch_size, stage.optimizer) == (12, 80, "lamb")
    assert (stage.betas, stage.weight_decay) == ((0.9, 0.98), 0.05)  # EVA-CLIP's
    assert stage.losses is None
    assert config.supervision is Supervision.IDENTITY
    assert config.filler.endswith("roberta-base")
    assert dict(recipe.config) == {}


def test_the_learning_rate_rises_over_all_epochs() -> None:
    """From 1e-6 at the first step, in a straight line, to 1e-5 behind the last."""
    (stage,) = Mefa.recipes["paper"].stages
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.zeros(2)
    optimizer = build_optimizer([{"params": [weight]}], stage)
    assert type(optimizer).__name__ == "Lamb"
    schedule = build_schedule(optimizer, stage, steps_per_epoch=5)
    rates = []
    for _ in range(61):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    expected = [1e-6 + 9e-6 * step / 60 for step in range(61)]
    assert rates == pytest.approx(expected, rel=1e-9)
