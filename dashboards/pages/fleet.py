"""The fleet page: its first paint, from the board of this process, or from the database where there
is none yet. From then on `/ws/live/` keeps it current."""

from __future__ import annotations

import time

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboards import latest
from dashboards.live.routing import board_of
from dashboards.pages import status
from dashboards.pages.context import page_context
from dashboards.pages.permission import needs_look
from dashboards.pages.rows import row_of


@require_safe
@needs_look
def fleet(request: HttpRequest) -> HttpResponse:
    now_ms = round(time.time() * 1000)
    board = board_of(request)
    devices = board.devices() if board and board.primed else latest.fleet()
    rows = [row_of(device, now_ms) for device in sorted(devices, key=lambda each: each.uid)]
    chips = [
        (word.value, word.slug, sum(row.status is word for row in rows)) for word in status.Status
    ]
    context = {
        "rows": rows,
        "chips": chips,
        "total": len(rows),
        "online": chips[0][2],
        "anything_seen": any(row.seen_at for row in rows),
        "first_uid": rows[0].device.uid if rows else "porch",
    }
    return render(request, "dashboards/fleet.html", page_context(request, now_ms) | context)
