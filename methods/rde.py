"""RDE: robust dual embedding, which trusts a training pair where two views of it agree.

Qin, Chen, Peng, Peng, Zhou and Hu, "Noisy-Correspondence Learning for Text-to-Image Person
Re-identification", CVPR 2024. https://arxiv.org/abs/2308.09911
(code: https://github.com/QinYang79/RDE)

Shapes: B pairs, D the width of the joint space, E that of a token embedding, K selected tokens,
L text tokens, N captions of the training set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.method import (
    Batch,
    Config,
    Download,
    Method,
    Recipe,
    Run,
    Stage,
    Supervision,
    TrainSummary,
)
from harness.registry import Paper, register
from methods.blocks import losses, triplets
from methods.blocks.augment import Augmentation, augment
from methods.blocks.backbones import encoder_downloads, load_dual_encoder
from methods.blocks.extra_data import OF_ENCODERS
from methods.blocks.losses import cosine
from methods.blocks.masking import disturb_words
from methods.blocks.mixture import fit_mixture
from methods.blocks.objective import weighted
from methods.blocks.selection import Selected, select_patches, select_words

Loss = Literal["tal", "trl", "trl_s", "sdm"]
Pool = Literal["max", "top", "mean"]
TOP = 10  # K of the top-K pooling (Table 7)


@dataclass(frozen=True)
class RdeConfig(Config):
    """The paper's values; where it gives none, those of its code."""

    supervision: Supervision = Supervision.IDENTITY
    # Eq. 10: the basic global embedding and the token selection embedding, each by its own loss.
    losses: Mapping[str, float] = field(default_factory=lambda: {"bge": 1.0, "tse": 1.0})
    loss: Loss = "tal"
    margin: float = 0.1  # m
    temperature: float = 0.015  # tau
    sdm_temperature: float = 0.02  # of the row SDM; not given in the paper, the code's
    selected_share: float = 0.3  # R, of the patches, and of the words of the longest text
    embedding_width: int = 1024  # E; not given in the paper, the code's, like half of it within
    embedding: Literal["transformed", "plain"] = "transformed"  # TSE, or TSE' of Table 7
    pool: Pool = "max"
    # By what the norms of token embeddings scale in training. The paper's code trained in its mode
    # of evaluation, by running means and variances, which stayed 0 and 1. Since it was mended, in
    # October 2024, its authors find a little more without noise and less under it
    # (https://github.com/QinYang79/RDE/issues/8).
    norm: Literal["batch", "fixed"] = "batch"
    similarity: tuple[str, ...] = ("bge", "tse")  # whose mean ranks
    division: Literal["consensus", "none"] = "consensus"  # none: every pair is trusted
    threshold: float = 0.5  # delta
    # The mixture's, not given in the paper. NOTE: the code has (100, 1e-4, 1e-6) above 40 % noise
    # and on RSTPReid; a method that is not told how many pairs are wrong has one choice.
    mixture_iterations: int = 10
    mixture_tolerance: float = 1e-2
    mixture_floor: float = 5e-4
    # Where no pair is found noisy, the share that is called so; not given in the paper.
    least_noisy: float = 0.01
    # Words of a training caption that are hidden, replaced or removed; shares of the code.
    disturbed_share: float = 0.2
    hidden: float = 0.6  # of those
    replaced: float = 0.2
    new_module_rate: float = 100.0  # learning rate of the token embeddings, as a multiple
    bias_rate: float = 2.0  # of biases of the encoder; not given in the paper, the code's


@dataclass(frozen=True)
class Pairs:
    """A batch, encoded."""

    images: Mapping[str, Tensor]  # "bge": (B, D), "tse": (B, E)
    texts: Mapping[str, Tensor]
    person_ids: Tensor  # (B,)
    trusted: Tensor  # (B,) 0 or 1


