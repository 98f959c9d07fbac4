"""Runs blocks of a document one after the other, in one namespace, with `await` at their top level.

    python runner.py DOCUMENT LINE:TEXT...    (JSON: [[line, text], ...] on standard input)

Tracebacks name the document and its own lines.
"""

import ast
import asyncio
import inspect
import json
import sys


async def main() -> None:
    """Run what standard input brings."""
    namespace = {"__name__": "__guide__"}
    for line, text in json.load(sys.stdin):
        source = "\n" * (line - 1) + text
        code = compile(source, sys.argv[1], "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        awaited = eval(code, namespace)  # noqa: S307 - our own document
        if inspect.iscoroutine(awaited):
            await awaited


asyncio.run(main())
