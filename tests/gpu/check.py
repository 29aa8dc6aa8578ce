"""What a graphics card makes of the project, in twelve minutes: `python tests/gpu/check.py`.

Full-size encoders with random weights on drawn people, so that nothing is downloaded. Each item is
a line of a table: what was done, what was measured, and whether that is as it should be. One that
fails is a line too, and the others go on; what the minutes do not reach says so. `--small` does all
of it with the tiny encoders, on the processor where there is no card.
"""

from __future__ import annotations

import argparse
import copy
import gc
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

if __name__ == "__main__":  # as every process of the harness does before it imports a method
    from harness.compatibility import mend_torchvision

    mend_torchvision()

import torch
import torch.utils.deterministic
from torch import Tensor

from harness import registry
from harness.data.catalogue import find_declaration, locate
from harness.data.loading import load_split
from harness.data.paperdolls.build import write_paperdolls
from harness.data.paperdolls.looks import Sizes
from harness.data.pixels import open_pixels
from harness.data.schema import Split, TrainView
from harness.evaluation import encode_images
from harness.evaluation.clock import seconds
from harness.method import Encoded, Method, Recipe, Supervision
from harness.progress import Progress
from harness.registry.settings import build
from harness.run.determinism import choose_algorithms
from harness.seeding import seed_everything
from harness.training import Interrupted, Watchers, train
from harness.training.checkpoints import LAST
from harness.training.feeding import feed
from harness.training.handed import preparation

GIGABYTE = 1e9
CAP = 24 * GIGABYTE  # of the card that most have
METHODS = (
    "clip-itc", "irra", "dgia", "ogen", "mefa", "laip", "rde", "tbps-clip", "rasa", "aptm",
)  # fmt: skip
WORDS_OF_BERT = 30_522
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ","]


class Told(NamedTuple):
    """What an item has measured, and whether it is as it should be."""

    figure: str
    is_right: bool


@dataclass(frozen=True)
class Size:
    """How much is done."""

    scale: str  # of the recipes
    people: Sizes
    backbones: Mapping[str, str]  # of methods; "{bert}" is a folder with a vocabulary
    steps: int
    many: int  # steps that are compared with as many others
    stop: int  # the step behind which a training is stopped
    pairs: int
    batch: int | None  # None: the recipe's
    settings: Mapping[str, Mapping[str, Any]]


CLIP = "ViT-B-16-quickgelu"
OFFLINE = {"mefa": {"tagger": "lexicon", "filler": "tiny-clip"}, "laip": {"tagger": "lexicon"}}
FULL = Size(
    "paper", Sizes(train=300, val=20, test=20),
    {
        "clip-itc": CLIP, "irra": CLIP, "dgia": CLIP, "mefa": "EVA02-B-16",
        "ogen": "vit_base_patch16_224+{bert}", "laip": "albef/{bert}",
        "rde": CLIP, "tbps-clip": CLIP, "rasa": "albef/{bert}",
        "aptm": "swin_base_patch4_window7_224+{bert}",
    },
    steps=30, many=100, stop=40, pairs=5000, batch=None, settings=OFFLINE,
)  # fmt: skip
SMALL = Size(
    "tiny", Sizes(train=12, val=4, test=4), {},
    steps=3, many=3, stop=2, pairs=24, batch=8, settings=OFFLINE,
)  # fmt: skip


class Built(NamedTuple):
    """A method ready to be trained."""

    method: Method
    view: TrainView
    recipe: Recipe


