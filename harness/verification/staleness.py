"""Runs against the code, settings and data that are here: would they be run again?

Keys are planned for the content of the dataset that a run tells of, so that its code can be
compared where its dataset is not here. Planning reads sources and imports nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import plan
from harness.data.crowds import Crowd, drawn_crowd, drawn_looks
from harness.data.declaration import Declaration, Located
from harness.data.noise import recorded_noise
from harness.errors import HarnessError
from harness.plan import keys
from harness.plan.beside import Recorded
from harness.plan.handed_in import Encoder, make_handed_key
from harness.plan.spec import RunSpec
from harness.registry import Listing, Plugin
from harness.registry.scales import has_scale
from harness.results import (
    EVALUATION,
    EVALUATIONS,
    RECORD,
    EvaluationRecord,
    RunRecord,
    StoredRun,
)
from harness.verification.findings import Finding, Kind
from harness.verification.runs import (
    VerifiedRun,
)

OTHER_CODE = "its key is not the one of the code and settings that are here"
OTHER_SCORING = (
    "it was scored by other code than is here; `harness run` scores its weights anew where they "
    "were kept, and trains it again where not"
)

OTHER_HANDED = "it was scored by other code than is here: its command scores its files anew"


def find_stale(
    runs: Sequence[VerifiedRun], listings: Sequence[Listing], datasets: Sequence[Located]
) -> Iterator[Finding]:
    """Yield the finished runs and evaluations that would be made again, and those not compared."""
    methods = {one.name: one for one in reversed(listings) if one.description}
    groups: dict[tuple[str, ...], list[_Known]] = defaultdict(list)
    for run in runs:
        if run.record is None or run.record.status != "ok":
            continue
        yield from _compare_data(run.path, run.record, datasets)
        if run.record.handed_in:
            yield from _compare_handed(run.path, run.record, methods)
            continue
        known = _recognise(run, run.record, methods)
        if isinstance(known, Finding):
            yield known
        else:
            groups[known.group].append(known)
    for group in groups.values():
        yield from _compare_keys(group)


def find_outdated(
    runs: Sequence[StoredRun], listings: Sequence[Listing], datasets: Sequence[Located]
) -> dict[Path, str | None]:
    """Return, by the folders of finished runs that would be made again, why; None: not compared."""
    told: dict[Path, str | None] = {}
    read = {str(run.path): VerifiedRun(str(run.path), run.record) for run in runs}
    for finding in find_stale(list(read.values()), listings, datasets):
        path = Path(finding.path)
        if finding.kind is Kind.STALE:
            told[path] = told.get(path) or finding.message
        elif finding.kind is Kind.NOT_CHECKED:
            told.setdefault(path, None)
    return told


def find_of_other_code(runs: Sequence[StoredRun], plugins: Iterable[Plugin]) -> list[StoredRun]:
    """Return the finished runs whose keys no plugin's code gives, with the settings they had.

    Sources are read and nothing else, not even a description, for which a method is imported where
    none is cached: to change what a method has by default is to change its code.
    """
    codes, here = keys.Codes(), list(plugins)
    finished = [run for run in runs if run.record.status == "ok"]
    return [run for run in finished if not _is_of_code(run.record, codes, here)]


def _is_of_code(record: RunRecord, codes: keys.Codes, plugins: Iterable[Plugin]) -> bool:
    settings = record.method, record.config, record.recipe
    data = str(record.data.get("fingerprint")), record.seed, record.uses
    try:
        of_here = (codes.of(plugin, record.uses) for plugin in plugins)
        return any(keys.make_keys(one, *settings, *data).figures == record.key for one in of_here)
    except (KeyError, TypeError):  # of a recipe like no other
        return False


@dataclass(frozen=True)
class _Known:
    """A finished run whose method and variant are here."""

    run: VerifiedRun
    record: RunRecord
    listing: Listing
    label: str  # as the method declares it, without what --set adds
    settings: Mapping[str, Any]  # of --set

    @property
    def group(self) -> tuple[str, ...]:
        """What runs have in common that are planned together."""
        record, settings = self.record, json.dumps([self.settings, self.record.noise])
        own = (record.method, self.label) if self.settings else ()
        data = str(record.data.get("fingerprint")), json.dumps(record.uses)
        return record.dataset, record.scale, *data, settings, *own


def _compare_data(path: str, record: RunRecord, datasets: Sequence[Located]) -> Iterator[Finding]:
    """Yield what is to be said of a run's data: another dataset of its name tells nothing of it."""
    named = [one for one in datasets if one.declaration.name == record.dataset]
    if record.data.get("fingerprint") in [one.fingerprint for one in named]:
        return
    if any(record.dataset_argument in ("", one.declaration.argument) for one in named):
        yield Finding(Kind.STALE, path, RECORD, "its dataset has another content here")
    else:
        told = "its dataset is not here to be compared"
        yield Finding(Kind.NOT_CHECKED, path, RECORD, told)


def _compare_handed(
    path: str, record: RunRecord, methods: Mapping[str, Listing]
) -> Iterator[Finding]:
    """Yield what is to be said of a row that rests on files of others.

    A method is asked only where the files are its weights.
    """
    handed, fingerprint = record.handed_in, str(record.data.get("fingerprint"))
    assert handed is not None
    encoder = None
    if handed.encoded_by:
        listing = methods.get(handed.encoded_by)
        if listing is None:
            told = f"{handed.encoded_by}, which encoded it, is not here to be compared"
            yield Finding(Kind.NOT_CHECKED, path, RECORD, told)
            return
        encoder = Encoder(keys.code_of(listing.plugin), record.config)
    if make_handed_key(handed, fingerprint, record.seed, encoder) != record.key:
        yield Finding(Kind.STALE, path, RECORD, OTHER_HANDED)


