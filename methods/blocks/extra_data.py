"""What the encoders of the methods were trained on before, by the names that recipes give them."""

from harness.registry import ExtraData

TINY_CLIP = ExtraData(
    weights=("tiny-clip, by `harness pretrain` on drawn people, none of them of PaperDolls",)
)
TINY_ALBEF = ExtraData(
    weights=("tiny-albef, by `harness pretrain` on drawn people, none of them of PaperDolls",)
)
OPENAI_CLIP = ExtraData(
    weights=(
        "CLIP ViT-B/16 of OpenAI, on 400 million images of the web with their texts "
        "(https://arxiv.org/abs/2103.00020)",
    )
)
EVA_CLIP_AND_ROBERTA = ExtraData(
    weights=(
        "EVA-02-CLIP B/16 of BAAI, on Merged-2B, 2 billion images of the web with their texts "
        "(https://arxiv.org/abs/2303.15389)",
    ),
    captions=(
        "negatives: the benchmark's captions with words filled in by RoBERTa base "
        "(https://arxiv.org/abs/1907.11692)",
    ),
)
ALBEF = ExtraData(
    weights=(
        "ALBEF of Salesforce, on 14 million images with texts and then on COCO's "
        "(https://arxiv.org/abs/2107.07651)",
    )
)
VIT_AND_BERT = ExtraData(
    weights=(
        "ViT-B/16 on ImageNet-21k and ImageNet-1k (https://arxiv.org/abs/2106.10270)",
        "BERT base on BooksCorpus and Wikipedia (https://arxiv.org/abs/1810.04805)",
    )
)
