import pytest
import torch

from methods.blocks.albef_weights import oldest_first, rename


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("text_encoder.encoder.layer.5.output.dense.bias", "encoder.layers.5.output.dense.bias"),
        ("text_encoder.bert.encoder.layer.6.output.dense.bias",
         "fusion.layers.0.output.dense.bias"),
        ("text_encoder.bert.encoder.layer.11.crossattention.output.LayerNorm.weight",
         "fusion.layers.5.crossattention.output.LayerNorm.weight"),
        ("text_encoder_m.bert.encoder.layer.5.output.dense.bias",
         "momentum.layers.5.output.dense.bias"),
        ("text_encoder_m.encoder.layer.0.output.dense.bias", "momentum.layers.0.output.dense.bias"),
        ("text_encoder_m.bert.encoder.layer.6.output.dense.bias", None),
        ("text_encoder_m.cls.predictions.bias", None),
        ("text_encoder_m.bert.embeddings.position_ids", None),
        ("text_encoder_m.embeddings.LayerNorm.bias", "momentum.embeddings.LayerNorm.bias"),
        ("visual_encoder_m.norm.weight", "momentum.visual.norm.weight"),
        ("vision_proj_m.bias", "momentum.vision_proj.bias"),
        ("text_proj_m.bias", "momentum.text_proj.bias"),
        ("temp", "temp"),
        ("text_queue", "text_queue"),
        ("image_queue", "image_queue"),
        ("idx_queue", None),
        ("queue_ptr", "queue_ptr"),
        ("other.embeddings.weight", "other.embeddings.weight"),
        ("text_encoder.bert.embeddings.position_ids", None),
        ("text_encoder.embeddings.position_embeddings.weight",
         "encoder.embeddings.position_embeddings.weight"),
        ("text_encoder.cls.predictions.bias", "masked_word_head.bias"),
    ],
)  # fmt: skip
def test_where_a_published_weight_goes(name: str, here: str | None) -> None:
    """Six layers encode, six fuse; of the copies those of the encoders are kept."""
    assert rename(name) == here


@pytest.mark.parametrize("pushes", [[2, 2], [2, 2, 2], [2, 2, 2, 2, 2]])
def test_a_queue_is_read_from_its_oldest_feature(pushes: list[int]) -> None:
    """As ALBEF writes it, batch by batch at the pointer, which then moves on and around."""
    slots, pointer, written = torch.zeros(3, 6), 0, 0
    for size in pushes:
        for column in range(pointer, pointer + size):
            written += 1
            slots[:, column] = written
        pointer = (pointer + size) % 6
    found = oldest_first(slots, torch.tensor([pointer]))
    assert found.shape == (6, 3)
    empty = [0] * max(6 - written, 0)
    assert found[:, 0].tolist() == [*empty, *range(max(written - 5, 1), written + 1)]
