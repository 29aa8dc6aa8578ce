import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor
from transformers import BertConfig, BertModel

from methods.blocks import vit_bert
from methods.blocks.backbones import load_encoder
from methods.blocks.vit_bert import GRU_WIDTH, TEXT_LENGTH, VitBert, load_vit_bert

Array = NDArray[np.float64]

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "a", "man", "woman", "in", "with", "red", "blue", "jacket", "bag", "##s", "and"]
SHORT, MIDDLE = "a man in red", "a woman with a blue bag"
LONG = "a man in red jackets and " * 40 + "bags"
CAPTIONS = [MIDDLE, SHORT, "a man in jackets and bags with a red bag"]
VIT = "vit_tiny_patch16_224"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the configuration, the vocabulary and the weights of a small BERT."""
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    torch.manual_seed(5)
    BertModel(
        BertConfig(
            vocab_size=len(WORDS),
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=128,
        ),
        add_pooling_layer=False,
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def loaded(folder: Path) -> VitBert:
    """A small encoder with random weights, by a name with a plus."""
    torch.manual_seed(0)
    encoder = load_encoder(f"{VIT}+{folder}", (96, 32))
    assert isinstance(encoder, VitBert)
    return encoder.eval()


@pytest.fixture
def small(loaded: VitBert) -> VitBert:
    """A ViT of patches alone on a grid of 4 x 3, in double precision beside the small BERT."""
    torch.manual_seed(1)
    visual = VisionTransformer(
        img_size=(32, 24), patch_size=8, embed_dim=12, depth=0, num_heads=2, num_classes=0
    )
    visual.pretrained_cfg = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.5)}
    text = copy.deepcopy(loaded.text)
    return VitBert(visual, text, loaded.vocabulary, loaded._words).double().eval()


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    """Encode only, with one thread: more only wait for each other on what is this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


# Texts.


def test_tokens_start_end_and_are_padded(loaded: VitBert) -> None:
    """[CLS], word pieces, [SEP], and [PAD] up to the longest of the batch."""
    ids = loaded.tokenize(["A man in jackets", "a zebra"])
    expected = ["[CLS] a man in jacket ##s [SEP]", "[CLS] a [UNK] [SEP] [PAD] [PAD] [PAD]"]
    assert ids.tolist() == [[WORDS.index(word) for word in row.split()] for row in expected]
    v = loaded.vocabulary
    assert (v.pad, v.start, v.mask, v.end) == (0, 2, 4, 3)
    assert (v.size, v.length, v.trims) == (len(WORDS), TEXT_LENGTH, True)


def test_a_caption_that_is_too_long_keeps_its_end(loaded: VitBert) -> None:
    """It loses its last words; what is left is what it began with."""
    ids = loaded.tokenize([LONG, SHORT])
    assert ids.shape == (2, TEXT_LENGTH)
    words = loaded._words(LONG)
    assert len(words) > TEXT_LENGTH
    assert ids[0].tolist() == [2, *words[: TEXT_LENGTH - 2], 3]
    assert ids[1, :6].tolist() == [2, *loaded._words(SHORT), 3]


def test_a_spelled_special_token_is_read_as_letters(loaded: VitBert) -> None:
    """Padding or an end that a caption only names stands for neither."""
    ids = loaded.tokenize(["red [SEP] [PAD] [MASK] red"])[0].tolist()
    vocabulary = loaded.vocabulary
    assert not {vocabulary.pad, vocabulary.mask, vocabulary.start} & set(ids[1:])
    assert ids.index(vocabulary.end) == len(ids) - 1


def test_the_mask_holds_real_tokens(small: VitBert) -> None:
    """Start, words and end are real, padding is not."""
    encoded = small.encode_texts([SHORT, MIDDLE])
    assert encoded.mask is not None
    assert encoded.mask.tolist() == [[True] * 6 + [False] * 2, [True] * 8]


