"""The fleet page: its first paint, from the board of this process, or from the database where there
is none yet. From then on `/ws/live/` keeps it current."""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from dashboards import latest
from dashboards.live.present import DevicePresent
from dashboards.live.routing import board_of
from dashboards.pages import status
from dashboards.pages.context import page_context
from dashboards.pages.permission import needs_look
from dashboards.pages.rows import Row, ShownValue, row_of
from dashboards.pages.view import METRICS_MAX, View, listed, slots

ROWS_WHOLE = 40
"""Rows that come with all their cells: a tall screen of them. Of the others only the name does, and
the page makes the cells when they come into sight; a thousand whole rows are 1.2 MB, which took
600 ms to render and as long again to lay out."""


ROWS_EACH = 5
"""Rows of one body of the table, which a browser lays out, watches and leaves alone as one."""


class Slot(NamedTuple):
    """One cell of a value: `own` when it is of the metric that its column is of."""

    metric: str
    value: ShownValue | None
    own: bool


class WholeRow(NamedTuple):
    row: Row
    slots: list[Slot]


class FleetRow(NamedTuple):
    """A tuple, because a template takes that apart faster than it looks up names."""

    head: SafeString
    whole: WholeRow | None
    uid: str
    slug: str
    shown: bool


class Body(NamedTuple):
    rows: list[FleetRow]

    @property
    def shown(self) -> bool:
        return any(row.shown for row in self.rows)


@require_safe
@needs_look
def fleet(request: HttpRequest) -> HttpResponse:
    now_ms = round(time.time() * 1000)
    board = board_of(request)
    devices = board.devices() if board and board.primed else latest.fleet()
    view = View.asked(request.GET)
    columns = view.columns(devices)
    rows = fleet_rows(devices, view, columns, now_ms)
    counts = {word: sum(row.slug == word.slug for row in rows) for word in status.Status}
    context = {
        "new_row": row_head(DevicePresent(""), "", ""),
        "bodies": [Body(rows[at : at + ROWS_EACH]) for at in range(0, len(rows), ROWS_EACH)],
        "columns": columns,
        "metrics": listed(devices, view),
        "metrics_max": METRICS_MAX,
        "view": view,
        "chips": [(word.value, word.slug, count) for word, count in counts.items()],
        "total": len(rows),
        "shown": sum(row.shown for row in rows),
        "online": counts[status.Status.ONLINE],
        "anything_seen": any(device.seen_ms is not None for device in devices),
        "first_uid": rows[0].uid if rows else "porch",
    }
    return render(request, "dashboards/fleet.html", page_context(request, now_ms) | context)


def fleet_rows(
    devices: Sequence[DevicePresent], view: View, columns: list[str], now_ms: int
) -> list[FleetRow]:
    """Every device in the order asked for; the first of those that are shown come whole."""
    relay_interval_s = settings.OPTIONS.relay_interval_s
    before = reverse("device", args=["UID"])
    rows: list[FleetRow] = []
    whole = 0

    def status_of(device: DevicePresent) -> status.Status:
        return status.status_of(device.seen_ms, now_ms, device.interval_s, relay_interval_s)

    for device in view.ordered(devices, status_of):
        word = status_of(device)
        shown = view.shows(device, word)
        is_whole = shown and whole < ROWS_WHOLE
        whole += is_whole
        path = before.replace("UID", quote(device.uid, safe=""))
        head = row_head(device, word.slug, path, shown=shown)
        cells = whole_row(device, view, columns, now_ms) if is_whole else None
        rows.append(FleetRow(head, cells, device.uid, word.slug, shown))
    return rows


def row_head(device: DevicePresent, slug: str, path: str, *, shown: bool = True) -> SafeString:
    """A row as far as all have it, with the cell that names the device; `</tr>` is to come.

    Written here: by a template, a thousand of them made the page take a third longer.
    """
    uid, name = escape(device.uid), escape(device.name)
    seen = "" if device.seen_ms is None else device.seen_ms
    interval = "" if device.interval_s is None else device.interval_s
    return SafeString(
        f'<tr data-uid="{uid}" data-status="{slug}" data-seen="{seen}"'
        f' data-interval-s="{interval}"{"" if shown else " hidden"}>'
        f'<th scope="row" class="device"><a href="{escape(path)}"><span class="name" dir="auto">'
        f'{name or uid}</span></a><span class="uid">{uid if name else ""}</span></th>'
    )


def whole_row(device: DevicePresent, view: View, columns: list[str], now_ms: int) -> WholeRow:
    """Where there is no column yet, with one empty slot for the first metric that comes."""
    row = row_of(device, now_ms)
    values = {value.metric: value for value in row.values}
    shown = slots(columns, values, chosen=bool(view.metrics))
    filled = [
        Slot(metric or column, values.get(metric or ""), metric in (column, None))
        for column, metric in zip(columns, shown, strict=True)
    ]
    return WholeRow(row, filled or [Slot("", None, own=False)])
