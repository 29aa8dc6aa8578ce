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
        "Bouthillier et al. Accounting for variance in machine learning benchmarks. MLSys 2021."
        " Why one seed is not enough.",
        f"{ARXIV}2103.03098",
    ),
    Reference(
        "Smucker, Allan and Carterette. A comparison of statistical significance tests for"
        " information retrieval evaluation. CIKM 2007. Randomization tests on queries.",
    ),
    Reference(
        "Phipson and Smyth. Permutation p-values should never be zero. Statistical Applications"
        " in Genetics and Molecular Biology 9, 2010. Why one is added.",
        f"{ARXIV}1603.05766",
    ),
    Reference("Westfall and Young. Resampling-based multiple testing. Wiley, 1993. MaxT."),
    Reference(
        "Holm. A simple sequentially rejective multiple test procedure. Scandinavian Journal of"
        " Statistics 6, 1979.",
    ),
    Reference(
        "Davison and Hinkley. Bootstrap methods and their application. Cambridge University Press,"
        " 1997. Percentile intervals and the bootstrap of clusters.",
    ),
    Reference(
        "Owen. The pigeonhole bootstrap. Annals of Applied Statistics 1, 2007. Resampling two"
        " crossed factors.",
    ),
    Reference(
        "McNemar. Note on the sampling error of the difference between correlated proportions or"
        " percentages. Psychometrika 12, 1947; with the correction of Edwards, ibid. 13, 1948.",
    ),
)