class TokenEmbedding(nn.Module):
    """Selected tokens to one embedding, by a block with a residual path (eq. 1)."""

    def __init__(self, width: int, embedding_width: int) -> None:
        super().__init__()
        hidden = embedding_width // 2
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, embedding_width),
        )
        self.fc = nn.Linear(width, embedding_width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, K, D) -> (B, K, E).

        NOTE: of a text with fewer than K words the batch norm sees other tokens too, as in the
        code.
        """
        rows = tokens.flatten(0, 1)  # (B K, D)
        found: Tensor = self.mlp(rows) + self.fc(rows)  # (B K, E)
        return found.view(*tokens.shape[:2], -1)


ON_TINY_CLIP = {
    "temperature": 0.05,  # nearer to the one that it was pre-trained with
    "embedding_width": 128,
    "new_module_rate": 1.0,
    "bias_rate": 1.0,
}


@register(
    "rde",
    title="RDE",
    paper=Paper(
        "Noisy-Correspondence Learning for Text-to-Image Person Re-identification",
        ("Yang Qin", "Yingke Chen", "Dezhong Peng", "Xi Peng", "Joey Tianyi Zhou", "Peng Hu"),
        2024,
        "CVPR",
        "https://arxiv.org/abs/2308.09911",
    ),
    extra_data=OF_ENCODERS,
)
class Rde(Method):
    """A global and a token embedding, trained by a triplet alignment loss on pairs both trust.

    Before each epoch the losses of all pairs are divided by a mixture of two normal distributions.
    """

    config_class = RdeConfig
    spreads = True
    # Adam's eps and weight decay, which biases are spared, are not given in the paper: they are the
    # code's (solver/build.py, utils/options.py), and so is the start of the warm-up. NOTE: the code
    # changes the learning rate from epoch to epoch, here it changes with each step; it keeps the
    # epoch that is best on test, here val chooses.
    recipes = {
        "tiny": Recipe(
            "tiny-clip",
            (96, 32),
            stages=(
                Stage(
                    epochs=4, learning_rate=2e-3, warmup_epochs=0.5,
                    eps=1e-3, weight_decay=4e-5, undecayed=("biases",),
                ),
            ),
            threads=1,
            config=ON_TINY_CLIP,
        ),
        "small": Recipe(
            "tiny-clip",
            (96, 32),
            stages=(
                Stage(
                    epochs=12, learning_rate=2e-3, warmup_epochs=1,
                    eps=1e-3, weight_decay=4e-5, undecayed=("biases",),
                ),
            ),
            threads=1,
            config=ON_TINY_CLIP,
        ),
        "paper": Recipe(
            "ViT-B-16-quickgelu/openai",
            (384, 128),
            stages=(
                Stage(
                    epochs=60, learning_rate=1e-5, warmup_epochs=5,
                    eps=1e-3, weight_decay=4e-5, undecayed=("biases",),
                ),
            ),
            precision="fp16",
        ),
    }  # fmt: skip
    # The paper's tables are of 50 % wrong pairs.
    ablations = {
        "Table 2": {
            "RDE": {},
            "TRL": {"loss": "trl"},
            "TRL-S": {"loss": "trl_s"},
            "SDM": {"loss": "sdm"},
            # NOTE: it is not said whether these rows train one embedding or rank by one. The code
            # scores a model that was trained with both by each, and the consensus takes both.
            "TSE alone": {"similarity": ("tse",)},
            "BGE alone": {"similarity": ("bge",)},
            "without CCD": {"division": "none"},
        },
        "Table 7": {
            "TSE', Avg.": {"embedding": "plain", "pool": "mean"},
            "TSE', TopK": {"embedding": "plain", "pool": "top"},
            "TSE', Max.": {"embedding": "plain"},
            "TSE, Avg.": {"pool": "mean"},
            "TSE, TopK": {"pool": "top"},
            "TSE, Max.": {},
        },
        "Batch norm": {
            "of the batch, as in the code today": {"norm": "batch"},
            "fixed, as in the code of the paper": {"norm": "fixed"},
        },
        # The paper draws curves without values, at these points.
        "Figure 4": {
            **{f"m = {margin}": {"margin": margin} for margin in (0.0, 0.1, 0.2, 0.3, 0.4)},
            **{
                f"tau = {value}": {"temperature": value}
                for value in (0.01, 0.015, 0.03, 0.05, 0.075, 0.1)
            },
        },
    }

    trusted: Tensor  # (N,) bool: l-hat of eq. 4

    @classmethod
    def downloads(cls, config: Any) -> Sequence[Download]:
        return encoder_downloads(config.backbone)

    def __init__(self, config: RdeConfig, train: TrainSummary) -> None:
        super().__init__(config, train)
        self.encoder = load_dual_encoder(config.backbone, config.image_size)
        self.augmentation = Augmentation()
        width = self.encoder.width
        self.image_tokens = TokenEmbedding(width, config.embedding_width)
        self.text_tokens = TokenEmbedding(width, config.embedding_width)
        self.register_buffer("trusted", torch.ones(len(train.captions), dtype=torch.bool))

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        learning = mode and self.config.norm == "batch"
        self.image_tokens.train(learning)
        self.text_tokens.train(learning)
        return self

    def encode_images(self, images: Tensor) -> Tensor:
        return self._joined(self.embed(self.select_patches(images), self.image_tokens))

    def encode_texts(self, captions: Sequence[str]) -> Tensor:
        words = self.select_words(self.encoder.tokenize(captions))
        return self._joined(self.embed(words, self.text_tokens))

    def _joined(self, embeddings: Mapping[str, Tensor]) -> Tensor:
        """Return embeddings whose cosine is the mean of those of their parts, S = (Sb + St) / 2."""
        parts = [F.normalize(embeddings[name], dim=-1) for name in self.config.similarity]
        return torch.cat(parts, dim=1)  # (B, D + E)

    def select_patches(self, images: Tensor) -> Selected:
        """Select patches by the attention of the class token: (B, 3, H, W) -> tokens (B, K, D)."""
        return select_patches(self.encoder, images, self.config.selected_share)

    def select_words(self, ids: Tensor) -> Selected:
        """Select words by the attention of the end token: (B, L) -> tokens (B, K, D).

        NOTE: the paper prints the first row of the attention, which is that of the start token; it
        calls [EOS] the global one, and its code takes that row.
        """
        return select_words(self.encoder, ids, self.config.selected_share)

    def embed(self, selected: Selected, embedding: TokenEmbedding) -> dict[str, Tensor]:
        """Return both embeddings of items: "bge" (B, D), "tse" (B, E) (eq. 1)."""
        tokens = F.normalize(selected.tokens, dim=-1)  # (B, K, D)
        if self.config.embedding == "transformed":
            tokens = embedding(tokens)  # (B, K, E)
        # Of a text without words its first token stands.
        real = selected.real | (torch.arange(tokens.shape[1], device=tokens.device) == 0)
        return {"bge": selected.embedding, "tse": POOLS[self.config.pool](tokens, real)}

    def begin_epoch(self, run: Run) -> None:
        """Trust the pairs that both losses call clean; where one does, a coin decides (eq. 4).

        Losses are of disturbed pairs and by the model in evaluation mode, as in the code.
        """
        if self.config.division == "none":
            return
        measured = run.measure(partial(self.losses_of_pairs, run=run))  # (N,) each
        clean = torch.stack([self.divide(loss) for loss in measured.values()])  # (losses, N)
        coin = torch.rand(clean.shape[1], generator=run.generator("uncertain")) < 0.5
        trusted = clean.all(dim=0) | (clean.any(dim=0) & coin)  # (N,)
        self.trusted.copy_(trusted)
        run.report_clean(trusted)

    def divide(self, of_pairs: Tensor) -> Tensor:
        """Return which pairs are clean by their losses: (N,) -> (N,) bool, on the CPU (eq. 3).

        The losses are scaled to [0, 1], as in the code. NOTE: there the mixture begins with k-means
        from drawn means, here from the extremes.
        """
        of_pairs = of_pairs.cpu().double()
        low, high = of_pairs.aminmax()
        scaled = (of_pairs - low) / (high - low).clamp_min(1e-12)
        mixture = fit_mixture(
            scaled,
            iterations=self.config.mixture_iterations,
            tolerance=self.config.mixture_tolerance,
            floor=self.config.mixture_floor,
        )
        clean = mixture.lower(scaled)  # p(k = 0 | l), (N,)
        threshold = self.config.threshold
        if clean.min() > threshold:
            threshold = float(clean.sort().values[int(len(clean) * self.config.least_noisy)])
        found: Tensor = clean > threshold
        return found

    def losses_of_pairs(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        """Return the loss of each pair, (B,) by embedding (eq. 2)."""
        pairs = self.encode(batch, run)
        return {name: self.of_pairs(pairs, name) for name in run.losses}

    def training_losses(self, batch: Batch, run: Run) -> dict[str, Tensor]:
        pairs = self.encode(batch, run)
        return weighted(
            run.losses,
            pairs,
            bge=partial(self.matching, name="bge"),
            tse=partial(self.matching, name="tse"),
        )

    def encode(self, batch: Batch, run: Run) -> Pairs:
        """Encode a batch of disturbed images and captions."""
        assert batch.person_ids is not None
        images = augment(
            batch.images, self.augmentation, self.encoder.mean, run.generator("augment")
        )
        words = disturb_words(
            self.encoder.tokenize(batch.captions),
            self.encoder.vocabulary,
            run.generator("disturb"),
            share=self.config.disturbed_share,
            hidden=self.config.hidden,
            replaced=self.config.replaced,
        )  # (B, L)
        return Pairs(
            self.embed(run.spread(self.select_patches, images), self.image_tokens),
            self.embed(run.spread(self.select_words, words), self.text_tokens),
            batch.person_ids,
            self.trusted[batch.caption_index],
        )

    def matching(self, x: Pairs, name: str) -> Tensor:
        """Return the loss of the trusted pairs of a batch (eq. 10).

        NOTE: SDM is their mean and no sum, as in the code.
        """
        summed: Tensor = (x.trusted * self.of_pairs(x, name)).sum()
        return summed / x.trusted.sum().clamp_min(1) if self.config.loss == "sdm" else summed

    def of_pairs(self, x: Pairs, name: str) -> Tensor:
        """Return the loss of each pair by one embedding, both directions: (B,)."""
        similarity = cosine(x.images[name], x.texts[name])  # (B, B)
        same = x.person_ids[:, None] == x.person_ids[None, :]  # (B, B)
        loss = LOSSES[self.config.loss]
        return loss(similarity, same, self.config) + loss(similarity.T, same, self.config)

    def parameter_groups(self, stage: Stage) -> Iterable[dict[str, Any]]:
        """Token embeddings learn much faster than the encoder, whose biases learn faster too."""
        rates = {"weight": 1.0, "bias": self.config.bias_rate, "new": self.config.new_module_rate}
        groups: dict[str, list[Tensor]] = {kind: [] for kind in rates}
        for name, parameter in self.named_parameters():
            kind = "bias" if "bias" in name else "weight"
            groups[kind if name.startswith("encoder.") else "new"].append(parameter)
        for kind, parameters in groups.items():
            yield {"params": parameters, "lr": rates[kind] * stage.learning_rate}


def _sdm(similarity: Tensor, same: Tensor, config: RdeConfig) -> Tensor:
    """IRRA's similarity distribution matching, by row: (B, B), (B, B) -> (B,)."""
    target = same.to(similarity.dtype) / same.sum(dim=1, keepdim=True)  # (B, B)
    return losses.divergence(similarity / config.sdm_temperature, target)


