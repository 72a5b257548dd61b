"""Which chromium pages are looked at with, and how it is started."""

from __future__ import annotations

import shutil
from typing import Final

PROGRAMS: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The one without a window first: the others build theirs, toolbars and all, for each test."""

FLAGS: Final = [
    "--no-sandbox",  # chromium refuses its sandbox to root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # A browser that looks for updates makes a test depend on the network.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """The program's path, None where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)
