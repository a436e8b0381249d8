"""The real program killed at each of its calls that change something (DESIGN 8.5): one
pass for each kind of work, cut at the n-th call, then passes left alone; cut again as it recovers.

CRASH_POINTS=0 tries every call; matrix.py has the rest. SPDX-License-Identifier: MIT"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import matrix  # noqa: E402
import works  # noqa: E402

from case import main  # noqa: E402

for work in works.ALL + (works.Maildrop,):
    globals()[work.__name__] = type(work.__name__, (matrix.Tests, work), {})


if __name__ == "__main__":
    main()
