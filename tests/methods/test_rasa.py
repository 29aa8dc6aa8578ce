"""RaSa's losses against loops over rows, words and classes, and what its code says besides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.method import Batch, Run, TrainSet, TrainSummary
from harness.training.optimization import build_optimizer, build_schedule, parameter_groups
from leaderboard.reported.tables import load_papers
from methods.blocks.drawn_words import are_words
from methods.blocks.masking import mask_words
from methods.blocks.matching import Negatives
from methods.blocks.momentum_pairs import MomentumPairs
from methods.blocks.queue_contrast import NOBODY, queue_contrast
from methods.blocks.weak_pairs import Paired, with_weak_pairs
from methods.rasa import Rasa, RasaConfig

from .blocks.published_albef import SQUARE, TEMPERATURE, build_narrow, published, write_vocabulary
from .laip.scenes import Array, Step, close, cosine, fuse, mapped, softmax, tokens, values

PEOPLE = [2, 0, 2, 1]
CAPTIONS = [
    "a man in a red jacket and long blue jeans",
    "she is running",
    "a girl with a green backpack",
    "a woman wearing a green dress",
]
PAIRS = "methods.blocks.momentum_pairs"
ALL = ("itc", "imc", "pitm", "prd", "mlm", "mrtd")
# Beside the batch there are three more captions of its images.
TRAIN = SimpleNamespace(
    captions=[*CAPTIONS, "a man wearing a long coat", "a boy in white shoes", "a lady in red"],
    image_of_caption=torch.tensor([0, 1, 2, 3, 0, 1, 3]),
    captions_of_image=[[0, 4], [1, 5], [2], [3, 6]],
    person_of_image=torch.tensor(PEOPLE),
)


class Here(Step):
    """Stands for a step of training on four captions."""

    train = TRAIN


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Let torch use one thread: more only wait for each other on what is this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def method(**changes: Any) -> Rasa:
    """Return the tiny method in doubles; its momentum model differs from it."""
    settings = {"queue": 8, "weak_share": 0.7, **changes}
    config = RasaConfig(backbone="tiny-albef", image_size=(96, 32), **settings)
    torch.manual_seed(0)
    rasa = Rasa(config, TrainSummary(4, CAPTIONS, 3)).double()
    with torch.no_grad():
        for parameter in rasa.momentum_copy.parameters():
            parameter.mul_(0.97)
    return rasa


@pytest.fixture(scope="module")
def model() -> Rasa:
    """The method, for tests that leave it as it is."""
    return method()


def batch_of(people: Sequence[int] = PEOPLE, size: tuple[int, int] = (96, 32)) -> Batch:
    """Return four random images with the captions."""
    draw = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (4, 3, *size), dtype=torch.uint8, generator=draw)
    return Batch(images, CAPTIONS, torch.arange(4), torch.arange(4), torch.tensor(people))


def losses_of(rasa: Rasa, step: Step | None = None, **weights: float) -> dict[str, Tensor]:
    """Return the losses of the batch; by default an epoch in, where soft targets count fully."""
    step = step or Here(epoch=1)
    step.losses = weights
    return rasa.training_losses(batch_of(), cast(Run, step))


def seen(rasa: Rasa) -> MomentumPairs:
    """Return the batch as the last step saw it."""
    assert rasa.seen is not None
    return rasa.seen


def cross_entropy(logits: Sequence[float] | Array, label: int) -> float:
    """Return -log of the softmax at a label."""
    return -math.log(softmax(logits)[label])


def standing_for(rasa: Any) -> Any:
    """Return a model as LAIP's reference takes it."""
    return SimpleNamespace(albef=rasa)


def fused(albef: Any, ids: Sequence[int], image: Tensor) -> Array:
    """Read one text, without padding, with the tokens of an image: (L, D)."""
    text = values(tokens(albef.encoder.encode_tokens(torch.tensor([ids])))[0])
    return fuse(standing_for(albef), text, values(image))[0]


def unpadded(rasa: Rasa, row: Tensor) -> list[int]:
    """Return the ids of a text."""
    return [i for i in row.tolist() if i != rasa.albef.encoder.vocabulary.pad]


# Contrast.


