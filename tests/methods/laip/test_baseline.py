import math
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.data.schema import Split
from harness.evaluation import encode_split, score_text_to_image
from harness.method import Batch, Encoded, Run, TrainSet, TrainSummary
from harness.training.checkpoints import load_state
from methods.blocks.matching import Negatives
from methods.blocks.queue_contrast import NOBODY
from methods.laip import Laip, LaipConfig, Pairs

from ..blocks.published_albef import SQUARE, TEMPERATURE, build_narrow, published, write_vocabulary
from .scenes import (
    ALL,
    CAPTIONS,
    PEOPLE,
    SCORES,
    WIDTH,
    Array,
    Step,
    batch_of,
    close,
    cosine,
    drawn,
    encoded,
    fuse,
    mapped,
    method,
    scored,
    softmax,
    tokens,
    values,
)

# Equations 13 to 17: the contrast.


def test_equations_13_and_14_embeddings_of_both_encoders(model: Laip) -> None:
    """Of tiny-albef the class token and the text's pooled token, in one space; the cosine, 15."""
    images = model.encode_images(batch_of().images)
    assert torch.equal(images.embedding, tokens(images)[:, 0])
    texts = model.encode_texts(CAPTIONS)
    again = model.albef.encoder.encode_tokens(model.albef.encoder.tokenize(CAPTIONS))
    assert torch.equal(texts.embedding, again.embedding)
    assert images.embedding.shape == texts.embedding.shape == (4, WIDTH)


class Slots:
    """The queues of a reference: lists."""

    def __init__(self, model: Laip, pushes: Sequence[Sequence[int]], width: int = 5) -> None:
        generator = torch.Generator().manual_seed(9)
        self.images: list[Array] = []
        self.texts: list[Array] = []
        self.labels: list[int] = []
        for queue in (model.image_queue, model.text_queue):
            queue.features = torch.zeros(len(queue.features), width, dtype=torch.float64)
        for labels in pushes:
            images, texts = (
                F.normalize(torch.randn(len(labels), width, generator=generator).double(), dim=1)
                for _ in range(2)
            )
            model.image_queue.push(images, torch.tensor(labels))
            model.text_queue.push(texts, torch.tensor(labels))
            self.images = [*self.images, *images.numpy()][-8:]
            self.texts = [*self.texts, *texts.numpy()][-8:]
            self.labels = [*self.labels, *labels][-8:]


def contrast(x: Pairs, slots: Slots, tau: float, share: float) -> float:
    """Return L_itc, equations 15 to 17, with momentum distillation, by rows and columns."""
    labels = x.labels.tolist()
    known = [*labels, *slots.labels]
    images, texts = (values(each) for each in x.judging)
    sides = (
        (values(x.images.embedding), images, [*texts, *slots.texts]),
        (values(x.texts.embedding), texts, [*images, *slots.images]),
    )
    total = 0.0
    for rows, taught, columns in sides:
        for i in range(len(labels)):
            p = softmax([cosine(rows[i], column) / tau for column in columns])
            view = softmax([cosine(taught[i], column) / tau for column in columns])
            positives = sum(label == labels[i] for label in known)
            for j in range(len(columns)):
                truth = (known[j] == labels[i]) / positives
                target = share * view[j] + (1 - share) * truth
                total -= target * math.log(p[j])
    return total / len(labels) / 2


PUSHES = {
    "empty": [],
    "partly filled": [[2, 7, 2], [0, 9]],
    "wrapped around": [[2, 7, 2], [0, 9, 1], [5, 5, 0, 2]],
    "nobody's, as from weights": [[NOBODY] * 4, [2, 9]],
}


@pytest.mark.parametrize("pushes", PUSHES.values(), ids=PUSHES)
@pytest.mark.parametrize("people", [PEOPLE, [4, 4, 4, 4], [3, 1, 0, 2]])
def test_equations_15_to_17_contrast(pushes: list[list[int]], people: list[int]) -> None:
    """Batch and filled slots are columns; all that match share the target, in both directions."""
    model = method(temperature=0.3)
    slots = Slots(model, pushes)
    x = drawn(model, people)
    close(model.contrast(x), contrast(x, slots, 0.3, 0.4), 1e-6)