def _recognise(
    run: VerifiedRun, record: RunRecord, methods: Mapping[str, Listing]
) -> _Known | Finding:
    """Return a run with what its method declares of it, or what keeps it from being planned."""
    listing = methods.get(record.method)
    if listing is None or listing.description is None:
        told = "its method is not here to be compared, or does not import; --plugins brings more"
        return Finding(Kind.NOT_CHECKED, run.path, RECORD, told)
    description = listing.description
    if not has_scale(description, record.scale):
        return Finding(Kind.STALE, run.path, RECORD, "its method has no such scale any more")
    labels = plan.variants_at(description, record.scale)
    try:
        noise = recorded_noise(record.noise)
    except ValueError as error:
        return Finding(Kind.RECORD, run.path, RECORD, str(error))
    variant = record.variant.removesuffix(f" ({noise.label})") if noise else record.variant
    fitting = [one for one in labels if f"{variant} (".startswith(f"{one} (")]
    if not fitting:
        return Finding(Kind.STALE, run.path, RECORD, "its method has no such variant any more")
    label = max(fitting, key=len)
    own = next(one["changes"] for one in description["variants"] if one["label"] == label)
    settings = {k: v for k, v in record.changes.items() if k not in own or own[k] != v}
    return _Known(run, record, listing, label, settings if label != variant else {})


def _compare_keys(group: Sequence[_Known]) -> Iterator[Finding]:
    try:
        specs = _plan(group)
    except (HarnessError, TypeError, ValueError, KeyError) as error:  # of settings like no other
        told = f"its settings cannot be used any more: {error}"
        yield from (Finding(Kind.STALE, known.run.path, RECORD, told) for known in group)
        return
    for known in group:
        path, record = known.run.path, known.record
        spec = specs[record.method, known.label, record.seed]
        if spec.key != record.key:
            same_weights = spec.weights_key == record.weights_key
            told = OTHER_SCORING if same_weights else OTHER_CODE
            yield Finding(Kind.STALE, path, RECORD, told)
            continue
        if _settings(record.config, record.recipe) != _settings(spec.config, spec.recipe):
            told = "its config or recipe is not the one that its key stands for"
            yield Finding(Kind.RECORD, path, RECORD, told)
        yield from _compare_evaluations(known.run, spec)


def _plan(group: Sequence[_Known]) -> dict[tuple[str, str, int], RunSpec]:
    """Return what would be run today, by method, declared label and seed."""
    first = group[0].record
    labels: dict[str, dict[str, Listing]] = defaultdict(dict)
    for known in group:
        labels[known.record.method][known.label] = known.listing
    choices = [plan.Choice(next(iter(of.values())), tuple(of)) for of in labels.values()]
    further = [one for known in group for one in known.run.further.values()]
    specs = plan.plan(
        plan.Suite(first.suite, first.suite, first.scale, (), (first.dataset,)),
        [_located(first.dataset, first.data.get("fingerprint"))],
        choices,
        seeds := sorted({known.record.seed for known in group}),
        group[0].settings,
        rerankings=sorted({one.rerank for one in further if one.rerank}),
        queries=sorted({one.queries for one in further if one.queries}),
        noises=[recorded_noise(first.noise)],
        beside=Recorded(first.uses),
    )
    planned = [
        (of.listing.name, label, n) for of in choices for label in of.variants for n in seeds
    ]
    return dict(zip(planned, specs, strict=True))


def _settings(config: Mapping[str, Any], recipe: Mapping[str, Any]) -> Any:
    """Return what a key stands for, as it is stored: how a run is executed is no part of it."""
    return json.loads(json.dumps([config, keys.without_options(recipe)]))


def _located(dataset: str, fingerprint: Any) -> Located:
    """Return a dataset of which only the content matters."""
    return Located(Declaration(dataset, dataset), {}, str(fingerprint))


def _compare_evaluations(run: VerifiedRun, spec: RunSpec) -> Iterator[Finding]:
    for name, record in run.further.items():
        if record.key not in _keys_of(record, spec):
            yield Finding(Kind.STALE, run.path, f"{EVALUATIONS}/{name}/{EVALUATION}", OTHER_CODE)


def _keys_of(record: EvaluationRecord, spec: RunSpec) -> set[str]:
    """Return the key that an evaluation of a run would have today."""
    if record.crowd:
        return {one.key for one in plan.evaluated_among(spec, [_crowd(record)]).evaluations}
    if not record.on:
        same = record.rerank, record.queries
        return {one.key for one in spec.evaluations if (one.rerank, one.queries) == same}
    other = _located(str(record.on.get("name")), record.on.get("fingerprint"))
    return {one.key for one in plan.evaluated_on(spec, {"other": other}).evaluations}


def _crowd(record: EvaluationRecord) -> Crowd:
    """Return the crowd that a record tells of: one that is drawn as it would be drawn today."""
    told = record.crowd
    look, name, count = told.get("look"), str(told.get("name")), told.get("count")
    count = count if type(count) is int else 0
    index = str(told.get("index", ""))
    if look in drawn_looks():
        return replace(drawn_crowd(str(look), count), index=index)
    return Crowd(name, name, name, count, str(told.get("content")), index=index)