def embeddings(rasa: Rasa, albef: Any, view: int, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Encode a view of the images, and texts."""
    chances = torch.rand(4, generator=Here().generator(f"view {view}"))
    images = batch_of().images
    flipped = torch.stack(
        [one.flip(-1) if chance < 0.5 else one for one, chance in zip(images, chances, strict=True)]
    )
    with torch.no_grad():
        return (
            albef.encoder.encode_images(flipped).embedding,
            albef.encoder.encode_texts(texts).embedding,
        )


def contrast(rows: Tensor, slow: Tensor, columns: Sequence[Any], labels: Sequence[int]) -> float:
    """L_NCE at a temperature of 0.3, with a share of 0.4 of the momentum model's view."""
    total = 0.0
    for i, person in enumerate(PEOPLE):
        p, judged = (
            softmax([cosine(values(one[i]), column) / 0.3 for column in columns])
            for one in (rows, slow)
        )
        for j, label in enumerate(labels):
            target = 0.4 * judged[j] + 0.6 * (label == person) / labels.count(person)
            total -= target * math.log(p[j])
    return total / 4


def test_contrast_across_and_within_modalities() -> None:
    """L_ITC and L_IMC against the momentum model's other view and its queues, weak pairs too."""
    rasa = method(temperature=0.3)
    draw = torch.Generator().manual_seed(5)
    old = [F.normalize(torch.randn(3, 64, generator=draw).double(), dim=1) for _ in range(2)]
    for queue, features in zip((rasa.image_queue, rasa.text_queue), old, strict=True):
        queue.push(features, torch.tensor([0, 9, NOBODY]))
    found = losses_of(rasa, itc=1.0, imc=2.0)
    paired = weak_pairs()
    assert paired.weak.any()
    images, texts = embeddings(rasa, rasa.albef, 1, paired.captions)
    slow_images, slow_texts = embeddings(rasa, rasa.slow, 2, paired.captions)
    of_images, of_texts = (
        [*now.tolist(), *before.tolist()]
        for now, before in zip((slow_images, slow_texts), old, strict=True)
    )
    terms = {
        (kind, other): contrast(*rows, columns, [*PEOPLE, 0, 9, NOBODY])
        for kind, rows in {"i": (images, slow_images), "t": (texts, slow_texts)}.items()
        for other, columns in {"i": of_images, "t": of_texts}.items()
    }
    close(found["itc"], (terms["i", "t"] + terms["t", "i"]) / 2, 1e-6)
    close(found["imc"], 2 * (terms["i", "i"] + terms["t", "t"]) / 2, 1e-6)


def test_the_momentum_models_share_of_a_first_epoch_has_begun() -> None:
    """Where a quarter of it is through, 0.1 of the target is the momentum model's."""
    rasa = method(temperature=0.3)
    found = losses_of(rasa, Here(stage=0, step=1), itc=1.0)["itc"]
    x, share = seen(rasa), 0.1
    images, texts = x.sides
    queues, labels = (rasa.text_queue, rasa.image_queue), x.labels
    terms = [
        queue_contrast(rows, others.judging, queue, labels, rasa.tau, share)
        for rows, others, queue in zip((images, texts), (texts, images), queues, strict=True)
    ]
    close(found, values(torch.stack(terms).mean()))


# Relation-aware learning.


def weak_pairs() -> Paired:
    """Return the captions that the pairs of the batch have, of which some are weak."""
    return with_weak_pairs(range(4), cast(TrainSet, TRAIN), 0.7, Here().generator("weak pairs"))


def test_matching_of_strong_and_weak_pairs(monkeypatch: pytest.MonkeyPatch, model: Rasa) -> None:
    """L_p-ITM: each pair matches; neither does with an image, nor with a text, of another."""
    other_image, other_text = [1, 3, 0, 0], [3, 2, 1, 2]
    drawn = Negatives(torch.tensor(other_image), torch.tensor(other_text))
    monkeypatch.setattr(f"{PAIRS}.draw_negatives", lambda *given: drawn)
    found = losses_of(model, pitm=1.0)["pitm"]
    images, read = tokens(seen(model).images), model.albef.encoder.tokenize(weak_pairs().captions)
    terms = []
    for row in range(4):
        for text, image in ((row, row), (row, other_image[row]), (other_text[row], row)):
            first = fused(model.albef, unpadded(model, read[text]), images[image])[:1]
            logits = mapped(model.albef.matching_head, first)[0]
            terms.append(cross_entropy(logits, int((text, image) == (row, row))))
    close(found, sum(terms) / 12, 1e-8)


def test_negatives_are_drawn_by_the_contrast(monkeypatch: pytest.MonkeyPatch, model: Rasa) -> None:
    """Images by the texts' cosines to the momentum model's images, and the other way round."""
    logits: list[Tensor] = []

    def noted(
        of_texts: Tensor, of_images: Tensor, same: Tensor, draws: torch.Generator
    ) -> Negatives:
        logits.extend([of_texts.detach(), of_images.detach()])
        assert same.tolist() == [[a == b for b in PEOPLE] for a in PEOPLE]
        return Negatives(*torch.zeros(2, 4, dtype=torch.long))

    monkeypatch.setattr(f"{PAIRS}.draw_negatives", noted)
    losses_of(model, pitm=1.0)
    images, texts = seen(model).sides
    for found, (rows, columns) in zip(logits, ((texts, images), (images, texts)), strict=True):
        expected = [
            [cosine(values(row), values(column)) / 0.07 for column in columns.judging]
            for row in rows.learning
        ]
        close(found, expected, 1e-6)


def test_weak_pairs_are_told_from_strong_ones(model: Rasa) -> None:
    """L_prd on the first token of each pair fused."""
    found = losses_of(model, prd=1.0)["prd"]
    images, pairs = tokens(seen(model).images), weak_pairs()
    read = model.albef.encoder.tokenize(pairs.captions)
    weak = [text != own for text, own in zip(pairs.captions, CAPTIONS, strict=True)]
    assert any(weak)
    assert not all(weak)
    terms = []
    for row in range(4):
        first = fused(model.albef, unpadded(model, read[row]), images[row])[:1]
        terms.append(cross_entropy(mapped(model.relation_head, first)[0], int(weak[row])))
    close(found, sum(terms) / 4, 1e-8)


# Sensitivity-aware learning.


def word_logits(albef: Any, found: Array) -> Array:
    """Return logits over the vocabulary for tokens (L, D)."""
    with torch.no_grad():
        return values(albef.masked_word_head(torch.from_numpy(found)))


def test_masked_words_are_guessed_as_the_momentum_model_does(model: Rasa) -> None:
    """L_MLM of the strong pair: 0.6 of the true word, 0.4 of the other model's odds."""
    found = losses_of(model, mlm=1.0)["mlm"]
    x = seen(model)
    words = model.albef.encoder.tokenize(CAPTIONS)
    masked = mask_words(
        words, model.albef.encoder.vocabulary, Here().generator("masked words"), 0.15
    )
    terms = []
    for row in range(4):
        ids = unpadded(model, masked.ids[row])
        fast, slow = (
            word_logits(albef, fused(albef, ids, tokens(images)[row]))
            for albef, images in ((model.albef, x.images), (model.slow, x.slow[0]))
        )
        for place in range(len(ids)):
            if masked.chosen[row, place]:
                p, q = softmax(fast[place]), softmax(slow[place])
                guess = -sum(b * math.log(a) for a, b in zip(p, q, strict=True))
                true = -math.log(p[int(words[row, place])])
                terms.append(0.6 * true + 0.4 * guess)
    assert len(terms) >= 4
    close(found, sum(terms) / len(terms), 1e-6)


@pytest.mark.parametrize("written", ["every word", "masked words"])
def test_replaced_words_are_detected(written: str) -> None:
    """L_m-RTD: words that the momentum model draws by its odds, told apart where they differ."""
    rasa = method(written=written)
    found = losses_of(rasa, mrtd=1.0)["mrtd"]
    x, v = seen(rasa), rasa.albef.encoder.vocabulary
    words, draws = rasa.albef.encoder.tokenize(CAPTIONS), Here().generator("detected words")
    masked = mask_words(words, v, draws, 0.3)
    chances = torch.rand(words.shape, generator=draws)
    terms, labels = [], []
    for row in range(4):
        ids = unpadded(rasa, masked.ids[row])
        true = unpadded(rasa, words[row])
        odds = word_logits(rasa.slow, fused(rasa.slow, ids, tokens(x.slow[0])[row]))
        read = list(ids)
        for place in range(1, len(ids) - 1):
            if written == "every word" or masked.chosen[row, place]:
                read[place] = drawn(odds[place], float(chances[row, place]), v)
        logits = mapped(rasa.word_head, fused(rasa.albef, read, tokens(x.images)[row]))
        for place in range(1, len(ids) - 1):
            label = int(read[place] != true[place])
            terms.append(cross_entropy(logits[place], label))
            labels.append(label)
    assert 0 < sum(labels) < len(labels) == int(are_words(words, v).sum())
    close(found, sum(terms) / len(terms), 1e-8)


def drawn(logits: Array, chance: float, v: Any) -> int:
    """Go up the odds of words until they exceed the chance."""
    words = [i for i in range(len(logits)) if i not in (v.pad, v.start, v.mask, v.end)]
    reached = 0.0
    for word, odds in zip(words, softmax(logits[words]), strict=True):
        reached += odds
        if reached > chance:
            return word
    raise AssertionError("odds sum to one")


def test_the_momentum_model_gets_no_gradient() -> None:
    """Nor do words that are drawn; everything else that learns has one."""
    rasa = method()
    found = losses_of(rasa, **dict.fromkeys(ALL, 1.0))
    torch.stack(list(found.values())).sum().backward()  # type: ignore[no-untyped-call]  # of torch
    spared = "albef.encoder.masked_word_head."  # tiny-clip's own
    for name, parameter in rasa.named_parameters():
        follows = name.startswith("momentum_copy.")
        assert parameter.requires_grad is not follows, name
        assert (parameter.grad is None) is (follows or name.startswith(spared)), name


def test_a_person_alone_in_a_batch_matches_himself() -> None:
    """No negative can be drawn, and all losses are finite."""
    rasa = method()
    step = Here()
    step.losses = dict.fromkeys(ALL, 1.0)
    found = rasa.training_losses(batch_of([1, 1, 1, 1]), cast(Run, step))
    assert all(torch.isfinite(loss) for loss in found.values())
    logits = rasa.albef.matching_head(seen(rasa).fused[:, 0])
    terms = [cross_entropy(row, 1) for row in logits.tolist()]
    close(found["pitm"], sum(terms) / 4)


# What is around the losses.


def test_the_total_is_that_of_the_code() -> None:
    """0.5 of the four contrasts' mean, 1 of p-ITM and of MLM, 0.5 of PRD and of m-RTD."""
    of_a_contrast = 0.5 / 4
    weights = {"itc": 2 * of_a_contrast, "imc": 2 * of_a_contrast}
    assert RasaConfig().losses == {**weights, "pitm": 1.0, "prd": 0.5, "mlm": 1.0, "mrtd": 0.5}


def test_a_candidate_is_scored_by_its_logit_of_a_match(model: Rasa) -> None:
    """The logit of no match is not looked at."""
    images = model.encode_images(batch_of().images)
    texts, chosen = model.encode_texts(CAPTIONS), torch.tensor([2, 0, 1, 0])
    found = model.rescore(texts, images, chosen)
    for row in range(4):
        ids = model.albef.encoder.tokenize([CAPTIONS[row]])[0].tolist()
        first = fused(model.albef, ids, tokens(images)[chosen[row]])[:1]
        close(found[row], mapped(model.albef.matching_head, first)[0][1], 1e-8)


def test_what_follows_the_step() -> None:
    """The whole momentum model moves, and the queues take up what it gave, by person."""
    rasa = method(momentum=0.75)
    losses_of(rasa, imc=1.0, mlm=1.0)
    given = [side.judging.clone() for side in seen(rasa).sides]
    before = [parameter.clone() for parameter in rasa.slow.parameters()]
    names = [name for name, _ in rasa.slow.named_parameters()]
    assert {"fusion", "masked_word_head", "encoder"} <= {name.split(".")[0] for name in names}
    rasa.after_step(batch_of(), cast(Run, Here(("imc", "mlm"))))
    for old, now, new in zip(before, rasa.slow.parameters(), rasa.albef.parameters(), strict=True):
        close(now, (0.75 * old + 0.25 * new).numpy(force=True))
    for queue, features in zip((rasa.image_queue, rasa.text_queue), given, strict=True):
        kept, labels = queue.filled()
        close(kept, features.numpy(), 1e-6)
        assert labels.tolist() == PEOPLE
    assert rasa.seen is None
    losses_of(rasa, mlm=1.0)
    rasa.after_step(batch_of(), cast(Run, Here(("mlm",))))
    assert len(rasa.image_queue.filled()[0]) == 4  # no contrast, nothing to compare with


def test_the_solver_is_the_codes() -> None:
    """30 epochs of AdamW from 1e-5 by a cosine to 1e-6, the new heads ten times as fast."""
    (stage,) = Rasa.recipes["paper"].stages
    assert (stage.epochs, stage.batch_size, stage.optimizer) == (30, 52, "adamw")
    rasa = method()
    optimizer = build_optimizer(parameter_groups(rasa, stage), stage)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    decays = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    for name, parameter in rasa.named_parameters():
        if not parameter.requires_grad:
            continue
        new = name.startswith(("relation_head.", "word_head."))
        assert rates.pop(id(parameter)) == pytest.approx(1e-4 if new else 1e-5), name
        spared = parameter.ndim == 1 or name.endswith(".bias")
        assert decays[id(parameter)] == (0.0 if spared else 0.02), name
    assert not rates
    schedule = build_schedule(optimizer, stage, 2)
    for _ in range(60):
        optimizer.step()
        schedule.step()
    assert min(schedule.get_last_lr()) == pytest.approx(1e-6)


def test_it_goes_on_from_albefs_published_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies of the encoders, queues and temperature are the file's; the fused layers' are new."""
    build_narrow(monkeypatch)
    write_vocabulary(tmp_path)
    state, _ = published(0, "text_encoder.bert.", head=True, patches=4)
    unit = {name: F.normalize(state[name], dim=0) for name in ("image_queue", "text_queue")}
    torch.save({"model": {**state, **unit}}, tmp_path / "ALBEF.pth")
    config = RasaConfig(backbone=f"albef/{tmp_path}", image_size=SQUARE, queue=6)
    rasa = Rasa(config, TrainSummary(4, CAPTIONS, 3))
    slow, fast = rasa.slow.state_dict(), rasa.albef.state_dict()
    copied = "text_encoder_m.bert.encoder.layer.5.output.dense.weight"
    assert torch.equal(slow["encoder.layers.5.output.dense.weight"], state[copied])
    name = "fusion.layers.2.crossattention.self.query.weight"
    assert torch.equal(slow[name], fast[name])
    # The decoder of the copy is the copy's word embeddings.
    words = "encoder.embeddings.word_embeddings.weight"
    assert torch.equal(slow["masked_word_head.decoder.weight"], slow[words])
    assert not torch.equal(slow[words], fast[words])
    assert rasa.image_queue.filled()[1].tolist() == [NOBODY] * 6
    assert float(rasa.temperature.detach()) == pytest.approx(TEMPERATURE)
    step = Here(epoch=1)
    step.losses = dict.fromkeys(ALL, 1.0)
    found = rasa.training_losses(batch_of(size=SQUARE), cast(Run, step))
    assert all(torch.isfinite(loss) for loss in found.values())
    torch.stack(list(found.values())).sum().backward()  # type: ignore[no-untyped-call]  # of torch
    rasa.after_step(batch_of(size=SQUARE), cast(Run, step))
    assert rasa.image_queue.filled()[1].tolist() == [*PEOPLE, NOBODY, NOBODY]
    slow = rasa.slow.state_dict()
    assert torch.equal(slow["masked_word_head.decoder.weight"], slow[words])


def test_rows_of_the_readme_stand_beside_its_figures() -> None:
    """Tables and labels are those of the reported file."""
    printed = load_papers()["rasa"].tables
    tables = {table.title: {row.label for row in table.rows} for table in printed}
    ours = Rasa.recipes["paper"].ablations
    assert ours.keys() == tables.keys()
    for title, rows in ours.items():
        assert rows.keys() <= tables[title]
