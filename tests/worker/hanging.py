"""An app whose import does not end, in processes that run jobs. TEST_HANGING names a file that tells of its begin."""

from __future__ import annotations

import os
import threading
from pathlib import Path

if "TEST_HANGING" in os.environ:
    Path(os.environ["TEST_HANGING"]).touch()
threading.Event().wait()
