"""`python -m harness` is `harness`."""

import sys
from pathlib import Path

from harness.cli import main

if __name__ == "__main__":
    if sys.path[0] in ("", str(Path.cwd())):
        del sys.path[0]  # plugins import what lies beside them, whatever lies here
    main()