@pytest.mark.parametrize(
    ("stage", "epoch", "step", "share"),
    [(0, 0, 0, 0.0), (0, 0, 1, 0.1), (0, 0, 3, 0.3), (0, 1, 4, 0.4), (0, 7, 30, 0.4),
     (1, 0, 0, 0.4), (1, 0, 1, 0.4)],
)  # fmt: skip
def test_equation_17_distillation_is_ramped_once(
    stage: int, epoch: int, step: int, share: float
) -> None:
    """The momentum model's share rises over the first epoch of the first stage only."""
    model = method(temperature=0.3)
    slots = Slots(model, [[2, 7, 2]])
    x = drawn(model, PEOPLE, Step(stage=stage, epoch=epoch, step=step))
    close(model.contrast(x), contrast(x, slots, 0.3, share), 1e-6)


def test_equation_17_the_share_is_the_configs() -> None:
    """`distillation` 0 takes the labels alone."""
    model = method(temperature=0.3, distillation=0.0)
    slots, x = Slots(model, []), drawn(model, PEOPLE)
    close(model.contrast(x), contrast(x, slots, 0.3, 0.0), 1e-6)


@pytest.mark.parametrize(("temperature", "tau"), [(0.07, 0.07), (1e-5, 0.001), (2.0, 0.5)])
def test_equation_16_temperature(temperature: float, tau: float) -> None:
    """It is learned, from the config's value on, and kept between 0.001 and 0.5."""
    model = method(temperature=temperature)
    slots, x = Slots(model, []), drawn(model, PEOPLE)
    loss = model.contrast(x)
    close(model.tau, tau, 1e-6)
    assert torch.isfinite(loss)
    if tau == temperature:
        close(loss, contrast(x, slots, tau, 0.4), 1e-5)
        loss.backward()
        assert model.temperature.grad is not None
        assert model.temperature.grad != 0


def test_momentum_targets_take_no_gradient() -> None:
    """Where targets are all the momentum model's, rows learn; what the copies encode does not."""
    model = method(distillation=1.0, temperature=0.3)
    Slots(model, [])
    x = drawn(model, PEOPLE)
    model.contrast(x).backward()  # type: ignore[no-untyped-call]  # of torch
    for rows in (x.images.embedding, x.texts.embedding):
        assert rows.grad is not None
        assert rows.grad.abs().sum() > 0
    found = encoded(model)
    assert not any(part.requires_grad for part in found.judging)
    for part in found.judging:
        close(part.norm(dim=1), [1.0] * 4)


def test_equation_16_the_momentum_encoders_see_the_same_batch() -> None:
    """Their embeddings are those of their own weights, not of the model's."""
    model = method()
    with torch.no_grad():
        for parameter in model.momentum_copy.parameters():
            parameter.mul_(0.9)
    x = encoded(model)
    copy = cast(Any, model.momentum_copy.module)
    images, texts = copy.encode_images(batch_of().images), copy.encode_texts(CAPTIONS)
    for found, expected in zip(x.judging, (images, texts), strict=True):
        close(found, F.normalize(expected.embedding, dim=1).numpy(force=True))
    assert (x.judging[0] - F.normalize(x.images.embedding, dim=1)).abs().max() > 1e-3


# Equations 18 to 20: matching.


def test_equation_18_a_pair_scores_the_difference_of_its_logits(model: Laip) -> None:
    """W^O = w_1 - w_0 on the first fused token."""
    texts, images = model.encode_texts(CAPTIONS), model.encode_images(batch_of().images)
    image_of_text = torch.tensor([2, 0, 1, 0])
    found = model.rescore(texts, images, image_of_text)
    head = model.albef.matching_head
    for row in range(4):
        length = int((model.albef.encoder.tokenize(CAPTIONS)[row] != 0).sum())
        image = values(tokens(images)[image_of_text[row]])
        fused, _ = fuse(model, values(tokens(texts)[row, :length]), image)
        weight, bias = values(head.weight), values(head.bias)
        expected = (weight[1] - weight[0]) @ fused[0] + bias[1] - bias[0]
        close(found[row], expected, 1e-8)


