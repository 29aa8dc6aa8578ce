"""What a step of LAIP takes at full size: memory, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig

from .bounds import Bound

MOST_GIB = 8.0
WORDS = "a man in red jacket and blue jeans carries black bag over his left shoulder"

STEP = """
import json, sys, time
from pathlib import Path
from types import SimpleNamespace

from harness.compatibility import mend_torchvision

mend_torchvision()
import torch
from harness.method import Batch, TrainSummary
from methods.laip import Laip, LaipConfig

folder, caption = sys.argv[1:]
torch.manual_seed(0)
torch.set_num_threads(2)
recipe = Laip.recipes["paper"]
config = LaipConfig(
    backbone=f"albef/{folder}", image_size=recipe.image_size, tagger="lexicon"
)
captions = [caption, caption]
laip = Laip(config, TrainSummary(2, captions, 2)).train()
index = torch.arange(2)
run = SimpleNamespace(
    losses=config.losses, stage=1, epoch=0, step=0, steps_per_epoch=10,
    generator=lambda purpose: torch.Generator().manual_seed(len(purpose)),
    spread=lambda function, *rows: function(*rows),
)
laip.prepare(SimpleNamespace(captions=captions), run)
images = torch.randint(0, 256, (2, 3, *config.image_size), dtype=torch.uint8)
batch = Batch(images, captions, index, index, index)
began = time.perf_counter()
optimizer = torch.optim.AdamW(laip.parameter_groups(recipe.stages[0]), lr=1e-5)
found = laip.training_losses(batch, run)
torch.stack(list(found.values())).sum().backward()
reached = {
    part: any(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in module.parameters())
    for part, module in laip.albef.named_children()
}
optimizer.step()
laip.after_step(batch, run)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({
    "losses": {name: float(loss.detach()) for name, loss in found.items()},
    "phrases": sum(min(len(one), config.most_phrases) for one in laip.phrases_of_caption),
    "reached": reached,
    "queued": int(laip.image_queue.count),
    "peak": int(status["VmHWM"].split()[0]) / 2**20,
    "seconds": time.perf_counter() - began,
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_full_size_step_fits_in_8_gib(tmp_path: Path, benchmark: Any, bound: Bound) -> None:
    """384 x 384, BERT and two pairs: five finite losses, AdamW's step and the queue, on a CPU."""
    config = BertConfig()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(WORDS.split())]
    words += [f"word{n}" for n in range(config.vocab_size - len(words))]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    config.save_pretrained(tmp_path)

    def step() -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-c", STEP, str(tmp_path), WORDS],
            capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return dict(json.loads(done.stdout.splitlines()[-1]))

    found = benchmark.pedantic(step, rounds=1)
    benchmark.extra_info["seconds of a step"] = round(found["seconds"], 1)
    assert found["losses"].keys() == {"itc", "itm", "tri", "biatt", "mpm"}
    assert all(0 < loss < float("inf") for loss in found["losses"].values())
    assert found["phrases"] >= 6
    assert found["queued"] == 2
    assert all(found["reached"].values())
    bound(found["peak"], MOST_GIB, of="GiB at the peak of the process")
