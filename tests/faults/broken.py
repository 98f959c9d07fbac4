"""An app that cannot be imported."""

from __future__ import annotations

raise RuntimeError("this release is broken")
