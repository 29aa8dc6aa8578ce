"""A trained method as a folder for the Hugging Face hub: weights and a card that says what it is.

``README.md`` holds the figures as the hub reads them (`model-index`), and in words how they were
measured, what the weights were trained on and what they must not be used for. The weights of every
run stand beside it as safetensors, with the config and recipe that rebuild its method.
"""

from __future__ import annotations

import html
import shutil
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.export.eval_results import FOLDER, Benchmark, write_results
from harness.files import process_tag, slug, write_json
from harness.printable import printable
from harness.results import METRICS, RunRecord, StoredRun
from harness.results.paper import UNDISCLOSED
from harness.submission.privacy import clean_command
from harness.trained.chosen_run import has_weights, weights_file

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

CARD = "README.md"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
TEMPLATE = Path(__file__).with_name("model_card.md.j2")
TASK = "text-to-image-retrieval"
LICENCES = {"Apache-2.0": "apache-2.0", "MIT": "mit"}  # as a dataset declares -> as the hub says
DECIMALS = 2
LONGEST, LONGEST_EXTRA_DATA = 1000, 2000  # characters of a line of a record


def write_model_card(
    runs: Sequence[StoredRun], out: Path, benchmarks: Sequence[Benchmark] = ()
) -> Path:
    """Write a folder with the card and the weights of one method or variant; return the card.

    Figures on the datasets of `benchmarks` are written as the hub gathers them, too.

    Raises:
        HarnessError: the runs are of several variants, weights are missing or no plain tensors,
            there are other files at `out`, or no run is on the dataset of a benchmark.
    """
    names = sorted({run.record.name for run in runs})
    if len(names) > 1:
        raise HarnessError(f"A card is for one method or variant; these are {', '.join(names)}.")
    if handed := [run.record for run in runs if run.record.handed_in]:
        raise HarnessError(f"{names[0]} is {handed[0].mark}: a card is for weights trained here.")
    if lost := [run for run in runs if not has_weights(run)]:
        raise HarnessError(
            f"{names[0]} seed {lost[0].record.seed} has no weights any more (--keep none). Train "
            f"it again: {lost[0].record.command} --force --keep selected"
        )
    results = {benchmark.path: write_results(runs, benchmark) for benchmark in benchmarks}
    out = out.absolute()
    _refuse_place(out)
    work = out.with_name(f"{out.name}.{process_tag()}.tmp")
    shutil.rmtree(work, ignore_errors=True)
    try:
        for run in runs:
            _write_run(run, work / _folder(run.record))
        for name, text in {CARD: write_card(runs), **results}.items():
            (work / name).parent.mkdir(exist_ok=True)
            (work / name).write_text(text, encoding="utf-8")
        _swap(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return out / CARD


def write_card(runs: Sequence[StoredRun]) -> str:
    """Return the card of one method or variant, of all datasets that it was trained on."""
    from huggingface_hub import ModelCard

    record = runs[0].record
    protocol = record.protocol
    card = ModelCard.from_template(
        card_data(runs),
        template_path=str(TEMPLATE),
        name=_name(record),
        record=record,
        supervision=_supervision(record),
        metric_names=list(METRICS.values()),
        datasets=[_of_dataset(group) for group in _by_dataset(runs)],
        protocol="; ".join(f"{name}: {protocol[name]}" for name in protocol if name != "version"),
        stages=record.recipe.get("stages") or [],
        extra_data=_plain(record.extra_data or UNDISCLOSED, LONGEST_EXTRA_DATA),
        commands=[_plain_line(clean_command(run.record.command)) for run in runs],
        weights=WEIGHTS,
        plain=_plain,
    )
    return f"{card}\n"


def _of_dataset(runs: Sequence[StoredRun]) -> dict[str, Any]:
    """Return what a card tells of the runs on one dataset."""
    records = [run.record for run in runs]
    r1 = [record.metrics["r1"] for record in records]
    means = [mean(record.metrics[metric] for record in records) for metric in METRICS]
    data = records[0].data
    return {
        "title": _dataset(records[0]),
        "means": [f"{value:.{DECIMALS}f}" for value in means],
        "spread": f"{min(r1):.2f} to {max(r1):.2f}",
        "seeds": len(records),
        "licence": data.get("licence") or "not declared",
        "note": data.get("note", ""),
    }


def card_data(runs: Sequence[StoredRun]) -> ModelCardData:
    """Return what the hub reads of a card, the figures as means over seeds."""
    from huggingface_hub import ModelCardData

    record = runs[0].record
    licence, name = _licence(runs)
    return ModelCardData(
        language="en",
        library_name="tbpr-bench",
        model_name=_name(record),
        tags=["text-to-image-person-retrieval", "person-retrieval", record.method],
        metrics=list(METRICS),
        eval_results=[result for group in _by_dataset(runs) for result in _eval_results(group)],
        license=licence,
        license_name=name,
    )


def _eval_results(runs: Sequence[StoredRun]) -> Iterator[EvalResult]:
    from huggingface_hub import EvalResult

    record = runs[0].record
    seeds = ", ".join(str(run.record.seed) for run in runs)
    for metric, name in METRICS.items():
        yield EvalResult(
            task_type=TASK,
            task_name="Text-to-image person retrieval",
            dataset_type=record.dataset,
            dataset_name=_dataset(record),
            dataset_split="test",
            metric_type=metric,
            metric_name=f"{name} in percent, mean over seeds {seeds}",
            metric_value=round(mean(run.record.metrics[metric] for run in runs), DECIMALS),
        )


def _licence(runs: Sequence[StoredRun]) -> tuple[str, str | None]:
    """Return the licence as the hub calls it and, where it knows none, by name."""
    told = {str(run.record.data.get("licence") or "not declared") for run in runs}
    known = {LICENCES.get(one) for one in told}
    if len(known) == 1 and (licence := known.pop()):
        return licence, None
    return "other", printable("; ".join(sorted(told)))


def _by_dataset(runs: Sequence[StoredRun]) -> list[list[StoredRun]]:
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        groups.setdefault(run.record.dataset, []).append(run)
    return list(groups.values())


def _name(record: RunRecord) -> str:
    of_variant = "" if record.name == record.method else f", {record.variant}"
    return printable(f"{record.title}{of_variant}")


def _dataset(record: RunRecord) -> str:
    title = printable(str(record.data.get("title") or record.dataset))
    return f"{title} (drawn people)" if record.data.get("drawn") else title


def _supervision(record: RunRecord) -> str:
    known = {"none": "without training", "pairs": "from pairs of image and caption alone"}
    return known.get(record.supervision, "from captions and the identities of people")


def _plain(told: object, longest: int = LONGEST) -> str:
    """Return one line of a record so that Markdown shows it as it is."""
    escaped = html.escape(printable(" ".join(str(told).split()), longest), quote=False)
    return "".join(f"\\{c}" if c in "\\`*_[]|#~" else c for c in escaped)


def _plain_line(text: str) -> str:
    return printable(" ".join(text.split()), LONGEST).replace("```", "")


def _folder(record: RunRecord) -> Path:
    return Path(slug(record.dataset)) / f"seed-{record.seed}"


def _write_run(run: StoredRun, folder: Path) -> None:
    record = run.record
    about: dict[str, Any] = {
        name: getattr(record, name)
        for name in ("method", "variant", "seed", "scale", "key", "config", "recipe")
    }
    write_json(folder / CONFIG, about)
    if record.recipe.get("stages"):
        write_safetensors(weights_file(run), folder / WEIGHTS)


def write_safetensors(weights: Path, file: Path) -> None:
    """Convert stored weights to safetensors; nothing that is stored is executed.

    Raises:
        HarnessError: they are damaged, or hold more than tensors by name.
    """
    import pickle

    import torch
    from safetensors.torch import save_file

    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise HarnessError(f"The weights {weights} cannot be read: they are damaged.") from error
    odd = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if odd:
        raise HarnessError(f"{weights} holds more than tensors: {', '.join(map(str, odd[:3]))}.")
    # Tensors that share their memory become copies: a file of safetensors shares none.
    tensors = {name: value.clone().contiguous() for name, value in state.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, file, {"format": "pt"})


def _refuse_place(out: Path) -> None:
    """Refuse a place where anything stands that no card of ours brought: it is replaced whole."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or out.is_symlink():
        raise HarnessError(f"{out} is no folder: name another with --out.")
    if others := [place.as_posix() for place in islice(_others(out), 3)]:
        told = ", ".join(map(printable, others))
        raise HarnessError(f"{out} holds other files ({told}): name another folder with --out.")


def _others(out: Path) -> Iterator[Path]:
    """Yield where below a folder there are files and links that are not of a card."""
    for file in out.rglob("*"):
        place = file.relative_to(out)
        if file.is_symlink() or not (file.is_dir() or _is_of_card(out, place)):
            yield place


def _is_of_card(out: Path, place: Path) -> bool:
    if place == Path(CARD):
        return "library_name: tbpr-bench" in _read(out / place)
    if place.match(f"{FOLDER}/*.yaml") and len(place.parts) == 2:
        return "scored by tbpr-bench" in " ".join(_read(out / place).split())
    return place.match("*/seed-*/*") and len(place.parts) == 3 and place.name in (CONFIG, WEIGHTS)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _swap(work: Path, out: Path) -> None:
    retired = out.with_name(f"{out.name}.{process_tag()}.old.tmp")
    if out.exists():
        out.rename(retired)
    work.rename(out)
    shutil.rmtree(retired, ignore_errors=True)
