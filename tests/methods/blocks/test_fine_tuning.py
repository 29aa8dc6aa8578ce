"""What is set of an encoder before it is fine-tuned."""

from __future__ import annotations

import pytest
import torch

from methods.blocks import fine_tuning
from methods.blocks.tiny import load_tiny


def test_pixels_are_normalised_by_what_is_given() -> None:
    """From 0 to 1 by channel there, from 0 to 255 in the encoder; weights stay."""
    encoder = load_tiny("tiny-clip", (96, 32))
    fine_tuning.normalise_by(encoder, (0.1, 0.2, 0.3), (0.5, 0.5, 0.25))
    torch.testing.assert_close(encoder.mean.flatten(), torch.tensor([25.5, 51.0, 76.5]))
    torch.testing.assert_close(encoder.deviation.flatten(), torch.tensor([127.5, 127.5, 63.75]))
    assert not {"mean", "deviation"} & encoder.state_dict().keys()


def test_attention_of_texts_drops_out_in_training_alone() -> None:
    """Every block's; images are encoded as they were."""
    encoder = load_tiny("tiny-clip", (96, 32)).train()
    words = encoder.tokenize(["a man in a red coat"])
    images = torch.zeros(1, 3, 96, 32)
    fine_tuning.drop_attention(encoder, 0.5)
    assert not torch.equal(encoder.embed_tokens(words), encoder.embed_tokens(words))
    assert torch.equal(encoder.embed_images(images), encoder.embed_images(images))
    encoder.eval()
    assert torch.equal(encoder.embed_tokens(words), encoder.embed_tokens(words))


def test_a_module_is_locked_by_its_whole_name() -> None:
    """A block numbered 1 is not one numbered 11; a name that is not there is refused."""
    encoder = load_tiny("tiny-clip", (96, 32))
    fine_tuning.lock(encoder, ["visual.transformer.resblocks.0", "text.token_embedding"])
    locked = {name for name, one in encoder.named_parameters() if not one.requires_grad}
    assert "text.token_embedding.weight" in locked
    assert {name.rsplit(".", 3)[0] for name in locked} >= {"visual.transformer.resblocks.0"}
    assert not any("resblocks.1" in name for name in locked)
    with pytest.raises(ValueError, match=r"no 'visual\.block' to lock; there are: visual, "):
        fine_tuning.lock(encoder, ["visual.block"])
