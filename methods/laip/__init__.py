"""LAIP: local alignment from image-phrase modelling, on ALBEF.

Wang, Wu, Wu, Cao and Zhang, "LAIP: Learning Local Alignment from Image-Phrase Modeling for
Text-based Person Search". Where the paper is silent, as in ALBEF (Li et al., NeurIPS 2021,
https://arxiv.org/abs/2107.07651).

Shapes: B pairs, D the width of a token, E that of the joint space, L text tokens, N patches, H
heads, P phrases of the batch, C columns of the contrast (the batch and the queue).

`config` holds its values, `pairs` what is made of a batch, `baseline` ALBEF fine-tuned on people,
`attention` how phrases weigh patches, `slots` whose they are, and `method` LAIP itself
with its recipes and tables.
"""

from methods.laip.attention import attention_gradient, normalised, weigh
from methods.laip.baseline import Baseline
from methods.laip.config import LaipConfig
from methods.laip.method import STAGE_1, STAGE_2_ALONE, Laip, fusion_triplet
from methods.laip.pairs import Masked, Pairs

__all__ = [
    "STAGE_1",
    "STAGE_2_ALONE",
    "Baseline",
    "Laip",
    "LaipConfig",
    "Masked",
    "Pairs",
    "attention_gradient",
    "fusion_triplet",
    "normalised",
    "weigh",
]
