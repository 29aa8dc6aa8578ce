"""Imported once by the fork server, so that every run starts with the heavy packages in memory."""

from harness.compatibility import mend_torchvision

mend_torchvision()

import accelerate  # noqa: E402, F401 (after the mend, which its imports need)
import datasets  # noqa: E402, F401
import numba  # noqa: E402 (called below)
import open_clip  # noqa: E402, F401
import scipy.io  # noqa: E402, F401 (loading a dataset imports it)
import transformers  # noqa: E402, F401

import harness.run  # noqa: E402, F401

numba.njit()(lambda: None)()  # imports what the first call of a compiled function would
