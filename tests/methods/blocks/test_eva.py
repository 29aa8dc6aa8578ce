from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import open_clip
import pytest
import timm
import torch
from numpy.typing import NDArray
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.timm_model import TimmModel
from torch import Tensor, nn

from methods.blocks.backbones import load_dual_encoder
from methods.blocks.eva import EvaEncoder

Array = NDArray[np.float64]

TRUNK = "eva02_base_patch16_clip_224"
WIDTH, JOINT, PATCH = 24, 10, 16
HEIGHT, BREADTH = 48, 32  # three rows and two columns of patches
CAPTIONS = ["a man in a red jacket", "a woman with a bag and long blue jeans"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Let torch use one thread: more only wait for each other on what is this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def small() -> EvaEncoder:
    """A small EVA in doubles with random weights, those of norms too, beside any text tower."""
    torch.manual_seed(0)
    visual = TimmModel("eva02_tiny_patch14_224", JOINT, pool="token", proj=cast(Any, None))
    visual.trunk = timm.create_model(
        TRUNK, img_size=(HEIGHT, BREADTH), embed_dim=WIDTH, depth=2, num_heads=2,
        num_classes=JOINT, global_pool="token",
    )  # fmt: skip
    for parameter in visual.parameters():
        nn.init.normal_(parameter, std=0.3)
    tiny = load_dual_encoder("tiny-clip", (96, 32))
    return EvaEncoder(visual, tiny.text, tiny.vocabulary, tiny.word_pieces).double().eval()


def pixels_of(height: int, breadth: int, count: int = 1) -> Tensor:
    """Return random images."""
    generator = torch.Generator().manual_seed(1)
    shape = count, 3, height, breadth
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def normalised(images: Tensor) -> Tensor:
    """Return pixels as CLIP takes them."""
    mean, deviation = (
        torch.tensor(value, dtype=torch.float64)[:, None, None]
        for value in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
    )
    return (images / 255.0 - mean) / deviation


def mapped(module: nn.Module, token: Array) -> Array:
    """Send a token through a linear map."""
    weight, bias = (cast(Tensor, part).detach().numpy() for part in (module.weight, module.bias))
    return cast(Array, weight @ token + bias)


def tokens_of(trunk: Any, image: Tensor) -> Array:
    """Return the class token and the patches of one normalised image, patch by patch."""
    kernel = trunk.patch_embed.proj.weight.detach().numpy()  # (width, 3, P, P)
    bias = trunk.patch_embed.proj.bias.detach().numpy()
    tokens = [trunk.cls_token.detach().numpy()[0, 0]]
    for top in range(0, HEIGHT, PATCH):
        for left in range(0, BREADTH, PATCH):
            part = image[:, top : top + PATCH, left : left + PATCH].numpy()
            tokens.append((kernel * part).sum(axis=(1, 2, 3)) + bias)
    hidden = torch.from_numpy(np.array(tokens))[None] + trunk.pos_embed
    for block in trunk.blocks:
        hidden = block(hidden, rope=trunk.rope.get_embed())
    found = []
    for token in hidden[0].detach().numpy():
        centred = token - token.mean()
        unit = centred / np.sqrt((centred**2).mean() + trunk.norm.eps)
        scaled = unit * trunk.norm.weight.detach().numpy() + trunk.norm.bias.detach().numpy()
        found.append(mapped(trunk.head, scaled))
    return np.array(found)


def test_tokens_are_the_trunks_normed_and_projected(small: EvaEncoder) -> None:
    """Class token first, then patches row by row, each behind the final norm and the head."""
    images = pixels_of(HEIGHT, BREADTH, count=2)
    found = small.encode_images(images)
    assert found.tokens is not None
    assert found.tokens.shape == (2, 1 + 6, JOINT)
    assert torch.equal(found.embedding, found.tokens[:, 0])
    for row, image in enumerate(normalised(images)):
        expected = torch.from_numpy(tokens_of(small.visual.trunk, image))
        torch.testing.assert_close(found.tokens[row].detach(), expected, rtol=1e-5, atol=1e-6)


def test_the_encoder_knows_its_sizes(small: EvaEncoder) -> None:
    """As that of CLIP's own tower: the joint space's width, rows and columns of patches."""
    assert (small.width, small.image_width, small.grid) == (JOINT, JOINT, (3, 2))


@torch.no_grad()
def test_eva02_b_16_embeds_as_open_clip_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name, with random weights: open_clip's own embeddings of an image and of captions."""
    expected, create = [], open_clip.create_model
    image = pixels_of(224, 224)

    def recorded(*given: Any, **named: Any) -> Any:
        model = create(*given, **named).eval()
        expected.append(model.encode_image(normalised(image).float()))
        expected.append(model.encode_text(open_clip.get_tokenizer("EVA02-B-16")(CAPTIONS)))
        return model

    monkeypatch.setattr(open_clip, "create_model", recorded)
    encoder = load_dual_encoder("EVA02-B-16", (224, 224)).eval()
    assert isinstance(encoder, EvaEncoder)
    assert (encoder.width, encoder.grid, encoder.vocabulary.length) == (512, (14, 14), 77)
    found = encoder.encode_images(image), encoder.encode_texts(CAPTIONS)
    for of_modality, embedding in zip(found, expected, strict=True):
        torch.testing.assert_close(of_modality.embedding, embedding, rtol=1e-4, atol=1e-5)
    assert found[0].tokens is not None
    assert found[0].tokens.shape == (1, 197, 512)
