"""MeFa: multi-path exploration and feedback adjustment.

Kang, Chen, Wang and Xu, "Multi-path Exploration and Feedback Adjustment for Text-to-Image Person
Retrieval", 2024. https://arxiv.org/abs/2410.21318 Equations that are printed for distances, though
the paper's D is a cosine, are read with the signs that make them losses.

Shapes: B pairs, D the width of the joint space, N patches, L text tokens, K negatives of a row, M
negative captions of a batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.method import (
    Batch,
    Config,
    Download,
    Encoded,
    Highlight,
    Method,
    NegativeCaption,
    Recipe,
    Run,
    Stage,
    Supervision,
    TrainSet,
    TrainSummary,
)
from harness.registry import Paper, register
from methods.blocks.backbones import encoder_downloads, load_dual_encoder
from methods.blocks.extra_data import OF_MEFA
from methods.blocks.losses import cosine, identity_target, infonce, precise
from methods.blocks.objective import weighted
from methods.blocks.phrases import Word, tag, tagger_downloads
from methods.blocks.text_negatives import mine_once
from methods.blocks.transfer import sent
from methods.blocks.word_fillers import filler_downloads, load_filler

EVA = "EVA02-B-16/merged2b_s8b_b131k"
CLIP = "ViT-B-16-quickgelu/openai"
PATHS = ("imr_t", "imr_v", "cmr", "dcc")


@dataclass(frozen=True)
class MefaConfig(Config):
    """Alpha, gamma, K, k and tau are not given in the paper."""

    supervision: Supervision = Supervision.IDENTITY
    # The weights are not given either: each path adds its terms to the contrast of the baseline.
    losses: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(("itc", *PATHS), 1.0))
    margin: float = 0.5  # alpha
    sharpness: float = 10.0  # gamma
    clue_words: int = 3  # K
    neighbours: int = 5  # k, images like a person's that show another
    temperature: float = 0.02  # tau
    tagger: str = "perceptron"
    filler: str = "FacebookAI/roberta-base"  # completes captions in which a word is masked


class Local(NamedTuple):
    """What stands behind an embedding: patches or words, in the joint space."""

    tokens: Tensor  # (B, N, D)
    real: Tensor  # (B, N) bool


class Pairs:
    """A batch, encoded; negatives are encoded where a loss asks for them."""

    def __init__(
        self, batch: Batch, run: Run, images: Encoded, texts: Encoded, words: Tensor
    ) -> None:
        """`words` (B, L) bool tells which tokens of the texts are words."""
        assert batch.person_ids is not None  # given to every IDENTITY method
        self.batch = batch
        self.run = run
        self.person_ids = batch.person_ids  # (B,)
        self.image = images.embedding  # (B, D)
        self.text = texts.embedding  # (B, D)
        self._images = images
        self._texts = texts
        self._words = words

    @cached_property
    def patches(self) -> Local:
        tokens = _tokens(self._images)[:, 1:]  # (B, N, D)
        return Local(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))

    @cached_property
    def words(self) -> Local:
        return Local(_tokens(self._texts), self._words)


def _rows(*paths: str) -> dict[str, dict[str, float]]:
    return {"losses": dict.fromkeys(("itc", *paths), 1.0)}


def _backbone_rows(eva_baseline: str) -> dict[str, dict[str, Any]]:
    """Return the rows of CLIP and EVA-CLIP, each as a baseline and with all paths."""
    return {
        "CLIP(ViT-B/16)": {**_rows(), "backbone": CLIP},
        eva_baseline: _rows(),
        "MeFa(CLIP)": {"backbone": CLIP},
        "MeFa(EvaCLIP)": {},
    }


@register(
    "mefa",
    title="MeFa",
    paper=Paper(
        "Multi-path Exploration and Feedback Adjustment for Text-to-Image Person Retrieval",
        ("Bin Kang", "Bin Chen", "Junjie Wang", "Yong Xu"),
        2024,
        "arXiv",
        "https://arxiv.org/abs/2410.21318",
        kind="misc",
    ),
    extra_data=OF_MEFA,
)
class Mefa(Method):
    """Hard negatives, local features refined across modalities, and clues of middling similarity.

    All three act while training; retrieval compares the global embeddings.
    """

    config_class = MefaConfig
    spreads = True
    recipes = {
        "tiny": Recipe(
            "tiny-clip",
            (96, 32),
            stages=(Stage(epochs=2, learning_rate=2e-3, warmup_epochs=0.5),),
            threads=1,
            config={"temperature": 0.1, "tagger": "lexicon", "filler": "tiny-clip"},
        ),
        "small": Recipe(
            "tiny-eva",
            (96, 32),
            stages=(Stage(epochs=3, learning_rate=2e-3, warmup_epochs=0.5),),
            threads=1,
            config={"temperature": 0.1, "tagger": "lexicon", "filler": "tiny-clip"},
            # What Table 1 asks of CLIP and EVA-CLIP.
            ablations={
                "Starting weights": {
                    "tiny-clip (baseline)": {**_rows(), "backbone": "tiny-clip"},
                    "tiny-eva (baseline)": _rows(),
                    "MeFa(tiny-clip)": {"backbone": "tiny-clip"},
                    "MeFa(tiny-eva)": {},
                }
            },
        ),
        # "Following EvaCLIP's guidelines": the betas and the weight decay, which the paper does not
        # give, are those of EVA-CLIP's own training code (github.com/baaivision/EVA, EVA-CLIP: 0.98
        # for what it calls a ViT in rei/training/params.py; --wd=0.05 in the README's command for
        # EVA02_CLIP_B_psz16_s8B). Without weight decay, timm's LAMB would be Adam.
        "paper": Recipe(
            EVA,
            (224, 224),
            stages=(
                Stage(
                    epochs=12, learning_rate=1e-5, batch_size=80, optimizer="lamb",
                    betas=(0.9, 0.98), weight_decay=0.05,
                    schedule="constant", warmup_epochs=12, warmup_start=0.1,
                ),
            ),
            precision="fp16",
            # The same four rows on CUHK-PEDES, ICFG-PEDES and RSTPReid.
            ablations={
                "Table 1": _backbone_rows("EvaCLIP(baseline)"),
                "Table 2": _backbone_rows("EvaCLIP"),
                "Table 3": _backbone_rows("EvaCLIP"),
            },
        ),
    }  # fmt: skip
    ablations = {
        "Table 4": {
            "0": _rows(),
            "I": _rows("imr_t"),
            "II": _rows("imr_v"),
            "III": _rows("cmr"),
            "IV": _rows("dcc"),
            "V": _rows("imr_t", "imr_v"),
            "VI": _rows("imr_t", "imr_v", "cmr"),
            "VII": _rows("imr_t", "imr_v", "dcc"),
            "VIII": {},
        },
    }

    @classmethod
    def downloads(cls, config: Any) -> Sequence[Download]:
        encoder = encoder_downloads(config.backbone)
        if "imr_t" not in config.losses:  # nothing is mined
            return encoder
        return [*encoder, *filler_downloads(config.filler), *tagger_downloads(config.tagger)]

    def __init__(self, config: MefaConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        self.encoder = load_dual_encoder(config.backbone, config.image_size)
        self.refinement = Refinement(self.encoder.width)
        self.negatives_of_caption: Mapping[int, Sequence[str]] = {}
        self.neighbours = torch.empty(0, 0, dtype=torch.long)  # (images, k), by numbers

    def encode_images(self, images: Tensor) -> Encoded:
        return self.encoder.encode_images(images)

    def encode_texts(self, captions: Sequence[str]) -> Encoded:
        return self.encoder.encode_texts(captions)

    def prepare(self, train: TrainSet, run: Run) -> None:
        """Mine negative captions, and for each image its neighbours that show another person."""
        if "imr_t" in run.losses:
            found = defaultdict(list)
            for negative in self.negative_captions(train, run):
                found[negative.caption].append(negative.text)
            self.negatives_of_caption = found
        if "imr_v" in run.losses:
            assert train.person_of_image is not None  # given to every IDENTITY method
            features = run.encode(train)[0].embedding  # (images, D)
            people = train.person_of_image.to(features.device)
            self.neighbours = nearest_others(features, people, self.config.neighbours).cpu()
            self.pixels = train.pixels

    def negative_captions(self, train: TrainSet, run: Run) -> Sequence[NegativeCaption]:
        """Mine hard negatives of every training caption, of three tiers."""
        seed = int(torch.randint(2**31, (), generator=run.generator("negative captions")))
        filler = load_filler(self.config.filler, run.device)
        return mine_once(train.captions, self.config.tagger, seed, filler, run.tell)

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        # NOTE: no augmentation: the paper names none.
        words = self.encoder.tokenize(batch.captions)  # (B, L)
        images = run.spread(self.encoder.encode_images, batch.images)
        texts = run.spread(self.encoder.encode_tokens, words)
        return weighted(
            run.losses,
            Pairs(batch, run, images, texts, self.encoder.vocabulary.words(words)),
            itc=self.contrast,
            imr_t=self.text_reasoning,
            imr_v=self.image_reasoning,
            cmr=self.refined_contrast,
            dcc=self.clue_contrast,
        )

    def contrast(self, x: Pairs) -> Tensor:
        """The baseline's loss, which the paper does not name."""
        return infonce(x.image, x.text, self.config.temperature)

    def text_reasoning(self, x: Pairs) -> Tensor:
        """IMR(T): an image, its caption, and the caption with something changed."""
        texts = [self.negatives_of_caption.get(row, ()) for row in x.batch.caption_numbers]
        flat = [text for of_row in texts for text in of_row]
        exists = _slots([len(of_row) for of_row in texts], x.image.device)  # (B, K)
        if not flat:
            return 0 * x.image.sum()  # no caption of this batch could be changed
        words = self.encoder.tokenize(flat)  # (M, L)
        negatives = precise(x.run.spread(self.encoder.embed_tokens, words))  # (M, D)
        rows = exists.nonzero()[:, 0]  # (M,)
        similarity = _similarity(x.image[rows], negatives)  # (M,)
        spread = similarity.new_zeros(exists.shape).masked_scatter(exists, similarity)  # (B, K)
        return self._reason(_similarity(x.image, x.text), spread, exists)

    def image_reasoning(self, x: Pairs) -> Tensor:
        """IMR(V): a caption, its image, and one of the images most like it."""
        candidates = self.neighbours[list(x.batch.image_numbers)]  # (B, k)
        draws = torch.rand(len(candidates), generator=x.run.generator("neighbours"))
        chosen = (draws * candidates.shape[1]).long()  # (B,)
        rows = candidates.gather(1, chosen[:, None])[:, 0]  # (B,)
        images = sent(self.pixels(rows), x.text.device)  # (B, 3, H, W)
        encoded = x.run.spread(self.encoder.embed_images, images)  # (B, D)
        negatives = _similarity(x.text, encoded)[:, None]  # (B, 1)
        exists = torch.ones_like(negatives, dtype=torch.bool)
        return self._reason(_similarity(x.text, x.image), negatives, exists)

    def _reason(self, positive: Tensor, negatives: Tensor, exists: Tensor) -> Tensor:
        return separation(positive, negatives, exists, self.config.margin) + intra_modal_contrast(
            positive, negatives, exists, self.config.sharpness
        )

    def refined_contrast(self, x: Pairs) -> Tensor:
        """CMR: local features weighed by the other modality, refined, pooled and contrasted."""
        of_patches, of_words = interaction_weights(x.patches, x.words)  # (B, N), (B, L)
        images = self.refinement(of_patches[..., None] * x.patches.tokens, x.image)  # (B, N, D)
        # NOTE: equation 5 prints the image's feature in the gate of the text.
        texts = self.refinement(of_words[..., None] * x.words.tokens, x.text)  # (B, L, D)
        pooled = _pooled(images, x.patches.real), _pooled(texts, x.words.real)  # (B, D) each
        return normalised_contrast(*pooled, x.person_ids, self.config.temperature)

    def clue_contrast(self, x: Pairs) -> Tensor:
        """DCC: each image finds the caption whose words of middling similarity are its own."""
        clues = middling_words(x.words, x.image, self.config.clue_words)  # (B, D)
        return discriminative_contrast(x.image, clues, x.person_ids, self.config.temperature)

    @torch.no_grad()
    def highlight(self, images: Tensor, captions: Sequence[str]) -> list[list[Highlight]]:
        """Tell how much each word is like its image, by its global feature (Figure 4)."""
        ids = self.encoder.tokenize(captions)  # (B, L)
        whole = self.encode_images(images).embedding  # (B, D)
        similarity = cosine_of_tokens(_tokens(self.encoder.encode_tokens(ids)), whole)  # (B, L)
        pieces = self.encoder.vocabulary.words(ids)  # (B, L)
        return [
            self._words(caption, words, of_tokens[are_pieces])
            for caption, words, of_tokens, are_pieces in zip(
                captions, tag(captions, self.config.tagger), similarity, pieces, strict=True
            )
        ]

    def _words(self, caption: str, words: Sequence[Word], similarity: Tensor) -> list[Highlight]:
        """Give a word the mean of its pieces, `similarity` being theirs; one cut off has none."""
        found = []
        for word in words:
            # The pieces of what precedes the word stand before its own.
            first = len(self.encoder.word_pieces(caption[: word.start].rstrip()))
            last = len(self.encoder.word_pieces(caption[: word.end]))
            if first < last <= len(similarity):
                value = float(similarity[first:last].mean())
                found.append(Highlight(word.start, word.end, similarity=value))
        return found


