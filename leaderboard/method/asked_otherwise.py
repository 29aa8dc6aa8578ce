"""What a method as published finds where it is asked otherwise: in changed words, by several, in
rounds of questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby

from markupsafe import Markup

from harness.results.protocols import (
    GAIN,
    GREEDY,
    RANDOM,
    Dialogue,
    Protocol,
    Several,
    Witness,
    protocol_of,
)
from harness.significance import Family
from leaderboard.drawing.figures import legend
from leaderboard.method.asked import RANKED, Asked, asked_table
from leaderboard.method.other_queries import find_queries
from leaderboard.method.views import AskedTable
from leaderboard.records.estimates import Summary
from leaderboard.records.load import Run
from leaderboard.robustness.charts import Across, Curve, rate_chart
from leaderboard.typography import counted

ABOUT_WORDS = (
    "The same trained weights and gallery, asked in changed words, the same for all methods. A"
    " change is to the whole captions, query by query. The last column counts the queries that had"
    " nothing to change and stayed as they were."
)
ABOUT_SEVERAL = (
    "Each caption is asked together with one or two others of its person, of other images first: as"
    " one text, by the mean of the embeddings, or by the mean of what each scores, which for a"
    " method that only compares embeddings ranks as the mean of embeddings of length one. So there"
    " are as many queries as before, and each is paired with itself alone. The last column counts"
    " those whose person has too few captions."
)
ABOUT_WITNESS = (
    "A query starts with one sentence of somebody who saw the image; in each round a policy asks"
    " one question, and the answer joins the text. Greedy knows the answers and the right images:"
    " it is an upper bound, no policy. A change is to the first sentence or, of other policies than"
    " random, to random in the same round. The last column counts the queries that nothing joined"
    " in the round."
)
ABOUT_GIVEN = (
    "What was said in dialogues that came with the dataset, up to a round, in the place of its"
    " captions. A change is to the first of these rounds. The last column counts the captions whose"
    " image has no dialogue."
)
ABOUT_ERRORS = (
    "After the last round, by how often an answer is wrong. A change is to the first sentence:"
    " where its interval does not lie above zero, asking no longer helps."
)
NUMBERS = {2: "two captions", 3: "three captions"}
NAMES = {RANDOM: "random", GAIN: "information gain", GREEDY: "greedy (upper bound)"}
ROUNDS = Across("round", "round", "", 0.3)

Protocols = Mapping[str, Protocol]  # by the folder of an evaluation
Witnesses = Mapping[str, Witness]


def asked_tables(runs: Sequence[Run], anchor: str) -> tuple[AskedTable, ...]:
    """Write what the finished runs of a method find where they are asked otherwise."""
    finished = [run for run in runs if run.finished]
    return tuple(table for table in _tables(finished, anchor) if table)


def _tables(runs: Sequence[Run], anchor: str) -> Iterator[AskedTable | None]:
    words = [
        Asked("whole captions", RANKED), *(Asked(name, name) for name in find_queries(runs))
    ]  # fmt: skip
    yield asked_table(runs, words, f"{anchor}-words", "Words that lie", ABOUT_WORDS)
    asked = {
        folder: protocol
        for run in runs
        for folder, record in run.further.items()
        if (protocol := protocol_of(record.queries))
    }
    title = "Several describe one person"
    yield asked_table(runs, _several(asked), f"{anchor}-several", title, ABOUT_SEVERAL)
    witnesses = {folder: one for folder, one in asked.items() if isinstance(one, Witness)}
    for number, (rates, group) in enumerate(_by_rates(witnesses), start=1):
        place = f"{anchor}-witness-{number}"
        yield asked_table(
            runs, _rounds(group), place, "The witness", f"{ABOUT_WITNESS} {rates}",
            partial(_draw_rounds, group, place),
        )  # fmt: skip
    about = ABOUT_GIVEN
    yield asked_table(runs, _given(asked), f"{anchor}-dialogues", "Dialogues of the dataset", about)
    if errors := _errors(witnesses):
        yield asked_table(runs, errors, f"{anchor}-errors", "A witness who errs", ABOUT_ERRORS)


def _several(asked: Protocols) -> list[Asked]:
    """Return one caption alone, then two and three, by how they are fused."""
    found = [(one.people, one.fusion, folder) for folder, one in asked.items()
             if isinstance(one, Several)]  # fmt: skip
    return [
        Asked("one caption", RANKED),
        *(Asked(f"{NUMBERS[people]}, by {how}", folder) for people, how, folder in sorted(found)),
    ]


def _given(asked: Protocols) -> list[Asked]:
    """Return the first answer of the dataset's dialogues, then the rounds after it."""
    found = {one.round: folder for folder, one in asked.items() if isinstance(one, Dialogue)}
    first = found.get(min(found, default=0), "")
    return [
        Asked(f"after {counted(number, 'question')}", found[number], first)
        for number in sorted(found)
    ]