def test_padding_never_changes_a_text(small: VitBert) -> None:
    """Beside a longer caption, and with other embeddings of [PAD], a text is what it is alone."""
    alone = small.encode_texts([SHORT])
    assert alone.tokens is not None
    for noise in (0.0, 50.0):
        small.text.embeddings.word_embeddings.weight[0] += noise
        beside = small.encode_texts([LONG, SHORT])
        assert beside.tokens is not None
        assert (beside.tokens[1, 6:] == 0).all()
        torch.testing.assert_close(beside.tokens[1, :6], alone.tokens[0], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(beside.embedding[1], alone.embedding[0], rtol=1e-9, atol=1e-12)


def gru(encoder: VitBert, words: Array, suffix: str) -> list[Array]:
    """Read words one by one and return the states: reset, update, candidate."""
    weights = dict(encoder.gru.named_parameters())
    from_word, from_state = (weights[f"weight_{k}_l0{suffix}"].numpy() for k in ("ih", "hh"))
    word_bias, state_bias = (weights[f"bias_{k}_l0{suffix}"].numpy() for k in ("ih", "hh"))
    state, states = np.zeros(GRU_WIDTH), []
    for word in words:
        of_word = np.split(from_word @ word + word_bias, 3)
        of_state = np.split(from_state @ state + state_bias, 3)
        reset = 1 / (1 + np.exp(-(of_word[0] + of_state[0])))
        update = 1 / (1 + np.exp(-(of_word[1] + of_state[1])))
        candidate = np.tanh(of_word[2] + reset * of_state[2])
        state = (1 - update) * candidate + update * state
        states.append(state)
    return states


def test_both_directions_of_the_gru_are_averaged(small: VitBert) -> None:
    """Each reads the words that BERT gives, the second from the text's own last; their mean."""
    encoded = small.encode_texts(CAPTIONS)
    assert encoded.tokens is not None
    assert encoded.tokens.shape == (3, 14, GRU_WIDTH)
    for row, caption in enumerate(CAPTIONS):
        words = small.text(small.tokenize([caption])).last_hidden_state[0].numpy()
        forward = gru(small, words, "")
        backward = gru(small, words[::-1], "_reverse")[::-1]
        expected = [(f + b) / 2 for f, b in zip(forward, backward, strict=True)]
        found = encoded.tokens[row, : len(words)]
        wanted = torch.from_numpy(np.array(expected))
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def test_the_whole_text_is_its_first_token(small: VitBert) -> None:
    """Granularity 1 of a caption stands at [CLS]."""
    encoded = small.encode_texts(CAPTIONS)
    assert encoded.tokens is not None
    assert torch.equal(encoded.embedding, encoded.tokens[:, 0])
    assert small.text_width == encoded.embedding.shape[1] == 512


def test_every_word_tells(small: VitBert) -> None:
    """Another word changes every token, the first one too, and no other caption's."""
    ids = small.tokenize(CAPTIONS)
    changed = ids.clone()
    changed[0, 4] = WORDS.index("jacket")
    assert changed[0, 4] != ids[0, 4]
    one, two = small.encode_tokens(ids).tokens, small.encode_tokens(changed).tokens
    assert one is not None
    assert two is not None
    assert ((one - two)[0, :8].abs().amax(dim=1) > 1e-6).all()
    assert torch.equal(one[1:], two[1:])


# Images.


def pixels(count: int, height: int, width: int) -> Tensor:
    """Return random images."""
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator, dtype=torch.uint8)


def test_pixels_are_normalised_as_the_weights_expect(small: VitBert) -> None:
    """(pixel / 255 - mean) / deviation, channel by channel, by the ViT's own numbers."""
    given: list[Tensor] = []
    small.visual.patch_embed.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    images = pixels(2, 32, 24)
    small.encode_images(images)
    cfg = small.visual.pretrained_cfg
    for channel in range(3):
        plane = images[:, channel].double() / 255
        expected = (plane - cfg["mean"][channel]) / cfg["std"][channel]
        torch.testing.assert_close(given[0][:, channel], expected, rtol=1e-5, atol=1e-6)


def test_image_tokens_are_the_class_token_and_patches_row_by_row(small: VitBert) -> None:
    """Normalised by the ViT's last layer; without attention a patch changes its token alone."""
    images = pixels(1, 32, 24)
    encoded = small.encode_images(images)
    assert encoded.tokens is not None
    assert small.grid == (4, 3)
    assert small.image_width == 12
    assert encoded.tokens.shape == (1, 1 + 4 * 3, 12)
    assert torch.equal(encoded.embedding, encoded.tokens[:, 0])
    mean = encoded.tokens.mean(dim=-1)
    torch.testing.assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-9)
    images[:, :, 16:24, 8:16] = 0  # row 2, column 1
    changed = small.encode_images(images).tokens
    assert changed is not None
    different = (changed != encoded.tokens).any(dim=-1)[0]
    assert different.nonzero().tolist() == [[1 + 2 * 3 + 1]]


