"""A web app that carries the worker: `uvicorn tests.faults.web:app`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator

from fastapi import FastAPI, Response, status
from fastapi.responses import StreamingResponse

from lodger.supervisor import supervisor
from tests.faults.app import IMPORTS, lodger

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


@app.get("/bare")
def bare() -> Response:
    """Is well as long as this process has not imported the modules that it does not serve."""
    imported = sys.modules.keys() & set(IMPORTS)
    return Response(status_code=status.HTTP_409_CONFLICT if imported else status.HTTP_200_OK)


@app.get("/stream")
async def stream() -> StreamingResponse:
    """Go on until the visitor leaves."""
    return StreamingResponse(_forever())


async def _forever() -> AsyncIterator[str]:
    while True:
        yield "here\n"
        await asyncio.sleep(0.1)
