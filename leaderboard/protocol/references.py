"""The sources of the definitions."""

from __future__ import annotations

from leaderboard.protocol.views import Reference

ARXIV = "https://arxiv.org/abs/"

REFERENCES = (
    Reference(
        "Li, Xiao, Li, Zhou, Yue and Wang. Person search with natural language description."
        " CVPR 2017. The task, and Rank-k of its queries.",
        f"{ARXIV}1702.05729",
    ),
    Reference(
        "Ye, Shen, Lin, Xiang, Shao and Hoi. Deep learning for person re-identification: a survey"
        " and outlook. IEEE TPAMI, 2022. The inverse negative penalty.",
        f"{ARXIV}2001.04193",
    ),
    Reference(
        "Musgrave, Belongie and Lim. A metric learning reality check. ECCV 2020. What feedback"
        " from the test set does to a field.",
        f"{ARXIV}2003.08505",
    ),
    Reference(
        "Phillips, Grother and Micheals. Evaluation methods in face recognition. In Li and Jain"
        " (eds.), Handbook of face recognition, chapter 14. Springer, 2005. The open set: detection"
        " and identification rate at a false alarm rate.",
    ),
    Reference(
        "Gumbel. Statistics of extremes. Columbia University Press, 1958. How the best of many"
        " scores rises with their number.",
    ),
    Reference(
        "Bouthillier et al. Accounting for variance in machine learning benchmarks. MLSys 2021."
        " Why one seed is not enough.",
        f"{ARXIV}2103.03098",
    ),
    Reference(
        "Cameron, Gelbach and Miller. Robust inference with multiway clustering. Journal of"
        " Business & Economic Statistics 29, 2011. Errors of people and of seeds, added.",
    ),
    Reference(
        "Smyth. Linear models and empirical Bayes methods for assessing differential expression in"
        " microarray experiments. Statistical Applications in Genetics and Molecular Biology 3,"
        " 2004. Moderated variances.",
        "https://doi.org/10.2202/1544-6115.1027",
    ),
    Reference(
        "Satterthwaite. An approximate distribution of estimates of variance components."
        " Biometrics Bulletin 2, 1946. Degrees of freedom.",
    ),
    Reference(
        "Westfall and Young. Resampling-based multiple testing. Wiley, 1993. The largest"
        " difference of a family.",
    ),
    Reference(
        "Hothorn, Bretz and Westfall. Simultaneous inference in general parametric models."
        " Biometrical Journal 50, 2008. Intervals for all pairs at once.",
    ),
    Reference(
        "Kang, Chen, Wang and Xu. Multi-path exploration and feedback adjustment for text-to-image"
        " person retrieval. 2024. Queries without their most visible nouns.",
        f"{ARXIV}2410.21318",
    ),
    Reference(
        "Yuksekgonul, Bianchi, Kalluri, Jurafsky and Zou. When and why vision-language models"
        " behave like bags-of-words, and what to do about it? ICLR 2023. Words in any order.",
        f"{ARXIV}2210.01936",
    ),
    Reference(
        "Belinkov and Bisk. Synthetic and natural noise both break neural machine translation. ICLR"
        " 2018. Typos.",
        f"{ARXIV}1711.02173",
    ),
    Reference(
        "Das, Kottur, Moura, Lee and Batra. Learning cooperative visual dialog agents with deep"
        " reinforcement learning. ICCV 2017. An image found by questions and answers, by round.",
        f"{ARXIV}1703.06585",
    ),
    Reference(
        "Bai et al. Chat-based person retrieval via dialogue-refined cross-modal alignment. CVPR"
        " 2025. People found by dialogues, ChatPedes.",
        "https://github.com/Flame-Chasers/DiaNA",
    ),
    Reference(
        "Demsar. Statistical comparisons of classifiers over multiple data sets. Journal of Machine"
        " Learning Research 7, 2006. Bars that join what is not told apart.",
    ),
    Reference(
        "Kendall. A new measure of rank correlation. Biometrika 30, 1938; where pairs are ties in"
        " print, Somers. A new asymmetric measure of association for ordinal variables. American"
        " Sociological Review 27, 1962.",
    ),
    Reference(
        "McNemar. Note on the sampling error of the difference between correlated proportions or"
        " percentages. Psychometrika 12, 1947; with the correction of Edwards, ibid. 13, 1948.",
    ),
)
