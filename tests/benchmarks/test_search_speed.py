"""What a search costs beside bare decoding, encoding and multiplying of the same images."""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from harness import registry
from harness.method import Method, Recipe, TrainSummary
from harness.registry.settings import build
from harness.search.cache import StoredEmbeddings
from harness.search.engine import Searcher
from harness.search.folder import FolderReader
from harness.search.gallery import Gallery
from harness.trained.method import Trained

from .bounds import Bound
from .paired import paired_ratio

METHOD = "clip"  # the smallest model, beside which everything else weighs most
IMAGES = 500
CROP = 128, 384  # width and height of most images of people
BATCH = 64
ROUNDS = 5
QUERY_ROUNDS = 60  # each takes milliseconds
PROCESS_ROUNDS = 3  # each takes half a minute, of processor time, which varies less
LARGEST_COLD = 1.25  # times decoding one after the other, then encoding; two cores overlap them
LARGEST_KNOWN = 0.5  # times the same: files are read and hashed, nothing is decoded
LARGEST_QUERY = 1.5  # times bare encoding of the text and one product
LARGEST_PROCESS = 1.8  # times the bare imports of the method, in processor time
IMPORTS = (
    "from harness.compatibility import mend_torchvision as mend; mend(); "
    "import methods.clip, methods.blocks.tiny"
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of crops as sharp as photographs."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number in range(IMAGES):
        coarse = random.integers(0, 256, (48, 16, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize(CROP, Image.Resampling.BICUBIC)
        image.save(folder / f"{number:03d}.jpg", quality=90)
    return folder


@pytest.fixture(scope="module")
def trained() -> Trained:
    """Return a method that needs no training."""
    listing = registry.find_method(METHOD, registry.list_methods())
    assert listing.description is not None
    scale = listing.description["scales"]["tiny"]
    registration = registry.load_method(METHOD, listing.plugin)
    config = build(registration.method.config_class, scale["config"])
    method = registration.method(config, TrainSummary(0, []))
    return Trained(method.eval(), build(Recipe, scale["recipe"]), torch.device("cpu"))


def encode_folder(trained: Trained, photos: Path, cache: Path) -> Gallery:
    """Return the gallery of a folder, as a search makes it."""
    stored = StoredEmbeddings(cache)
    with closing(FolderReader(photos, trained.recipe.image_size, stored)) as reader:
        return reader.encode(trained.encode_images, lambda what, done, total: None)


@torch.inference_mode()
def encode_bare(method: Method, photos: Path, size: tuple[int, int]) -> None:
    """Decode and encode with nothing else, a batch after the other."""
    height, width = size
    files = sorted(photos.iterdir())
    for start in range(0, len(files), BATCH):
        images = []
        for file in files[start : start + BATCH]:
            with Image.open(file) as image:
                small = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
            images.append(np.asarray(small).transpose(2, 0, 1))
        method.encode_images(torch.from_numpy(np.stack(images)))


@pytest.mark.benchmark
def test_a_new_folder_costs_its_decoding(
    benchmark: Any, bound: Bound, trained: Trained, photos: Path, tmp_path: Path
) -> None:
    """Reading ahead in threads makes up for hashing and keeping what was encoded."""
    cache = tmp_path / "cache"

    def cold() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        encode_folder(trained, photos, cache)

    size = trained.recipe.image_size
    paired = paired_ratio(
        benchmark, cold, lambda: encode_bare(trained.method, photos, size), ROUNDS
    )
    bound(paired.ratio, LARGEST_COLD, of="times decoding and encoding")


@pytest.mark.benchmark
def test_a_known_folder_is_not_decoded(
    benchmark: Any, bound: Bound, trained: Trained, photos: Path, tmp_path: Path
) -> None:
    """The second search of a folder reads its files and no more."""
    encode_folder(trained, photos, tmp_path)
    size = trained.recipe.image_size
    paired = paired_ratio(
        benchmark,
        lambda: encode_folder(trained, photos, tmp_path),
        lambda: encode_bare(trained.method, photos, size),
        ROUNDS,
    )
    bound(paired.ratio, LARGEST_KNOWN, of="times decoding and encoding")


@pytest.mark.benchmark
def test_an_open_search_answers_as_fast_as_the_text_is_encoded(
    benchmark: Any, bound: Bound, trained: Trained, photos: Path, tmp_path: Path
) -> None:
    """A text costs its encoding and one product with the gallery."""
    gallery = encode_folder(trained, photos, tmp_path)
    searcher = Searcher(trained, gallery)
    units = torch.nn.functional.normalize(torch.from_numpy(gallery.embeddings), dim=1)
    texts = [f"a man in a red jacket with bag number {number}" for number in range(50)]

    def ask() -> None:
        for text in texts:
            searcher.ask(text, 10)

    @torch.inference_mode()
    def bare() -> None:
        for text in texts:
            encoded: Any = trained.method.encode_texts([text])
            query = torch.nn.functional.normalize(encoded.embedding, dim=1)
            (units @ query[0]).topk(10)

    paired = paired_ratio(benchmark, ask, bare, QUERY_ROUNDS)
    bound(paired.ratio, LARGEST_QUERY, of="times bare encoding and one product")


@pytest.mark.benchmark
def test_a_fresh_process_costs_its_imports(
    benchmark: Any, bound: Bound, photos: Path, small_dolls: Path, cache: Path, tmp_path: Path
) -> None:
    """A whole search, new or known, costs little beside importing what the method imports."""
    call = "run", METHOD, "--seeds", "0", "--no-report", "--dataset", str(small_dolls)
    processor_time("-m", "harness", *call, folder=tmp_path)
    search = "-m", "harness", "search", "a man in red", "--gallery", str(photos)
    rounds = []
    for _ in range(PROCESS_ROUNDS):
        shutil.rmtree(cache / "search", ignore_errors=True)
        calls = search, search, ("-c", IMPORTS)
        rounds.append([processor_time(*call, folder=tmp_path) for call in calls])
    benchmark.pedantic(processor_time, args=search, kwargs={"folder": tmp_path}, rounds=1)
    cold = statistics.median(first / bare for first, _, bare in rounds)
    again = statistics.median(second / bare for _, second, bare in rounds)
    imports = statistics.median(bare for _, _, bare in rounds)
    benchmark.extra_info["reference seconds"] = imports
    bound(cold, LARGEST_PROCESS, of="times the bare imports, a new folder")
    bound(again, LARGEST_PROCESS, of="times the bare imports, a known folder")


def processor_time(*arguments: str, folder: Path) -> float:
    """Run Python in a folder; return the processor seconds it took, which no other work adds to."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
