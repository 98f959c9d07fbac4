"""What is left out where it can't be: real control groups need root and version 1; texts of all kinds are in unit."""

from __future__ import annotations

from tests.support.cgroups import may_make

collect_ignore = [] if may_make("cpu") and may_make("memory") else ["test_cgroup.py"]
