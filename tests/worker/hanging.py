"""An app whose import does not end, in processes that run jobs."""

from __future__ import annotations

import threading

threading.Event().wait()