@dataclass(frozen=True)
class Steps:
    """What some steps took."""

    ends: Sequence[float]  # when each was done
    loss: float  # mean over the epoch so far
    batch: int
    peak: float  # bytes of the card
    busy: float | None  # share of the time in which the card worked; None where it is not known
    chunks: int

    @property
    def milliseconds(self) -> float:
        """Of a step; the first ones, in which memory is asked for, left aside."""
        taken = [later - before for before, later in pairwise(self.ends)]
        return 1000 * median(taken[len(taken) // 3 :] or [float("nan")])

    def __str__(self) -> str:
        idle = "" if self.busy is None else f", idle {100 * (1 - self.busy):.0f} %"
        rate = 1000 * self.batch / self.milliseconds
        chunks = f", {self.chunks} chunks" if self.chunks > 1 else ""
        peak = f", {self.peak / GIGABYTE:.1f} GB" if self.peak else ""
        return f"{self.milliseconds:.0f} ms, {rate:.0f} images/s{idle}{peak}{chunks}"


class Bench:
    """A device and people to try methods on."""

    def __init__(self, device: torch.device, size: Size, folder: Path) -> None:
        self.device = device
        self.size = size
        self.folder = folder

    @cached_property
    def split(self) -> Split:
        """The drawn people."""
        write_paperdolls(self.folder / "dolls", sizes=self.size.people)
        return load_split(locate(find_declaration(str(self.folder / "dolls"))), "train")

    @cached_property
    def bert(self) -> Path:
        """A folder with BERT's sizes and a vocabulary of as many words, those of the captions."""
        from transformers import BertConfig

        folder = self.folder / "bert"
        folder.mkdir()
        text = " ".join(self.split.captions).lower().replace(",", " ").replace(".", " ")
        words = [*MARKS, *dict.fromkeys(text.split())]
        words += [f"word{number}" for number in range(WORDS_OF_BERT - len(words))]
        (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
        BertConfig().save_pretrained(folder)
        return folder

    @cached_property
    def listings(self) -> Mapping[str, registry.Listing]:
        """The methods there are."""
        return {listing.name: listing for listing in registry.list_methods()}

    def build(self, name: str, **options: Any) -> Built:
        """Build a method with random weights for the last stage of its recipe."""
        listing = self.listings[name]
        assert listing.description is not None
        scale = listing.description["scales"][self.size.scale]
        backbone = self.size.backbones.get(name, scale["config"]["backbone"])
        own = {"backbone": backbone.format(bert=self.bert), **self.size.settings.get(name, {})}
        registration = registry.load_method(name, listing.plugin)
        config = build(registration.method.config_class, {**scale["config"], **own})
        recipe = build(Recipe, {**scale["recipe"], **options})
        last = recipe.stages[-1]
        stage = replace(last, batch_size=self.size.batch or last.batch_size, epochs=1000)
        pixels = open_pixels(self.split, config.image_size, self.folder / "pixels")
        view = TrainView(self.split, pixels, Supervision(config.supervision), 0)
        seed_everything(0, "weights")
        method = registration.method(config, view.summary())
        return Built(method, view, replace(recipe, stages=(stage,)))

    def train(self, built: Built, until: int, folder: Path, keeps: bool = True) -> Steps:
        """Train until so many steps are done, and stop behind a checkpoint, or without one."""
        ends: list[float] = []
        seen: list[Progress] = []
        watch = _Busy(self.device)

        def is_done() -> bool:
            now = seen[-1] if seen else None
            return now is not None and (now.epoch - 1) * now.steps + now.step >= until

        def report(progress: Progress) -> None:
            ends.append(time.perf_counter())
            seen.append(progress)
            watch.step(len(ends))
            if is_done() and not keeps:
                raise _Enough

        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        watchers = Watchers(report=report, asked_to_end=is_done)
        with suppress(Interrupted, _Enough):
            train(*built, 0, self.device, folder, watchers)
        peak = torch.cuda.max_memory_allocated() if self.device.type == "cuda" else 0
        batch, chunks = built.recipe.stages[-1].batch_size, int(built.recipe.chunks)
        return Steps(ends, seen[-1].loss, batch, peak, watch.share(), chunks)

    def steps(self, name: str, until: int, **options: Any) -> Steps:
        """Train a method for some steps, and leave nothing."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            return self.train(self.build(name, **options), until, Path(folder), keeps=False)


class _Enough(Exception):
    """All steps are done."""


class _Busy:
    """How much of the time between two steps a card works, by torch's profiler."""

    FIRST, LAST = 10, 20

    def __init__(self, device: torch.device) -> None:
        self._watches = device.type == "cuda"
        self._profiler: Any = None
        self._began = self._took = 0.0

    def step(self, number: int) -> None:
        if not self._watches or number not in (self.FIRST, self.LAST):
            return
        torch.cuda.synchronize()
        if number == self.FIRST:
            self._profiler = torch.profiler.profile(
                activities=[torch.profiler.ProfilerActivity.CUDA]
            )
            self._profiler.start()
            self._began = time.perf_counter()
        else:
            self._took = time.perf_counter() - self._began
            self._profiler.stop()

    def share(self) -> float | None:
        """Return it; None where too few steps were taken."""
        if not self._took:
            return None
        worked = sum(one.self_device_time_total for one in self._profiler.key_averages())
        return min(1.0, float(worked) / 1e6 / self._took)


def an_epoch(bench: Bench) -> Told:
    """Train a whole epoch of the baseline."""
    built = bench.build("clip-itc")
    steps = -(-len(built.view.captions) // built.recipe.stages[-1].batch_size)
    found = bench.steps("clip-itc", steps)
    return Told(f"{steps} steps, {found}, loss {found.loss:.2f}", found.loss < float("inf"))


def gradients(bench: Bench, built: Built) -> tuple[str, float]:
    """Return a hash of the gradients of a step, and its milliseconds."""
    method = copy.deepcopy(built.method).train()
    run = preparation(method, built.view, built.recipe, 0, bench.device, lambda doing: None)
    run.steps_per_epoch = 1
    rows = torch.arange(built.recipe.stages[-1].batch_size)
    (batch,) = feed(built.view, [rows], bench.device)
    began = seconds(bench.device)
    seed_everything(0, "step")
    run.accelerator.backward(torch.stack(list(method(batch, run).values())).sum())
    took = seconds(bench.device) - began
    found = hashlib.sha256()
    for parameter in method.parameters():
        if parameter.grad is not None:
            found.update(parameter.grad.float().cpu().numpy().tobytes())
    return found.hexdigest(), 1000 * took


def the_same_bits(bench: Bench) -> Told:
    """Take one step of IRRA three times: as it may, strictly, and strictly without filling."""
    built = bench.build("irra")
    told, differ = [], {}
    filling: Any = torch.utils.deterministic
    for mode, (warns, fills) in {
        "warn only": (True, True), "strict": (False, True), "strict, unfilled": (False, False),
    }.items():  # fmt: skip
        torch.use_deterministic_algorithms(True, warn_only=warns)
        filling.fill_uninitialized_memory = fills
        found = [gradients(bench, built) for _ in range(3)]
        differ[mode] = len({bits for bits, _ in found})
        told.append(f"{mode}: {differ[mode]} of 3, {min(took for _, took in found):.0f} ms")
    return Told("; ".join(told), differ["strict"] == differ["strict, unfilled"] == 1)


def some_steps(bench: Bench, name: str) -> Told:
    """Train some steps of a method at its batch."""
    found = bench.steps(name, bench.size.steps)
    return Told(str(found), found.loss < float("inf"))


@contextmanager
def capped(bench: Bench, size: float) -> Iterator[None]:
    """Let torch take no more of the card than a smaller one has."""
    if bench.device.type != "cuda":
        yield
        return
    whole = torch.cuda.get_device_properties(bench.device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, size / whole))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def on_a_small_card(bench: Bench, name: str) -> Told:
    """Train some steps in as many chunks as a smaller card is known to need."""
    with capped(bench, CAP):
        found = bench.steps(name, bench.size.steps, chunks=8)
    return Told(str(found), found.peak <= CAP)


def weights_of(folder: Path) -> str:
    """Return a hash of the weights in a checkpoint."""
    found = hashlib.sha256()
    for name, value in torch.load(folder / LAST, weights_only=True)["method"].items():
        found.update(name.encode() + value.float().cpu().numpy().tobytes())
    return found.hexdigest()


def stop_and_go_on(bench: Bench) -> Told:
    """Stop a training, go on, and compare the weights with those of one that was not stopped."""
    end = bench.size.stop + bench.size.steps
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        whole, parts = Path(folder) / "whole", Path(folder) / "parts"
        bench.train(bench.build("irra"), end, whole)
        bench.train(bench.build("irra"), bench.size.stop, parts)
        bench.train(bench.build("irra"), end, parts)
        same = weights_of(whole) == weights_of(parts)
    return Told(f"stopped at {bench.size.stop}, compared at {end}: {'same' if same else 'OTHER'}",
                same)  # fmt: skip


def later_steps(bench: Bench, name: str) -> Told:
    """Compare the time of the first steps with that of as many later ones."""
    many = bench.size.many
    ends = bench.steps(name, 2 * many).ends
    first, later = ends[many // 10 : many], ends[many:]
    taken = [1000 * (part[-1] - part[0]) / max(1, len(part) - 1) for part in (first, later)]
    told = f"steps to {many}: {taken[0]:.0f} ms, then {taken[1]:.0f} ms"
    return Told(told, taken[1] < 1.15 * taken[0] or bench.device.type != "cuda")


@torch.no_grad()
def scored_pairs(bench: Bench) -> Told:
    """Score pairs with LAIP's cross-encoder in three precisions."""
    built = bench.build("laip")
    method = built.method.to(bench.device).eval()
    count = max(2, int(bench.size.pairs**0.5))
    images, texts = _encoded(method, built.view, count, bench.device)
    pairs = torch.cartesian_prod(torch.arange(count), torch.arange(count))[: bench.size.pairs]
    scored = {}
    kind = bench.device.type
    for mode, products in (("fp32", "highest"), ("TF32", "high"), ("fp16", "highest")):
        torch.set_float32_matmul_precision(products)
        began = seconds(bench.device)
        with torch.autocast(kind, dtype=torch.float16, enabled=mode == "fp16"):
            found = torch.cat([_score(method, texts, images, part) for part in pairs.split(128)])
        scored[mode] = found.float().cpu(), len(pairs) / (seconds(bench.device) - began)
    exact = scored["fp32"][0]
    spread = float(exact.max() - exact.min())
    told = [f"{mode} {rate:.0f}/s off by {float((found - exact).abs().max()) / spread:.0e}"
            for mode, (found, rate) in scored.items()]  # fmt: skip
    off = max(float((found - exact).abs().max()) for found, _ in scored.values())
    return Told(f"{len(pairs)} pairs: {', '.join(told)} of the range", off < 0.05 * spread)


def _encoded(
    method: Method, view: TrainView, count: int, device: torch.device
) -> tuple[Encoded, Encoded]:
    images: Any = method.encode_images(view.pixels(range(count)).to(device))
    texts: Any = method.encode_texts(view.captions[:count])
    return images, texts


def _score(method: Method, texts: Encoded, images: Encoded, pairs: Tensor) -> Tensor:
    text, image = pairs.to(texts.embedding.device).T
    assert texts.tokens is not None
    assert texts.mask is not None
    chosen = Encoded(texts.embedding[text], texts.tokens[text], texts.mask[text])
    return method.rescore(chosen, images, image)


def timing(bench: Bench) -> Told:
    """Time the encoding of images with and without waiting for the card."""
    built = bench.build("clip-itc")
    method = built.method.to(bench.device).eval()
    count = min(256, built.view.summary().image_count)

    def encode() -> None:
        with torch.no_grad():
            encode_images(method, built.view.pixels, count, bench.device)

    encode()
    began = seconds(bench.device)
    encode()
    waited = seconds(bench.device) - began
    start = time.perf_counter()
    encode()
    queued = time.perf_counter() - start
    seconds(bench.device)
    told = f"{1000 * waited / count:.2f} ms an image, {1000 * queued / count:.2f} without waiting"
    # Without a card nothing is waited for: the two are one measurement, made twice.
    return Told(told, waited >= 0.8 * queued or bench.device.type != "cuda")


def half_precisions(bench: Bench) -> Told:
    """Train the same steps in fp16 and in bf16."""
    losses = {mode: bench.steps("clip-itc", bench.size.many, precision=mode).loss
              for mode in ("fp16", "bf16")}  # fmt: skip
    told = ", ".join(f"{mode} loss {loss:.3f}" for mode, loss in losses.items())
    return Told(told, abs(losses["fp16"] - losses["bf16"]) < 0.1 * losses["bf16"])


BOUNDED = """
import sys, torch
from harness.execution.worker import limit_memory
limit_memory(16 * 10**9)
print(float(torch.ones(1000, 1000, device=sys.argv[1]).sum()))
"""


def bounded_memory(bench: Bench) -> Told:
    """Compute on the device in a process that `--memory 16GB` bounds."""
    command = [sys.executable, "-c", BOUNDED, str(bench.device)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    told = done.stdout.strip() if not done.returncode else done.stderr.strip().splitlines()[-1]
    return Told(f"status {done.returncode}: {told}", done.returncode == 0)


ITEMS: Mapping[str, Callable[[Bench], Told]] = {
    "clip-itc, one epoch": an_epoch,
    "irra, one step thrice": the_same_bits,
    **{f"{name}, some steps": partial(some_steps, name=name) for name in METHODS},
    **{f"{name}, 24 GB": partial(on_a_small_card, name=name) for name in ("mefa", "laip")},
    "irra, stopped and gone on": stop_and_go_on,
    **{f"{name}, later steps": partial(later_steps, name=name) for name in ("laip", "ogen")},
    "laip, precision of pairs": scored_pairs,
    "clip-itc, timing": timing,
    "clip-itc, fp16 and bf16": half_precisions,
    "--memory": bounded_memory,
}


def check(
    bench: Bench, items: Mapping[str, Callable[[Bench], Told]], minutes: float
) -> list[tuple[str, str, str]]:
    """Do items and return the lines of the table: item, figure, verdict."""
    end = time.monotonic() + 60 * minutes
    lines = []
    for name, do in items.items():
        line = _line(name, bench, do) if time.monotonic() < end else (name, "", "not reached")
        lines.append(line)
        print(f"{line[0]:<28} {line[2]:<12} {line[1]}", file=sys.stderr, flush=True)
    return lines


def _line(name: str, bench: Bench, do: Callable[[Bench], Told]) -> tuple[str, str, str]:
    choose_algorithms(bench.device, strict=True)
    try:
        told = do(bench)
        return name, told.figure, "as it should" if told.is_right else "LOOK"
    except Exception as error:
        traceback.print_exc()
        return name, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}", "FAILED"
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_float32_matmul_precision("highest")
        gc.collect()
        if bench.device.type == "cuda":
            torch.cuda.empty_cache()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="with the tiny encoders")
    parser.add_argument("--minutes", type=float, default=12, help="after which no item begins")
    parser.add_argument("--only", default="", help="items whose name holds this")
    given = parser.parse_args(arguments)
    if not torch.cuda.is_available() and not given.small:
        parser.error("there is no graphics card: --small does all of it on the processor")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as a run's process has it
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    items = {name: do for name, do in ITEMS.items() if given.only in name}
    if not items:
        parser.error(f"no item holds {given.only!r}; there are: {', '.join(ITEMS)}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(device, SMALL if given.small else FULL, Path(folder))
        lines = check(bench, items, given.minutes)
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)))
    return int(any(verdict in ("LOOK", "FAILED") for _, _, verdict in lines))


if __name__ == "__main__":
    sys.exit(main())
