"""Benchmarks: commands, never timed tests. `python -m benchmarks` is what `make bench` runs."""
