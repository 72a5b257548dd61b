"""A hub that breaks where it is told to: see `tests.breaking`."""

from __future__ import annotations

import sys

from tests.breaking import VARIABLE
from tests.hubs import Hub, command


def breaks(hub: Hub, how: str) -> None:
    """From its next start on the hub breaks like this; with no words, it is whole again."""
    hub.environment.pop(VARIABLE, None)
    hub.command = command("runhub")
    if how:
        hub.environment[VARIABLE] = how
        hub.command = [sys.executable, "-m", "tests.breaking"]