def test_equation_18_in_saturation(model: Laip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs whose probabilities of a match are 1.0 in single precision are still told apart."""
    fused = torch.zeros(3, 2, WIDTH)
    fused[:, 0, 0] = torch.tensor([40.0, 60.0, 50.0])
    fused[:, 1, 0] = torch.tensor([9.0, 7.0, 8.0])  # not the first token
    head = nn.Linear(WIDTH, 2)
    with torch.no_grad():
        head.weight.zero_()[1, 0] = 0.75
        head.weight[0, 0] = -0.25
    logits = head(fused[:, 0])
    assert len(set(logits.softmax(dim=1)[:, 1].tolist())) == 1
    other = method().float()
    other.albef.matching_head = head
    monkeypatch.setattr(other.albef, "fuse", lambda texts, images, image_of_text: fused)
    pairs = Encoded(torch.zeros(3, 1))
    found = other.rescore(pairs, pairs, torch.arange(3))
    close(found - found[0], [0.0, 20.0, 10.0], 1e-6)


def cross_entropy(logits: Sequence[float], label: int) -> float:
    """Return -log p of a label, without leaving the logarithm."""
    largest = max(logits)
    return largest + math.log(sum(math.exp(v - largest) for v in logits)) - logits[label]


def test_equation_19_matching(model: Laip) -> None:
    """The mean cross-entropy of all pairs: own ones match, other images and other texts do not."""
    own, *others = SCORES.tolist()
    terms = [cross_entropy(row, 1) for row in own]
    terms += [cross_entropy(side[row], 0) for side in others for row in (0, 1, 3)]
    assert max(terms) > 80  # a probability of 0 in single precision
    close(model.matching(scored(model)), sum(terms) / 10, 1e-6)


def test_equations_18_to_20_pairs_that_are_fused(model: Laip) -> None:
    """Each text with its own and with another image, each image with another text."""
    x = encoded(model)
    x.negatives = Negatives(torch.tensor([1, 3, 0, 0]), torch.tensor([3, 2, 1, 2]))

    def logits(text: int, image: int) -> Array:
        length = int((x.ids[text] != 0).sum())
        fused, _ = fuse(
            model, values(tokens(x.texts)[text, :length]), values(tokens(x.images)[image])
        )
        return mapped(model.albef.matching_head, fused[:1])[0]

    own, other_image, other_text = x.scores
    close(own, [logits(row, row) for row in range(4)], 1e-8)
    close(other_image, [logits(0, 1), logits(1, 3), logits(2, 0), logits(3, 0)], 1e-8)
    close(other_text, [logits(3, 0), logits(2, 1), logits(1, 2), logits(2, 3)], 1e-8)


def test_hard_negatives_follow_the_contrast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Odds are the contrastive softmax over what does not match; positives have none."""
    model = method(temperature=0.3)
    x = drawn(model, PEOPLE)
    seen: list[Tensor] = []
    draw = torch.multinomial

    def recorded(odds: Tensor, count: int, **named: Any) -> Tensor:
        seen.append(odds)
        return draw(odds, count, **named)

    monkeypatch.setattr(torch, "multinomial", recorded)
    images, texts = x.negatives
    old_images, old_texts = (values(each) for each in x.judging)
    sides = (
        (values(x.texts.embedding), old_images),
        (values(x.images.embedding), old_texts),
    )
    for odds, (anchors, others) in zip(seen, sides, strict=True):
        for i in range(4):
            known = [j for j in range(4) if PEOPLE[j] != PEOPLE[i]]
            shares = softmax([cosine(anchors[i], others[j]) / 0.3 for j in known])
            expected = [shares[known.index(j)] if j in known else 0.0 for j in range(4)]
            close(odds[i], expected, 1e-6)
    assert (
        images.tolist() == draw(seen[0], 1, generator=x.run.generator("negatives"))[:, 0].tolist()
    )
    assert not torch.equal(seen[0], seen[1])
    assert texts.shape == (4,)


def test_a_positive_is_never_drawn() -> None:
    """Not where it is nearest by far, and the others' odds would vanish beside it."""
    model = method(temperature=0.001)
    for seed in range(40):
        x = drawn(model, PEOPLE, Step(seed=seed))
        same = F.normalize(torch.ones(4, 5, dtype=torch.float64), dim=1)
        x.images, x.texts = Encoded(same), Encoded(same)
        x.judging = (same.clone(), same.clone())
        for part in x.judging:
            part[[1, 3]] *= -1  # nothing but positives is near to rows 0 and 2
        for chosen in x.negatives:
            for row, other in enumerate(chosen.tolist()):
                assert PEOPLE[row] != PEOPLE[other]


def test_a_batch_of_one_person_has_no_negatives() -> None:
    """Own pairs alone are matched, the triplet is 0, and all losses are finite and learn."""
    model = method()
    found = model.training_losses(batch_of([1, 1, 1, 1]), cast(Run, Step()))
    x = model.seen
    assert x is not None
    terms = [cross_entropy(row.tolist(), 1) for row in x.scores[0]]
    close(found["itm"], sum(terms) / 4, 1e-8)
    assert found["tri"] == 0
    torch.stack(list(found.values())).sum().backward()
    for name, parameter in model.albef.named_parameters():
        if parameter.grad is not None:
            assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("name", ["itc", "itm", "tri"])
def test_each_loss_alone_moves_both_encoders(name: str) -> None:
    """Whichever of them is computed first."""
    model = method()
    model.training_losses(batch_of(), cast(Run, Step((name,))))[name].backward()  # type: ignore[no-untyped-call]  # of torch
    for part in (model.albef.encoder.visual, model.albef.encoder.text):
        assert any(one.grad is not None and bool(one.grad.any()) for one in part.parameters())


@pytest.mark.parametrize("names", [("itc", "itm"), ("itc",), ("itm",)])
def test_after_a_step_the_copies_move_and_the_queues_fill(names: tuple[str, ...]) -> None:
    """What the copies gave before they moved is queued, unit length, with its labels."""
    model = method(momentum=0.75)
    run = cast(Run, Step(names))
    for _ in range(3):
        x = encoded(model, names)
        given = [part.clone() for part in x.judging]
        before = [p.clone() for p in model.momentum_copy.parameters()]
        with torch.no_grad():
            for parameter in model.albef.parameters():
                parameter.add_(0.01)
        model.after_step(batch_of(), run)
        new = model.albef.encoder.parameters()
        for old, mine, theirs in zip(before, model.momentum_copy.parameters(), new, strict=True):
            close(mine, (0.75 * old + 0.25 * theirs).numpy(force=True))
        assert model.seen is None
    for queue, part in ((model.image_queue, given[0]), (model.text_queue, given[1])):
        features, labels = queue.filled()
        assert len(features) == 8
        close(features[:4], part.numpy())  # the third push wrapped around
        assert labels.tolist() == [*PEOPLE, *PEOPLE]


def test_a_checkpoint_holds_copies_and_queues() -> None:
    """Another model goes on from it with the same losses."""
    one, two = method(), method()
    for _ in range(2):
        encoded(one, ("itc",))
        with torch.no_grad():
            for parameter in one.albef.parameters():
                parameter.mul_(1.01)
        one.after_step(batch_of(), cast(Run, Step(("itc",))))
    state = one.state_dict()
    for part in ("momentum_copy.module.", "image_queue.features", "text_queue.labels",
                 "image_queue.count", "temperature"):  # fmt: skip
        assert any(name.startswith(part) for name in state)
    two.load_state_dict(state)
    losses = [m.training_losses(batch_of(), cast(Run, Step())) for m in (one, two)]
    for name in ALL:
        assert torch.equal(losses[0][name], losses[1][name])


# Going on from published weights.


@pytest.fixture
def published_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights of the layout of ALBEF.pth, narrow."""
    build_narrow(monkeypatch)
    write_vocabulary(tmp_path)
    state, _ = published(0, "text_encoder.bert.", head=True, patches=4)
    unit = {name: F.normalize(state[name], dim=0) for name in ("image_queue", "text_queue")}
    torch.save({"model": {**state, **unit}}, tmp_path / "ALBEF.pth")
    return tmp_path


def from_weights(folder: Path, **changes: Any) -> tuple[Laip, dict[str, Tensor]]:
    """Return the method on published weights, in single precision, with what the file holds."""
    settings: dict[str, Any] = {
        "backbone": f"albef/{folder}", "image_size": SQUARE, "weights": "albef", "queue": 6,
        "tagger": "lexicon",
    }  # fmt: skip
    model = Laip(LaipConfig(**{**settings, **changes}), TrainSummary(4, CAPTIONS, 3))
    model.prepare(cast(TrainSet, SimpleNamespace(captions=CAPTIONS)), cast(Run, Step()))
    return model, torch.load(folder / "ALBEF.pth", weights_only=True)["model"]


def small_batch() -> Batch:
    """Return a batch of images of the small encoder's size."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (4, 3, *SQUARE), generator=generator, dtype=torch.uint8)
    rows = torch.arange(4)
    return Batch(pixels, CAPTIONS, rows, rows, torch.tensor(PEOPLE))


def test_a_contrast_goes_on_from_published_weights(published_folder: Path) -> None:
    """Copies, queue and temperature are the file's; no slot of the queue shows a training person.

    What copies are called in the file: a few of every kind.
    """
    model, state = from_weights(published_folder)
    copies = model.momentum_copy.module.state_dict()
    for here, there in {
        "visual.blocks.1.attn.qkv.weight": "visual_encoder_m.blocks.1.attn.qkv.weight",
        "vision_proj.bias": "vision_proj_m.bias",
        "layers.5.output.dense.weight":
            "text_encoder_m.bert.encoder.layer.5.output.dense.weight",
        "embeddings.word_embeddings.weight":
            "text_encoder_m.bert.embeddings.word_embeddings.weight",
    }.items():  # fmt: skip
        assert torch.equal(copies[here], state[there])
        assert not torch.equal(copies[here], model.albef.encoder.state_dict()[here])
    order = [2, 3, 4, 5, 0, 1]
    for queue, name in ((model.image_queue, "image_queue"), (model.text_queue, "text_queue")):
        features, labels = queue.filled()
        assert torch.equal(features, state[name].T[order])
        assert labels.tolist() == [-100] * 6
    assert float(model.temperature.detach()) == pytest.approx(TEMPERATURE)
    model, _ = from_weights(published_folder, temperature=0.3)
    assert float(model.temperature.detach()) == pytest.approx(0.3)


@pytest.mark.parametrize(("slots", "order"), [(4, [4, 5, 0, 1]), (9, [2, 3, 4, 5, 0, 1])])
def test_a_queue_of_another_size_keeps_the_newest(
    published_folder: Path, slots: int, order: list[int]
) -> None:
    """A shorter one drops the oldest; of a longer one the slots that are left do not count."""
    model, state = from_weights(published_folder, queue=slots)
    assert torch.equal(model.image_queue.filled()[0], state["image_queue"].T[order])


def test_training_from_published_weights(published_folder: Path) -> None:
    """All losses are finite and learn; each batch of four takes the place of the oldest of six."""
    model, state = from_weights(published_folder)
    names = (*ALL, "mlm")
    old = state["image_queue"].T[[2, 3, 4, 5, 0, 1]]
    given = []
    for _ in range(2):
        found = model.training_losses(small_batch(), cast(Run, Step(names)))
        assert all(torch.isfinite(loss) for loss in found.values())
        torch.stack(list(found.values())).sum().backward()
        assert model.seen is not None
        given.append(model.seen.judging[0])
        model.after_step(small_batch(), cast(Run, Step(names)))
        if len(given) == 1:
            features, labels = model.image_queue.filled()
            close(features, torch.cat([given[0], old[4:]]).numpy(), 1e-6)
            assert labels.tolist() == [*PEOPLE, -100, -100]
    features, labels = model.image_queue.filled()
    close(features, torch.cat([given[1][2:], given[0][2:], given[1][:2]]).numpy(), 1e-6)
    assert labels.tolist() == [*PEOPLE[2:], *PEOPLE[2:], *PEOPLE[:2]]
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad is not name.startswith("momentum_copy."), name
        assert (parameter.grad is not None) is parameter.requires_grad, name


def test_a_checkpoint_replaces_what_came_with_the_weights(published_folder: Path) -> None:
    """A run that goes on has its own copies, queues and temperature, not the file's again."""
    one, _ = from_weights(published_folder)
    for _ in range(2):
        one.training_losses(small_batch(), cast(Run, Step(("itc",))))
        with torch.no_grad():
            for parameter in one.albef.parameters():
                parameter.mul_(1.01)
            one.temperature.fill_(0.2)
        one.after_step(small_batch(), cast(Run, Step(("itc",))))
    torch.save(one.state_dict(), published_folder / "checkpoint.pt")
    two, _ = from_weights(published_folder)
    load_state(two, torch.load(published_folder / "checkpoint.pt", weights_only=True))
    losses = []
    for model in (one, two):
        torch.manual_seed(0)
        losses.append(model.training_losses(small_batch(), cast(Run, Step())))
    for name in ALL:
        assert torch.equal(losses[0][name], losses[1][name])
    for name, value in one.state_dict().items():
        assert torch.equal(two.state_dict()[name], value), name


# Retrieval.


@pytest.fixture(scope="module")
def retrieval() -> tuple[Laip, Split, Tensor]:
    """The method in single precision, with a gallery of nine images and seven queries."""
    model = method().float()
    with torch.no_grad():
        model.albef.matching_head.weight.mul_(3)
    generator = torch.Generator().manual_seed(4)
    pixels = torch.rand(9, 3, 4, 2, generator=generator) * 255
    images = F.interpolate(pixels, (96, 32)).to(torch.uint8)
    captions = (*CAPTIONS, "a boy", "the old lady in a long yellow coat with white shoes", "jeans")
    split = Split(
        name="test",
        encoded=lambda row: b"",
        image_ids=tuple(map(str, range(9))),
        captions=captions,
        image_of_caption=np.array([0, 2, 4, 6, 8, 1, 3]),
        person_of_image=np.array([0, 0, 1, 1, 2, 2, 3, 3, 4]),
    )
    return model, split, images


def order_of(retrieval: tuple[Laip, Split, Tensor], candidates: int) -> list[list[int]]:
    """Return the gallery rows of every query, best first, as the harness ranks them."""
    model, split, images = retrieval
    features = encode_split(
        model, split, lambda rows: images[torch.as_tensor(rows)], torch.device("cpu")
    )
    found = score_text_to_image(model, features, split, candidates, top=9)
    return [list(map(int, row)) for row in found.top_rows]


@torch.no_grad()
def scores_of(retrieval: tuple[Laip, Split, Tensor]) -> tuple[Array, Array]:
    """Return cosines and logit differences of every pair, one at a time: (7, 9) each."""
    model, split, images = retrieval
    cosines, fine = np.zeros((7, 9)), np.zeros((7, 9))
    for i, caption in enumerate(split.captions):
        text = model.encode_texts([caption])
        for j in range(9):
            image = model.encode_images(images[j : j + 1])
            cosines[i, j] = float(F.cosine_similarity(text.embedding, image.embedding))
            logits = model.albef.matching_head(model.albef.fuse(text, image)[:, 0])[0]
            fine[i, j] = float(logits[1] - logits[0])
    return cosines, fine


def test_candidates_are_scored_again(retrieval: tuple[Laip, Split, Tensor]) -> None:
    """All as candidates: every pair by fusion; none: by cosine; some: the nearest are reordered."""
    cosines, fine = scores_of(retrieval)
    by_cosine = np.argsort(-cosines, axis=1)
    by_fusion = np.argsort(-fine, axis=1)
    gaps = np.diff(np.sort(fine, axis=1), axis=1)
    assert gaps.min() > 1e-4  # tokens are held in half precision
    assert not np.array_equal(by_cosine, by_fusion)
    assert order_of(retrieval, 0) == by_cosine.tolist()
    assert order_of(retrieval, 9) == by_fusion.tolist()
    expected = [
        [*sorted(row[:4], key=lambda j: -fine[i, j]), *row[4:]]
        for i, row in enumerate(by_cosine.tolist())
    ]
    assert order_of(retrieval, 4) == expected
