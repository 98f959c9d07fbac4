"""A site with nothing on it, which may carry the worker."""

from __future__ import annotations

from fastapi import FastAPI

from benchmarks.suite.jobs import lodger

app = FastAPI(lifespan=lodger.lifespan())


@app.get("/")
async def home() -> str:
    """Answer."""
    return "here"
