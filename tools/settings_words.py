"""What docs/settings.md says about names whose code carries no sentence of its own; see tools.settings_doc."""

from __future__ import annotations

from typing import Final

from lodger.placement.mode import ALLOWED as MODES
from lodger.scheduler.mode import ALLOWED as SCHEDULE_MODES

INTRODUCTION: Final = """\
# Settings and defaults

<!-- Written by `python -m tools.settings_doc` from the code; `make check` compares. Edit there. -->

A setting is looked up in this order: the keyword of `Lodger(...)`, else the environment variable, else the default.
`lodger worker` and `lodger migrate` don't import your app to read their settings: give those the variable (for a few,
`lodger worker` has an option). A value that is not allowed stops the start with an error that names the variable, the
value and what is allowed.

Numbers ending in `_seconds` are seconds. A yes or no is `true`, `1`, `yes`, `on` or `false`, `0`, `no`, `off`. A list
is separated by commas.
"""

VARIABLES: Final = {
    "DATABASE_URL": (
        "The app's database, in any driver's spelling. `Lodger(url=...)` goes before it. There is no default: without "
        "a URL Lodger refuses to start"
    ),
    "EMBEDDED_JOB_WORKER": f"Whether a web process carries a worker. Allowed: {MODES}. Default: `auto`",
    "JOB_WORKER_ENABLED": "Another spelling of the same, `true` or `false`; may not contradict `EMBEDDED_JOB_WORKER`",
    "EMBEDDED_SCHEDULE_DAEMON": f"Whether a web process fires schedules. Allowed: {SCHEDULE_MODES}. Default: `auto`",
    "LODGER_RUNTIME_DIR": (
        "Where the sockets are that wake an idle worker of the same host at once; default: the temporary directory. "
        "Also the locks by which the web processes of a host elect the one that carries the worker. "
        "Without a usable one workers poll, and the worker table elects"
    ),
    "LODGER_FAILPOINTS": "For Lodger's own fault tests: named places at which a process dies. Leave it alone",
    "LODGER_INSIDE_WORKER": "Set by a worker for the processes it starts, so that they start no worker. Leave it alone",
}

JOB: Final = {
    "name": "Under which its runs are stored; not given: the function's name. When you rename the function, keep the "
    "old name here, or runs that wait will find no job",
    "queue": "Queue of its runs: 1 to 64 letters, digits, `_`, `.`, `:`, `-`",
    "priority": "Larger runs first, within its queue; the queues of a worker take turns",
    "timeout": "Seconds after which an attempt is stopped; up to 30 days",
    "executor": "`asyncio`, `thread` or `process`; not given: `asyncio` for `async def`, `thread` for `def`",
    "retry": "What happens after a failure; not given: `Retry()`, see below",
    "on_crash": "`retry`, or `fail`: don't run it again when its process was seen to die after it had begun",
    "memory_mb": "Memory ceiling in MB, for `executor='process'` only; not given: `LODGER_MEMORY_MB`",
    "tags": "Up to 20 texts that are stored with each run",
    "embeddable": "`False`: never run by a worker inside the web service, only by a separate one. For whole queues: "
    "`LODGER_SEPARATE_QUEUES`",
}

RETRY: Final = {
    "max_attempts": "Attempts in all, the first one included",
    "first_seconds": "Wait after the first failure",
    "factor": "Each further wait is so many times longer",
    "max_seconds": "No wait is longer",
    "jitter": "Each wait is multiplied by a random number in 1 ± this",
    "on": "Exception classes to retry on; others fail the run at once",
}

USING: Final = {
    "tx": "The app's own transaction: the run exists when that commits, and not before",
    "queue": "As for the job",
    "priority": "As for the job",
    "delay": "Seconds or a timedelta until the run is due; up to 366 days",
    "run_at": "The time at which it is due: a datetime with a time zone",
    "retry": "As for the job, except `on`, which stands with the job only",
    "timeout": "As for the job; None: no timeout",
    "unique": "A key, or `Unique(...)`, see below",
    "tags": "As for the job",
    "meta": "A dict of JSON values that goes with the run: `run.meta`",
    "expires": "Seconds or a timedelta after which the run is cancelled if it has not been started",
    "executor": "As for the job",
    "on_crash": "As for the job",
}

UNIQUE: Final = {
    "key": "1 to 1000 characters; keys of different jobs never meet",
    "states": "`active`: the key is held until the run has ended. `waiting`: until it has been started",
    "window_seconds": "Held at least so long from the enqueue on, even when the run ends sooner; up to 366 days",
    "conflict": "`return` the holder, `raise` UniqueConflict, or `replace` a holder that still waits",
}
