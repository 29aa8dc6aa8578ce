"""From p-values to ranks that methods share until told apart, and to the groups that are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations

from harness.significance.simultaneous import LEVEL


@dataclass(frozen=True)
class Standing:
    """Where a method stands among others. Ranks start at 1."""

    name: str
    mean: float
    rank: int  # 1 + the methods that are better: the best place it may hold, and the one to show
    last_rank: int  # the methods - those that are worse: the worst place it may hold


def rank_groups(
    means: Mapping[str, float], adjusted: Mapping[tuple[str, str], float], level: float = LEVEL
) -> tuple[Standing, ...]:
    """Rank methods by their means, from best to worst, with the places that each may hold.

    Takes p-values by pair, corrected for the family, in either order of a pair. A method is better
    than another where its mean is higher and their p-value below `level`, or where it is better
    than a third that is better than the other. The latter adds no error: where both of its
    reasons are true, it is. It makes sure that a better method never shares the rank of a worse.

    Not being told apart is not transitive. With A above C but B apart from neither, A and B hold
    rank 1 and C rank 2: B and C are not told apart either, as their intervals (1-3 and 2-3) say.
    Methods of which none is better share a rank; that ranks differ does not mean that two methods
    were told apart, only that more are better than the one than are better than the other.

    Raises ValueError where the p-value of a pair is missing.
    """
    better = _better(means, adjusted, level)
    worse = {name: sum(name in others for others in better.values()) for name in better}
    return tuple(
        Standing(name, means[name], 1 + len(above), len(better) - worse[name])
        for name, above in better.items()
    )


def undecided_groups(
    means: Mapping[str, float], adjusted: Mapping[tuple[str, str], float], level: float = LEVEL
) -> tuple[tuple[str, ...], ...]:
    """Return groups of methods of which none is better than another, each as large as it can be.

    Takes what `rank_groups` takes and calls better what it does. As in the critical-difference
    diagrams of Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7,
    2006, but over pairs that were judged one by one, so that a group need not be neighbours. Every
    two methods of which neither is better are together in a group; who is told apart from all
    others is in none. Groups and their methods stand from best to worst.

    Raises ValueError where the p-value of a pair is missing.
    """
    better = _better(means, adjusted, level)
    names = list(better)
    undecided = {
        frozenset((above, below))
        for above, below in combinations(names, 2)
        if above not in better[below]
    }
    groups: list[tuple[str, ...]] = []
    for pair in combinations(names, 2):
        if frozenset(pair) in undecided and not any(set(pair) <= set(group) for group in groups):
            groups.append(_extend(pair, names, undecided))
    return tuple(sorted(groups, key=lambda group: [names.index(name) for name in group]))


def _better(
    means: Mapping[str, float], adjusted: Mapping[tuple[str, str], float], level: float
) -> dict[str, set[str]]:
    """Return, from best to worst, the methods that are better than each."""
    names = sorted(means, key=lambda name: -means[name])
    better: dict[str, set[str]] = {}
    for place, name in enumerate(names):
        direct = [other for other in names[:place] if _find_p(adjusted, other, name) < level]
        better[name] = set(direct).union(*(better[other] for other in direct))
    return better


def _extend(
    pair: tuple[str, str], names: Sequence[str], undecided: Set[frozenset[str]]
) -> tuple[str, ...]:
    """Add to a pair, from best to worst, whom nobody of the group is better or worse than."""
    group = set(pair)
    for name in names:
        if name not in group and all(frozenset((name, one)) in undecided for one in group):
            group.add(name)
    return tuple(name for name in names if name in group)


def _find_p(adjusted: Mapping[tuple[str, str], float], a: str, b: str) -> float:
    for pair in ((a, b), (b, a)):
        if pair in adjusted:
            return adjusted[pair]
    raise ValueError(f"there is no p-value for {a!r} and {b!r}")
