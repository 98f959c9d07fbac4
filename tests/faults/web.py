"""A web app that carries the worker: `uvicorn tests.faults.web:app`."""

from __future__ import annotations

from fastapi import FastAPI

from tests.faults.app import lodger

app = FastAPI(lifespan=lodger.lifespan())


@app.get("/on_loop")
async def on_loop() -> str:
    return "here"


@app.get("/in_thread")
def in_thread() -> str:
    return "here"
