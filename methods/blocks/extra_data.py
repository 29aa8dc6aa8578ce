"""What the encoders of the methods were trained on before, by the names that recipes give them."""

from harness.registry import ExtraData

TINY = "by harness pretrain on drawn people, none of them of a benchmark"
DRAWN = "those drawn people"
CLIP = (
    "CLIP ViT-B/16 of OpenAI, on 400 million images of the web with their texts "
    "(https://arxiv.org/abs/2103.00020)"
)
EVA = (
    "EVA-02-CLIP B/16 of BAAI, on Merged-2B, 2 billion images of the web with their texts "
    "(https://arxiv.org/abs/2303.15389)"
)
SIGLIP = (
    "SigLIP 2 B/16 of Google, on WebLI, 10 billion images of the web with 12 billion texts "
    "(https://arxiv.org/abs/2502.14786)"
)
ALBEF = (
    "ALBEF of Salesforce, on 14 million images with texts, and on those of COCO where the weights "
    "are called so (https://arxiv.org/abs/2107.07651)"
)
VIT = "ViT-B/16 on ImageNet-21k and ImageNet-1k (https://arxiv.org/abs/2106.10270)"
BERT = "BERT base on BooksCorpus and Wikipedia (https://arxiv.org/abs/1810.04805)"
ROBERTA = (
    "for the loss of hard negatives, the benchmark's captions with words filled in by RoBERTa base "
    "(https://arxiv.org/abs/1907.11692)"
)

OF_ENCODERS = {
    "tiny-clip": ExtraData(weights=(f"tiny-clip, {TINY}",), people=(DRAWN,)),
    "tiny-eva": ExtraData(weights=(f"tiny-eva, {TINY}",), people=(DRAWN,)),
    "tiny-towers": ExtraData(weights=(f"tiny-towers, {TINY}",), people=(DRAWN,)),
    "tiny-albef": ExtraData(weights=(f"tiny-albef, {TINY}",), people=(DRAWN,)),
    "ViT-B-16-quickgelu/openai": ExtraData(weights=(CLIP,), people=()),
    "EVA02-B-16/merged2b_s8b_b131k": ExtraData(weights=(EVA,), people=()),
    "ViT-B-16-SigLIP2/webli": ExtraData(weights=(SIGLIP,), people=()),
    "albef": ExtraData(weights=(ALBEF,), people=()),
    "vit_base_patch16_224.augreg_in21k_ft_in1k+google-bert/bert-base-uncased": ExtraData(
        weights=(VIT, BERT), people=()
    ),
}
OF_MEFA = {
    "tiny-clip": OF_ENCODERS["tiny-clip"],
    "tiny-eva": OF_ENCODERS["tiny-eva"],
    "EVA02-B-16/merged2b_s8b_b131k": ExtraData(weights=(EVA,), captions=(ROBERTA,), people=()),
    "ViT-B-16-quickgelu/openai": ExtraData(weights=(CLIP,), captions=(ROBERTA,), people=()),
}
