"""Mends for combinations of released packages that do not import together."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

_library: Any = None  # kept for the life of the process: once collected, its operators vanish


def mend_torchvision() -> None:
    """Make `import torchvision` work where a CUDA build of it stands beside a CPU-only torch.

    PyPI's torchvision registers metadata for operators that its compiled library defines; where
    that cannot load, the import ends with "operator torchvision::nms does not exist", and so do
    open_clip, timm and parts of transformers. Declaring the two operators is enough: nothing here
    calls them. Torchvision itself, which takes seconds, is left to those who need it.
    """
    global _library
    if _library is not None or "torchvision" in sys.modules:
        return
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None or _loads(Path(found.origin).parent):
        return
    import torch

    library: Any = torch.library.Library  # untyped
    _library = library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def _loads(package: Path) -> bool:
    """Tell whether the library that defines torchvision's operators can be loaded."""
    import torch

    load: Any = torch.ops.load_library  # untyped
    try:
        for file in package.glob("_C.*"):
            load(str(file))
    except OSError:
        return False
    return True