def _by_rates(asked: Witnesses) -> list[tuple[str, Witnesses]]:
    """Return the rounds of each pair of rates, of which there are several, with its words."""
    start = {folder: one for folder, one in asked.items() if not one.round}
    later = sorted(((one.unknown, one.wrong), folder) for folder, one in asked.items() if one.round)
    found: list[tuple[str, Witnesses]] = []
    for (unknown, wrong), group in groupby(later, key=lambda item: item[0]):
        folders = [folder for _, folder in group]
        if len({asked[folder].round for folder in folders}) > 1:
            words = (
                f"Here the witness does not know {100 * unknown:g} % of what the image shows, and"
                f" {100 * wrong:g} % of the answers are wrong."
            )
            found.append((words, {**start, **{folder: asked[folder] for folder in folders}}))
    return found


def _rounds(asked: Witnesses) -> list[Asked]:
    """Return the first sentence, then each policy by its rounds."""
    places = {(one.policy, one.round): folder for folder, one in asked.items()}
    start = places.get((RANDOM, 0), RANKED)
    rows = [Asked("first sentence", start, start)] if start != RANKED else []
    for policy, name in NAMES.items():
        for of_policy, number in sorted(places):
            if of_policy == policy and number:
                against = start if policy == RANDOM else places.get((RANDOM, number), start)
                label = f"{name}, {counted(number, 'answer')}"
                rows.append(Asked(label, places[policy, number], against))
    return rows


def _draw_rounds(asked: Witnesses, anchor: str, family: Family) -> Markup:
    """Draw R1 by round, a curve a policy, with intervals for other people and seeds."""
    curves = []
    for policy, name in NAMES.items():
        points = sorted(
            (float(one.round), _summary(family, folder))
            for folder, one in asked.items()
            if (one.policy == policy or not one.round) and folder in family.means
        )
        if any(number for number, _ in points):
            curves.append(Curve(name, tuple(points)))
    chart = rate_chart(f"{anchor}-chart", "R1", curves, ROUNDS)
    names = legend([curve.label for curve in curves], "")
    return Markup('<ul class="legend">{}</ul>{}').format(names, chart)


def _summary(family: Family, name: str) -> Summary:
    return Summary(family.means[name], *family.intervals[name], family.runs[name])


def _errors(asked: Witnesses) -> list[Asked]:
    """Return each policy after its last round, by the rate of wrong answers; empty of one rate."""
    start = next((folder for folder, one in asked.items() if not one.round), "")
    last = max((one.round for one in asked.values()), default=0)
    found = sorted(
        (list(NAMES).index(one.policy), one.unknown, one.wrong, folder)
        for folder, one in asked.items()
        if one.round == last and one.round
    )
    if not start or len({wrong for _, _, wrong, _ in found}) < 2:
        return []
    return [
        Asked("first sentence", start, start),
        *(
            Asked(f"{NAMES[asked[folder].policy]}, {100 * wrong:g} % wrong", folder, start)
            for _, _, wrong, folder in found
        ),
    ]
