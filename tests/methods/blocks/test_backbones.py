from pathlib import Path

import open_clip
import pytest
import torch

from methods.blocks.backbones import load_dual_encoder, load_encoder
from methods.blocks.dual_encoder import DualEncoder
from methods.blocks.tiny import NAMES, WEIGHTS
from methods.blocks.tiny_albef import load_tiny_albef

SHORT, LONG = "a man in a red jacket", "a woman " + "with a bag " * 100
PAPER = "ViT-B-16-quickgelu"


@pytest.fixture(scope="module")
def tiny() -> DualEncoder:
    """The shipped encoder."""
    return load_dual_encoder("tiny-clip", (96, 32)).eval()


@pytest.fixture(scope="module")
def full_size() -> DualEncoder:
    """CLIP ViT-B/16 at the papers' size with random weights: nothing is downloaded."""
    torch.manual_seed(0)
    return load_dual_encoder(PAPER, (384, 128)).eval()


def test_tokens_start_end_and_are_padded(tiny: DualEncoder) -> None:
    """A batch is as long as its longest caption; a caption that is too long keeps its end."""
    v = tiny.vocabulary
    ids = tiny.tokenize([SHORT, "a man"])
    assert ids[0, 0] == ids[1, 0] == v.start
    assert ids[0, -1] == v.end
    assert ids[1, -1] == v.pad
    cut = tiny.tokenize([LONG])
    assert cut.shape == (1, v.length)
    assert cut[0, -1] == v.end


def test_cutting_the_padding_changes_nothing(tiny: DualEncoder) -> None:
    """A caption beside a long one gives what it gives alone."""
    with torch.no_grad():
        alone, beside = tiny.encode_texts([SHORT]), tiny.encode_texts([SHORT, LONG])
    torch.testing.assert_close(alone.embedding[0], beside.embedding[0], rtol=1e-5, atol=1e-5)
    assert alone.tokens is not None
    assert beside.tokens is not None
    length = alone.tokens.shape[1]
    torch.testing.assert_close(alone.tokens[0], beside.tokens[0, :length], rtol=1e-5, atol=1e-5)


def test_real_tokens_end_with_the_end_token(full_size: DualEncoder) -> None:
    """CLIP's padding id is a word's too: "!" is real before the end and padding after it."""
    ids = full_size.tokenize(["!"])
    assert ids[0, 1].item() in (0, 256)
    assert full_size.vocabulary.real_tokens(ids)[0].tolist() == [True] * 3 + [False] * 74


@pytest.mark.parametrize("name", ["tiny", "full_size"])
def test_the_embedding_is_among_the_tokens(name: str, request: pytest.FixtureRequest) -> None:
    """The image's is its class token, the text's stands at its end token."""
    encoder: DualEncoder = request.getfixturevalue(name)
    height, width = encoder.visual.image_size
    patches = encoder.visual.grid_size[0] * encoder.visual.grid_size[1]
    with torch.no_grad():
        images = encoder.encode_images(torch.zeros(2, 3, height, width, dtype=torch.uint8))
        texts = encoder.encode_texts([SHORT, "a man"])
    assert images.tokens is not None
    assert texts.tokens is not None
    assert texts.mask is not None
    assert images.tokens.shape == (2, 1 + patches, encoder.width)
    torch.testing.assert_close(images.tokens[:, 0], images.embedding)
    last = texts.mask.sum(dim=1) - 1
    torch.testing.assert_close(texts.tokens[torch.arange(2), last], texts.embedding)


def test_the_full_size_encoder_is_clip_at_384_by_128(full_size: DualEncoder) -> None:
    """24 x 8 patches with CLIP's own activation, 512 dimensions, 77 tokens."""
    assert full_size.visual.grid_size == (24, 8)
    assert full_size.visual.positional_embedding.shape == (193, 768)
    assert full_size.width == 512
    assert full_size.vocabulary.length == 77
    block = full_size.visual.transformer.resblocks[0]
    assert type(block.mlp.gelu).__name__ == "QuickGELU"
    assert full_size.vocabulary.mask < full_size.vocabulary.start < full_size.vocabulary.end


def test_openai_weights_load_with_their_positions_interpolated(tmp_path: Path) -> None:
    """A published state dict at 224 x 224 loads at 384 x 128; nothing but the grid is changed."""
    torch.manual_seed(1)
    published = open_clip.create_model(PAPER)
    file = tmp_path / "weights.pt"
    torch.save(published.state_dict(), file)
    encoder = load_dual_encoder(f"{PAPER}/{file}", (384, 128))
    state = published.state_dict()
    assert torch.equal(encoder.text.token_embedding.weight, state["token_embedding.weight"])
    assert torch.equal(encoder.visual.conv1.weight, state["visual.conv1.weight"])
    positions = encoder.visual.positional_embedding
    assert torch.equal(positions[0], state["visual.positional_embedding"][0])
    grid = state["visual.positional_embedding"][1:].T.reshape(1, 768, 14, 14)
    expected = torch.nn.functional.interpolate(
        grid, size=(24, 8), mode="bicubic", antialias=True, align_corners=False
    )
    torch.testing.assert_close(positions[1:].T.reshape(1, 768, 24, 8), expected)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("RN50", "is a ResNet"),
        ("ViT-B-17", "neither tiny-clip, tiny-eva, tiny-towers nor one of open_clip"),
        (f"{PAPER}/opnai", "no weights 'opnai'"),
    ],
)
def test_unknown_encoders_and_weights_are_refused(name: str, message: str) -> None:
    """The error says what exists."""
    with pytest.raises(ValueError, match=message):
        load_dual_encoder(name, (384, 128))


def test_a_file_of_weights_may_have_a_plus_in_its_name() -> None:
    """A plus sign joins the towers of "ViT+BERT"; behind a model of open_clip it is the file's."""
    with pytest.raises(ValueError, match=r"no weights 'runs/a\+b\.pt'"):
        load_encoder(f"{PAPER}/runs/a+b.pt", (384, 128))


def test_the_tiny_encoder_has_one_image_size() -> None:
    """Another size is refused, not resized in silence."""
    with pytest.raises(ValueError, match=r"tiny-clip reads images of \(96, 32\), not \(384, 128\)"):
        load_dual_encoder("tiny-clip", (384, 128))


def test_the_shipped_weights_are_small_and_say_what_made_them() -> None:
    """Together under 7 MB; each file names its command and seed."""
    from safetensors import safe_open

    files = sorted(WEIGHTS.glob("*.safetensors"))
    assert [file.stem for file in files] == ["tiny-albef-1", "tiny-albef-2", *sorted(NAMES)]
    assert sum(file.stat().st_size for file in WEIGHTS.iterdir()) < 7e6
    for file in files:
        with safe_open(file, "pt") as opened:
            made_by = opened.metadata()
        assert made_by["command"].startswith("harness pretrain tiny-")
        assert made_by["seed"] == "0"


def test_fusion_layers_see_the_image_and_not_the_padding() -> None:
    """tiny-albef has six; a caption's fused tokens change with the image, not with padding."""
    albef = load_tiny_albef().eval()
    assert len(albef.fusion.layers) == 6
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (2, 3, 96, 32), dtype=torch.uint8)
    with torch.no_grad():
        images = albef.encoder.encode_images(pixels)
        alone = albef.fuse(albef.encoder.encode_texts([SHORT, SHORT]), images)
        padded = albef.fuse(albef.encoder.encode_texts([SHORT, LONG]), images)
    assert not torch.allclose(alone[0], alone[1])
    torch.testing.assert_close(alone[0], padded[0, : alone.shape[1]], rtol=1e-4, atol=1e-4)
