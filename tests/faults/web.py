"""A web app that carries the worker: `uvicorn tests.faults.web:app`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from lodger.supervisor import supervisor
from tests.faults.app import lodger

MAX_BACKOFF = "FAULTS_MAX_BACKOFF"
"""Seconds: the longest that an engine that died again and again waits for the next."""

if most := os.environ.get(MAX_BACKOFF):
    supervisor.MAX_BACKOFF_SECONDS = float(most)  # type: ignore[misc]

app = FastAPI(lifespan=lodger.lifespan())


@app.get("/on_loop")
async def on_loop() -> str:
    return "here"


@app.get("/in_thread")
def in_thread() -> str:
    return "here"


@app.get("/stream")
async def stream() -> StreamingResponse:
    """Go on until the visitor leaves."""
    return StreamingResponse(_forever())


async def _forever() -> AsyncIterator[str]:
    while True:
        yield "here\n"
        await asyncio.sleep(0.1)
