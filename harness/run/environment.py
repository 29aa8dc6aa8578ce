"""The machine and the packages that a run is made with."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from harness.run.determinism import repeats_bits

PACKAGES = ("torch", "open_clip_torch", "transformers", "timm", "accelerate", "datasets", "numpy")


def describe_environment(device: torch.device, jobs: int) -> dict[str, Any]:
    """Return what a reader needs to know of the machine and the packages."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "packages": versions,
        "commit": _git_commit(),
        "device": device_name(device),
        "deterministic": repeats_bits(device),
        "threads": torch.get_num_threads(),
        "jobs": jobs,
    }


def device_name(device: torch.device) -> str:
    """Return the name of a graphics card, or what there is to say of a processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {os.cpu_count()} cores, {platform.machine()}"


def _git_commit() -> str:
    """Return the commit of the checkout the harness runs from; "-dirty" where files differ."""
    describe = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    command = ["git", "-C", str(Path(__file__).parent), *describe]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def peak_memory() -> float:
    """Return the most memory that this process has held, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**2


def device_memory() -> float:
    """Return the most that tensors of this process have held of its graphics card, in MB."""
    cards: Any = torch.cuda  # untyped library
    return float(cards.max_memory_allocated()) / 1024**2 if cards.is_initialized() else 0.0