def test_the_grid_follows_the_image_size(folder: Path) -> None:
    """384 x 192 pixels in patches of 16: 24 rows, 12 columns."""
    encoder = load_vit_bert(f"{VIT}+{folder}", (384, 192)).eval()
    assert encoder.grid == (24, 12)
    tokens = encoder.encode_images(pixels(1, 384, 192)).tokens
    assert tokens is not None
    assert tokens.shape == (1, 1 + 24 * 12, 192)


# Loading.


def test_without_a_tag_both_towers_are_random(
    folder: Path, loaded: VitBert, monkeypatch: pytest.MonkeyPatch
) -> None:
    """timm is asked for no weights, and BERT's are not those of the folder."""
    asked = recorded(monkeypatch)
    torch.manual_seed(1)
    state = load_vit_bert(f"{VIT}+{folder}", (96, 32)).state_dict()
    assert [(call["name"], call["pretrained"]) for call in asked] == [(VIT, False)]
    saved = BertModel.from_pretrained(folder, add_pooling_layer=False)
    words = "embeddings.word_embeddings.weight"
    assert not torch.equal(state[f"text.{words}"], saved.state_dict()[words])
    for name in ("visual.patch_embed.proj.weight", f"text.{words}", "gru.weight_ih_l0"):
        assert not torch.equal(state[name], loaded.state_dict()[name])


def test_with_a_tag_both_towers_are_pretrained(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """timm is asked for the weights of that tag at that size, BERT's are those of the folder."""
    asked = recorded(monkeypatch)
    tag = "augreg_in21k_ft_in1k"
    encoder = load_vit_bert(f"{VIT}.{tag}+{folder}", (96, 32))
    [call] = asked
    assert (call["name"], call["pretrained"], call["img_size"]) == (f"{VIT}.{tag}", True, (96, 32))
    assert not [name for name in encoder.visual.state_dict() if name.startswith("head.")]
    state = encoder.text.state_dict()
    saved = BertModel.from_pretrained(folder, add_pooling_layer=False).state_dict()
    assert state.keys() == saved.keys()
    assert all(torch.equal(state[name], saved[name]) for name in saved)


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Record what timm is asked for, and download nothing."""
    asked: list[dict[str, Any]] = []
    real = timm.create_model

    def create(name: str, **settings: Any) -> Any:
        asked.append({"name": name, **settings})
        return real(name, **settings | {"pretrained": False})

    monkeypatch.setattr(vit_bert.timm, "create_model", create)
    return asked


@pytest.mark.parametrize(
    ("vit", "message"),
    [
        ("vit_tiny_patch17_224", "timm has no ViT 'vit_tiny_patch17_224'"),
        ("resnet50", "timm has no ViT 'resnet50'"),
        (f"{VIT}.augreg", "no weights 'augreg' for vit_tiny_patch16_224; there are: .*in21k_ft"),
    ],
)
def test_unknown_vits_and_weights_are_refused(folder: Path, vit: str, message: str) -> None:
    """The error says what exists."""
    with pytest.raises(ValueError, match=message):
        load_vit_bert(f"{vit}+{folder}", (96, 32))


def test_a_vit_without_a_class_token_is_refused(folder: Path) -> None:
    """What does not fit the grid is said when it is built, not in a shape error later."""
    with pytest.raises(ValueError, match="has 0 tokens before the patches"):
        load_vit_bert(f"vit_base_patch16_siglip_gap_224+{folder}", (96, 32))


def test_every_weight_learns(small: VitBert) -> None:
    """A loss of tokens reaches every parameter: nothing is carried along, no pooler either."""
    with torch.enable_grad():
        tokens = small.encode_images(pixels(2, 32, 24)).tokens, small.encode_texts(CAPTIONS).tokens
        total = sum((each * torch.randn_like(each)).sum() for each in tokens if each is not None)
        assert isinstance(total, Tensor)
        total.backward()
    for name, parameter in small.named_parameters():
        assert parameter.grad is not None, name
        assert 0 < parameter.grad.abs().sum() < math.inf, name
