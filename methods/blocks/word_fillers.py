"""Language models that fill a gap in a caption with a word.

Shapes: B gaps, L tokens of the longest text around one, V word pieces.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from harness.method import Download
from methods.blocks.pretrained import bert_downloads, loading, refuse_other_weights

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from methods.blocks.tiny import TinyClip

CANDIDATES = 20  # words for a gap
BATCH = 64
ROBERTA_WINDOW = 128  # tokens around a gap; longer than the captions of the benchmarks
STAND_IN = "a"  # a word of one piece, where the mask comes

_WORD = re.compile(r"[^\W\d_]+(?:[-'\u2019][^\W\d_]+)*")
_SPACE = "\u0120"  # how a byte-level word piece shows that it begins a word


class Filler(Protocol):
    """Completes texts."""

    @property
    def name(self) -> str:
        """Stands for all that the words depend on."""

    def fill(self, gaps: Sequence[tuple[str, str]]) -> list[list[str]]:
        """N pairs of the text before and after a gap -> words for each gap, the best first."""


def is_word(text: str) -> bool:
    """Whether a text is letters, with hyphens and apostrophes between them."""
    return _WORD.fullmatch(text) is not None


class MaskedWordFiller(ABC):
    """Puts one mask into each gap and takes the likeliest pieces that are whole words."""

    name: str

    @torch.inference_mode()
    def fill(self, gaps: Sequence[tuple[str, str]]) -> list[list[str]]:
        """N pairs of the text before and after a gap -> words for each gap, the best first."""
        masked = [self.mask(before, after) for before, after in gaps]
        by_length = sorted(range(len(gaps)), key=lambda gap: len(masked[gap][0]))
        words: list[list[str]] = [[] for _ in gaps]
        for start in range(0, len(gaps), BATCH):
            batch = by_length[start : start + BATCH]
            logits = self.predict(*zip(*(masked[gap] for gap in batch), strict=True))  # (B, V)
            for gap, found in zip(batch, self._best(logits), strict=True):
                words[gap] = found
        return words

    @abstractmethod
    def mask(self, before: str, after: str) -> tuple[list[int], int]:
        """Return the word pieces around a gap with a mask in it, and where the mask is."""

    @abstractmethod
    def predict(self, ids: Sequence[list[int]], places: Sequence[int]) -> Tensor:
        """B texts in word pieces, B places in them -> logits (B, V) of the pieces there."""

    @abstractmethod
    def pieces(self) -> Mapping[str, int]:
        """Return the ids of the byte-level word pieces."""

    @cached_property
    def _words(self) -> dict[int, str]:
        """The pieces that are words, by their ids; byte-level pieces spell only ASCII as it is."""
        begin = {number: p[1:] for p, number in self.pieces().items() if p.startswith(_SPACE)}
        words = {n: word for n, word in begin.items() if word.isascii() and is_word(word)}
        # One letter is the beginning of a word more often than it is one.
        words = {n: word for n, word in words.items() if len(word) > 1}
        if not words:
            raise ValueError(f"{self.name} has no word pieces that begin with a space")
        return words

    def _best(self, logits: Tensor) -> list[list[str]]:
        """(B, V) logits -> the best words of each row."""
        ids = torch.tensor(sorted(self._words), device=logits.device)  # (W,)
        best = logits[:, ids].topk(min(CANDIDATES, len(ids))).indices  # (B, candidates)
        return [[self._words[number] for number in row] for row in ids[best].tolist()]


class EncoderFiller(MaskedWordFiller):
    """The masked-word head of a tiny encoder, which is put into evaluation mode."""

    def __init__(self, encoder: TinyClip, tokenizer: Tokenizer) -> None:
        self.name = f"tiny-clip {_weights_hash(encoder)}"
        self._encoder = encoder.eval()
        self._tokenizer = tokenizer

    def mask(self, before: str, after: str) -> tuple[list[int], int]:
        # Pieces depend on what is beside them, and both sides of a special token begin anew: a
        # word stands in for the gap, and its piece is masked.
        encoding = self._tokenizer.encode(f"{before}{STAND_IN}{after}")
        place = encoding.char_to_token(len(before))
        assert place is not None, "a letter belongs to a piece"
        ids = [*encoding.ids[:place], self._encoder.vocabulary.mask, *encoding.ids[place + 1 :]]
        return _window(ids, place, self._encoder.vocabulary.length - 2)

    def pieces(self) -> Mapping[str, int]:
        return dict(self._tokenizer.get_vocab())

    def predict(self, ids: Sequence[list[int]], places: Sequence[int]) -> Tensor:
        v = self._encoder.vocabulary
        device = self._encoder.mean.device
        texts, masks = _framed(ids, places, v.start, v.end, v.pad, device)  # (B, L), (B,)
        tokens = self._encoder.encode_tokens(texts).tokens  # (B, L, D)
        assert tokens is not None, "a tiny encoder has them"
        logits: Tensor = self._encoder.masked_word_head(tokens[torch.arange(len(ids)), masks])
        return logits


class RobertaFiller(MaskedWordFiller):
    """RoBERTa, or a relative of it, by its name on the hub or its folder; loaded when first used.

    Liu et al., "RoBERTa: A Robustly Optimized BERT Pretraining Approach", 2019.
    https://arxiv.org/abs/1907.11692
    """

    def __init__(
        self,
        model: str = "FacebookAI/roberta-base",
        revision: str = "main",
        device: torch.device | str = "cpu",
    ) -> None:
        self.name = f"{model} {revision}"
        self._source = (model, revision)
        self._device = device

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModelForMaskedLM

        name, revision = self._source
        with loading(f"{name} at {revision}"):
            model, told = AutoModelForMaskedLM.from_pretrained(
                name,
                revision=revision,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
            )
        refuse_other_weights(name, told, unused=("pooler",))
        return model.eval().to(self._device)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        name, revision = self._source
        with loading(f"of the tokenizer {name} at {revision}"):
            return AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)

    def pieces(self) -> Mapping[str, int]:
        return dict(self._tokenizer.get_vocab())

    def mask(self, before: str, after: str) -> tuple[list[int], int]:
        # The mask takes the space before it. A special token that a caption spells is letters.
        first, last = (
            self._tokenizer(
                text, add_special_tokens=False, split_special_tokens=True, verbose=False
            )
            for text in (before.rstrip(), after)
        )
        ids = [*first["input_ids"], self._tokenizer.mask_token_id, *last["input_ids"]]
        return _window(ids, len(first["input_ids"]), self._room)

    @cached_property
    def _room(self) -> int:
        """How many tokens there are for a text; RoBERTa's positions count from behind padding's."""
        positions = self._model.config.max_position_embeddings - self._tokenizer.pad_token_id - 1
        return int(min(ROBERTA_WINDOW, positions)) - 2

    def predict(self, ids: Sequence[list[int]], places: Sequence[int]) -> Tensor:
        t = self._tokenizer
        texts, masks = _framed(
            ids, places, t.cls_token_id, t.sep_token_id, t.pad_token_id, self._model.device
        )  # (B, L), (B,)
        real = (texts != t.pad_token_id).long()  # (B, L)
        tokens = self._model.base_model(input_ids=texts, attention_mask=real).last_hidden_state
        # The head alone, at the masks alone: all logits of a batch would take 1.6 GB.
        logits: Tensor = self._model.lm_head(tokens[torch.arange(len(ids)), masks])  # (B, V)
        return logits


def load_filler(name: str, device: torch.device) -> Filler:
    """Return a filler by name: tiny-clip, which ships, or one that `RobertaFiller` takes."""
    if name != "tiny-clip":
        return RobertaFiller(name, device=device)
    from methods.blocks.tiny import IMAGE_SIZE, WEIGHTS, load_tiny, load_tokenizer

    return EncoderFiller(load_tiny("tiny-clip", IMAGE_SIZE).to(device), load_tokenizer(WEIGHTS))


def filler_downloads(name: str) -> list[Download]:
    """Return what is fetched where the filler that `load_filler` returns is first used."""
    return [] if name == "tiny-clip" else bert_downloads(name)


def _window(ids: list[int], place: int, length: int) -> tuple[list[int], int]:
    """Cut a text to a length around a place, and say where in it the place is now."""
    start = max(0, min(place - length // 2, len(ids) - length))
    return ids[start : start + length], place - start


def _framed(
    ids: Sequence[list[int]],
    places: Sequence[int],
    start: int,
    end: int,
    pad: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Return texts (B, L) with start, end and padding, and where their places are (B,)."""
    length = max(map(len, ids)) + 2
    rows = [[start, *row, end, *[pad] * (length - 2 - len(row))] for row in ids]
    moved = [place + 1 for place in places]
    return torch.tensor(rows, device=device), torch.tensor(moved, device=device)


def _weights_hash(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
