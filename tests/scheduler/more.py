"""A module that the app names in `imports`: nothing else imports it."""

from __future__ import annotations

import os

from lodger import Every
from tests.scheduler.app import lodger, tick

if "imported" in os.environ.get("TEST_SCHEDULES", "").split():
    lodger.schedule(tick.call("imported"), Every(seconds=1), id="imported")