def _triplet(
    loss: Callable[[Tensor, Tensor, float, float], Tensor],
) -> Callable[[Tensor, Tensor, RdeConfig], Tensor]:
    return lambda similarity, same, c: loss(similarity, same, c.margin, c.temperature)


LOSSES: Mapping[Loss, Callable[[Tensor, Tensor, RdeConfig], Tensor]] = {
    "tal": _triplet(triplets.alignment),
    "trl": _triplet(triplets.ranking),
    "trl_s": _triplet(triplets.summed_ranking),
    "sdm": _sdm,
}


def _top(tokens: Tensor, real: Tensor) -> Tensor:
    """Return the mean of the largest values among real tokens: (B, K, E), (B, K) -> (B, E)."""
    count = min(TOP, tokens.shape[1])
    largest = tokens.masked_fill(~real[..., None], -torch.inf).topk(count, dim=1).values
    there = largest.isfinite()  # (B, TOP, E)
    return largest.masked_fill(~there, 0).sum(dim=1) / there.sum(dim=1)


POOLS: Mapping[Pool, Callable[[Tensor, Tensor], Tensor]] = {
    "max": lambda tokens, real: tokens.masked_fill(~real[..., None], -torch.inf).amax(dim=1),
    "top": _top,
    "mean": lambda tokens, real: (tokens * real[..., None]).sum(dim=1) / real.sum(1, keepdim=True),
}
