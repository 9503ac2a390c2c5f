"""``python -m autograder``."""

import os
import sys

# Before anything loads a numerical library: several gradings share the machine's cores.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

from autograder.cli import main

if __name__ == "__main__":
    sys.exit(main())
