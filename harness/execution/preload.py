"""Imported once by the fork server, so that every run starts with the heavy packages in memory."""

from harness.compatibility import mend_torchvision

mend_torchvision()

import accelerate  # noqa: E402, F401 (after the mend, which its imports need)
import datasets  # noqa: E402, F401
import open_clip  # noqa: E402, F401
import scipy.io  # noqa: E402, F401 (loading a dataset imports it)
import transformers  # noqa: E402, F401
from numba.core.registry import cpu_target  # noqa: E402

import harness.run  # noqa: E402, F401

cpu_target.target_context.refresh()  # what the first call of a compiled function would import
