"""What every live page tells its scripts on the first paint."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from dashboards.pages import status


def page_context(request: HttpRequest, now_ms: int) -> dict[str, Any]:
    """What every live page tells its scripts, and its snippets the reader."""
    return {
        "now_ms": now_ms,
        "relay_interval_s": settings.OPTIONS.relay_interval_s,
        "default_interval_s": status.DEFAULT_INTERVAL_S,
        "online_intervals": status.ONLINE_INTERVALS,
        "stale_intervals": status.STALE_INTERVALS,
        "hub_url": hub_url(request),
    }


def hub_url(request: HttpRequest) -> str:
    """The hub as whoever asks reaches it, without a slash at its end."""
    return f"{request.scheme}://{request.get_host()}"
