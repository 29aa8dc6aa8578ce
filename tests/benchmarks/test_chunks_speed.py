"""What a step in chunks takes with a full-size encoder: activations and time, beside one pass."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from .bounds import Bound

BATCH, CHUNKS = 24, 8
MOST_ACTIVATIONS, MOST_TIME = 0.25, 1.5  # times those of one pass

# Tensors that are saved for gradients are counted by their storage, parameters left aside.
STEP = """
import json, sys, time

from harness.compatibility import mend_torchvision

mend_torchvision()
import open_clip
import torch
from harness.training.chunks import apply_in_chunks
from methods.blocks.losses import infonce

batch, chunks = map(int, sys.argv[1:])
torch.manual_seed(0)
torch.set_num_threads(1)
clip = open_clip.create_model("ViT-B-16-quickgelu", force_image_size=(384, 128))
images = torch.randn(batch, 3, 384, 128)
words = torch.randint(1, 49_000, (batch, 77))
words[:, -1] = 49_407
own = {parameter.untyped_storage().data_ptr() for parameter in clip.parameters()}
alive, now, most = {}, 0, 0


class Kept:
    def __init__(self, tensor):
        global now, most
        self.tensor = tensor.detach()  # as it is, an output would hold its own graph
        storage = tensor.untyped_storage()
        self.place = storage.data_ptr()
        self.size = 0 if self.place in own else storage.nbytes()
        alive[self.place] = alive.get(self.place, 0) + 1
        if alive[self.place] == 1:
            now += self.size
            most = max(most, now)

    def __del__(self):
        global now
        alive[self.place] -= 1
        if not alive[self.place]:
            now -= self.size


def spread(function, rows):
    if chunks == 1:
        return function(rows)
    return apply_in_chunks(function, chunks, torch.device("cpu"), rows)


began = time.process_time()
with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
    loss = infonce(spread(clip.encode_image, images), spread(clip.encode_text, words), 0.02)
    loss.backward()
took = time.process_time() - began
gradients = [parameter.grad.norm() for parameter in clip.parameters() if parameter.grad is not None]
print(json.dumps({
    "activations": most, "seconds": took, "loss": float(loss.detach()),
    "gradient": float(torch.stack(gradients).norm()),
}))
"""


def step(chunks: int) -> dict[str, Any]:
    """Return what a step in so many chunks takes, in a process of its own."""
    command = [sys.executable, "-c", STEP, str(BATCH), str(chunks)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_chunks_take_less_memory_and_little_more_time(benchmark: Any, bound: Bound) -> None:
    """And give the loss and the gradients of one pass."""
    one, several = benchmark.pedantic(lambda: (step(1), step(CHUNKS)), rounds=1)
    assert abs(several["loss"] / one["loss"] - 1) < 1e-5
    assert abs(several["gradient"] / one["gradient"] - 1) < 1e-5
    share = several["activations"] / one["activations"]
    bound(share, MOST_ACTIVATIONS, of=f"activations, times those of {BATCH} pairs at once")
    time = several["seconds"] / one["seconds"]
    bound(time, MOST_TIME, of=f"processor's time, times that of {BATCH} pairs at once")
