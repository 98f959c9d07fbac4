"""The part of a worker that runs no user code."""
