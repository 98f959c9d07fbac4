"""An app that can't be imported at first, and whose second import does not end. TEST_BROKEN_ONCE names a mark."""

from __future__ import annotations

import os
import threading
from pathlib import Path

mark = Path(os.environ["TEST_BROKEN_ONCE"])
if not mark.exists():
    mark.touch()
    raise OSError("broken")
threading.Event().wait()
