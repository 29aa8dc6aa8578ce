"""Mends for combinations of released packages that do not import together."""

from __future__ import annotations

import importlib
import sys
from typing import Any

_library: Any = None  # kept for the life of the process: once collected, its operators vanish


def mend_torchvision() -> None:
    """Make `import torchvision` work where a CUDA build of it stands beside a CPU-only torch.

    PyPI's torchvision registers metadata for operators that its CUDA library defines; where that
    library cannot load, the import ends with "operator torchvision::nms does not exist", and so do
    open_clip, timm and parts of transformers. Declaring the two operators is enough: nothing here
    calls them.
    """
    global _library
    if "torchvision" in sys.modules:
        return
    import torch

    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error) or _library is not None:
            raise
        library: Any = torch.library.Library  # untyped
        _library = library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[module]
        importlib.import_module("torchvision")
    except ImportError:
        return  # not installed: whoever needs it says so