class Refinement(nn.Module):
    """Local features gated together with their global one (eq. 4 and 5), back at width D.

    The gate starts open and the projection as the sum of both halves, so that training starts from
    the encoder's own alignment. Both modalities share it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(2 * width, 2 * width)  # W_f, b_f
        self.project = nn.Linear(2 * width, width, bias=False)
        nn.init.ones_(self.gate.bias)
        with torch.no_grad():
            self.project.weight.copy_(torch.eye(width).repeat(1, 2))

    def forward(self, local: Tensor, whole: Tensor) -> Tensor:
        """(B, N, D), (B, D) -> (B, N, D)."""
        both = torch.cat([local, whole[:, None].expand_as(local)], dim=2)  # (B, N, 2D)
        refined: Tensor = self.project(both * self.gate(both).tanh())  # (B, N, D)
        return refined


def separation(positive: Tensor, negatives: Tensor, exists: Tensor, margin: float) -> Tensor:
    """L_imr: mean of [alpha + s_n - s_p]_+ over the negatives of a row, then over rows (eq. 1).

    (B,), (B, K), (B, K) -> (); a row without a negative is left out.
    """
    hinges = F.relu(margin + negatives - positive[:, None]) * exists  # (B, K)
    of_row = hinges.sum(dim=1) / exists.sum(dim=1).clamp_min(1)  # (B,)
    return of_row.sum() / exists.any(dim=1).sum().clamp_min(1)


def intra_modal_contrast(
    positive: Tensor, negatives: Tensor, exists: Tensor, sharpness: float
) -> Tensor:
    """L_imc: mean over rows of log(1 + exp(gamma (max_n s_n - s_p))) (eq. 2).

    (B,), (B, K), (B, K) -> (); a row without a negative is left out.
    """
    rows = exists.any(dim=1)  # (B,)
    hardest = negatives.masked_fill(~exists, -torch.inf)[rows].amax(dim=1)  # (B',)
    return F.softplus(sharpness * (hardest - positive[rows])).sum() / rows.sum().clamp_min(1)


def interaction_weights(patches: Local, words: Local) -> tuple[Tensor, Tensor]:
    """Weigh patches by the words of their caption and words by the patches (eq. 3).

    The softmax is over all pairs of a patch and a word; what one of them gets is summed over the
    other, and scaled so that the mean weight is 1. Returns (B, N), (B, L), 0 where not real.
    """
    # Mixed precision is off: a similarity in half precision has three digits.
    with torch.autocast(patches.tokens.device.type, enabled=False):
        images = F.normalize(precise(patches.tokens), dim=2)  # (B, N, D)
        texts = F.normalize(precise(words.tokens), dim=2)  # (B, L, D)
        similarity = images @ texts.transpose(1, 2)  # (B, N, L)
    pairs = patches.real[:, :, None] & words.real[:, None, :]  # (B, N, L)
    # The lowest number, not infinity: a caption without words has no pair at all.
    lowest = torch.finfo(similarity.dtype).min
    share = similarity.masked_fill(~pairs, lowest).flatten(1).softmax(dim=1)  # (B, N L)
    share = share.view_as(similarity)  # (B, N, L)
    return (
        share.sum(dim=2) * patches.real.sum(dim=1, keepdim=True),
        share.sum(dim=1) * words.real.sum(dim=1, keepdim=True),
    )


def normalised_contrast(
    images: Tensor, texts: Tensor, person_ids: Tensor, temperature: float
) -> Tensor:
    """L_nitc: cross-entropy towards the row-normalised identities, both ways' mean (eq. 6)."""
    logits = cosine(images, texts) / temperature  # (B, B)
    target = identity_target(person_ids)  # (B, B)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def middling_words(words: Local, images: Tensor, count: int) -> Tensor:
    """R: the mean of the words that are neither most nor least like their image: (B, D).

    Of a caption with fewer than `count` words, all are taken.
    """
    tokens = F.normalize(precise(words.tokens), dim=2)  # (B, L, D)
    similarity = cosine_of_tokens(words.tokens, images)  # (B, L)
    ranked = similarity.masked_fill(~words.real, -torch.inf).argsort(
        dim=1, descending=True, stable=True
    )  # (B, L)
    lengths = words.real.sum(dim=1, keepdim=True)  # (B, 1)
    first = ((lengths - count) // 2).clamp_min(0)  # (B, 1)
    place = torch.arange(tokens.shape[1], device=tokens.device)  # (L,)
    middle = (place >= first) & (place < torch.minimum(first + count, lengths))  # (B, L)
    chosen = torch.zeros_like(words.real).scatter(1, ranked, middle)  # (B, L)
    return _pooled(tokens, chosen)


def discriminative_contrast(
    images: Tensor, clues: Tensor, person_ids: Tensor, temperature: float
) -> Tensor:
    """L_ditc: -log softmax over captions of cos(v_i, R_j) / tau at the own one (eq. 7).

    Printed as a ratio whose numerator is no part of its denominator, it has no lower bound. Other
    captions of the same person are left out.
    """
    logits = cosine(images, clues) / temperature  # (B, B)
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    same = (person_ids[:, None] == person_ids[None, :]) & ~own  # (B, B)
    return -logits.masked_fill(same, -torch.inf).log_softmax(dim=1).diagonal().mean()


def nearest_others(features: Tensor, people: Tensor, count: int, block: int = 1024) -> Tensor:
    """Return the most similar images of other people: (N, D), (N,) -> (N, count).

    Fewer where the person of most images leaves no more.

    Raises:
        ValueError: all images show one person.
    """
    most = int((len(people) - people.bincount().max()).clamp_max(count))
    if not most:
        raise ValueError("all training images show one person: there are no negatives among them")
    found = []
    for rows in torch.split(torch.arange(len(people), device=features.device), block):
        similarity = cosine(features[rows], features)  # (R, N)
        same = people[rows][:, None] == people[None, :]  # (R, N)
        found.append(similarity.masked_fill(same, -torch.inf).topk(most, dim=1).indices)
    return torch.cat(found)  # (N, count)


def cosine_of_tokens(tokens: Tensor, whole: Tensor) -> Tensor:
    """(B, L, D), (B, D) -> (B, L)."""
    return F.cosine_similarity(precise(tokens), precise(whole)[:, None], dim=2)


def _pooled(tokens: Tensor, chosen: Tensor) -> Tensor:
    """Return the mean of the chosen tokens: (B, L, D), (B, L) -> (B, D)."""
    tokens = precise(tokens)
    weights = chosen.to(tokens.dtype)[..., None]  # (B, L, 1)
    return (tokens * weights).sum(dim=1) / weights.sum(dim=1).clamp_min(1)


def _similarity(rows: Tensor, others: Tensor) -> Tensor:
    """Cosine of each row with its own other: (B, D) twice -> (B,)."""
    return F.cosine_similarity(precise(rows), precise(others), dim=1)


def _slots(counts: Sequence[int], device: torch.device) -> Tensor:
    """Say which of K slots a row fills, K the most: B counts -> (B, K) bool."""
    filled = torch.tensor(counts, device=device)  # (B,)
    return torch.arange(max(counts, default=0), device=device) < filled[:, None]


def _tokens(encoded: Encoded) -> Tensor:
    assert encoded.tokens is not None  # every encoder here gives them
    return encoded.tokens
