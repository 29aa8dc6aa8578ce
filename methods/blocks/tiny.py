"""The tiny encoders that ship with the project, made by `harness pretrain`.

open_clip's towers at a small size. The text tower is bidirectional, so that its masked-word head
sees both sides of a word, and padding is masked, so that it can be left out.
"""

from __future__ import annotations

from pathlib import Path

from open_clip.transformer import TextTransformer, VisionTransformer
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn

from methods.blocks.dual_encoder import DualEncoder, Vocabulary

WEIGHTS = Path(__file__).with_name("weights")
NAMES = ("tiny-clip", "tiny-eva", "tiny-towers")  # encoders that are a `TinyClip`
IMAGE_SIZE = (96, 32)
PATCH = 8
WIDTH = 64
HEADS = 4
IMAGE_LAYERS = 3
TEXT_LAYERS = 2
TEXT_LENGTH = 64

PAD, START, MASK, END = "[pad]", "[start]", "[mask]", "[end]"


class TinyClip(DualEncoder):
    """A `DualEncoder` with a head from text tokens (B, L, D) to the words behind masks."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        vocabulary = Vocabulary(
            size=tokenizer.get_vocab_size(),
            pad=_id_of(PAD, tokenizer),
            start=_id_of(START, tokenizer),
            mask=_id_of(MASK, tokenizer),
            end=_id_of(END, tokenizer),
            length=TEXT_LENGTH,
            trims=True,
        )
        visual = VisionTransformer(
            image_size=IMAGE_SIZE,
            patch_size=PATCH,
            width=WIDTH,
            layers=IMAGE_LAYERS,
            heads=HEADS,
            mlp_ratio=4.0,
            output_dim=WIDTH,
        )
        text = TextTransformer(
            context_length=TEXT_LENGTH,
            vocab_size=vocabulary.size,
            width=WIDTH,
            heads=HEADS,
            layers=TEXT_LAYERS,
            output_dim=WIDTH,
            no_causal_mask=True,
            use_pad_mask=True,
            pad_id=vocabulary.pad,
        )
        super().__init__(visual, text, vocabulary, lambda caption: tokenizer.encode(caption).ids)
        self.masked_word_head = masked_word_head(WIDTH, vocabulary.size)


def masked_word_head(width: int, vocabulary: int) -> nn.Sequential:
    """Return a head from tokens of a width to logits over a vocabulary."""
    return nn.Sequential(
        nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width), nn.Linear(width, vocabulary)
    )


def load_tiny(name: str, image_size: tuple[int, int]) -> TinyClip:
    """Load a shipped encoder of `NAMES` with its tokenizer.

    Raises:
        ValueError: the encoder has one image size.
    """
    if image_size != IMAGE_SIZE:
        raise ValueError(f"{name} reads images of {IMAGE_SIZE}, not {image_size}")
    encoder = TinyClip(load_tokenizer(WEIGHTS))
    load_weights(encoder, WEIGHTS / f"{name}.safetensors")
    return encoder


def _id_of(token: str, tokenizer: Tokenizer) -> int:
    number = tokenizer.token_to_id(token)
    assert number is not None, f"the tokenizer has no {token}"
    return number


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load the byte-pair encoding of the tiny encoders."""
    return Tokenizer.from_file(str(folder / "tiny-bpe.json"))


def load_weights(module: nn.Module, file: Path) -> None:
    """Load shipped half-precision weights into a module; every name must match."""
    module.load_state_dict({name: value.float() for name, value in load_file(file).items()})


def save_weights(module: nn.Module, file: Path, made_by: dict[str, str]) -> None:
    """Save weights in half precision with a note of what made them."""
    state = {name: value.half().contiguous() for name, value in module.state_dict().items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, file, metadata=made_by)
    file.chmod(0o644)  # readable by all, as every file of a checkout


def trained_tokenizer(captions: list[str], size: int) -> Tokenizer:
    """Train a lower-case byte-pair encoding; the end token has the largest id."""
    from tokenizers import models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=size - 1,
        special_tokens=[PAD, START, MASK],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    tokenizer.add_special_tokens([END])
    return tokenizer
