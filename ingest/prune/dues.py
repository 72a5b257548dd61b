"""What retention keeps no longer: of which series, from when, up to when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from django.db import connection

from ingest.prune.forms import MINUTES, NUMBERS, TEXTS, Form
from ingest.reading import EARLIEST_US
from ingest.retention import Rules, full_hour
from ingest.stored import microseconds

SERIES_AT_ONCE: Final = 500


class Due(NamedTuple):
    """What of one series goes: from its horizon up to a full hour, that is to be its next."""

    series_id: int
    from_us: int
    to_us: int


def pages(form: Form, rules: Rules, now_us: int, ahead: bool = False) -> Iterator[list[Due]]:
    """All that is due of a form, by the ids of the series; each page as it is when asked for.

    Readings stay while they are not in rollups, and rollups while what they are made of stays;
    `ahead`: as if that had gone where it is to go.
    """
    last_id = 0
    while rows := _series(form, last_id, ahead):
        last_id = rows[-1][0]
        page = []
        for series_id, device_id, metric, horizon_us, most_us in rows:
            wanted = rules.kept_from(device_id, metric, now_us)
            wanted_us = wanted[{NUMBERS: 0, TEXTS: 0, MINUTES: 1}.get(form, 2)]
            due = Due(series_id, horizon_us, min(wanted_us, full_hour(most_us)))
            if due.to_us > due.from_us:
                page.append(due)
        if page:
            yield page


def _series(form: Form, after: int, ahead: bool) -> list[tuple[int, int, str, int, int]]:
    """(id, device, metric, horizon, how far it may go at most), the latter two in µs."""
    sealed = f"(SELECT {microseconds('sealing_from')} FROM ingest_linestate WHERE id = 1)"
    finer = f"coalesce({microseconds('f.kept_from')}, {EARLIEST_US})"
    most = {NUMBERS: sealed, TEXTS: str(2**62)}.get(form, sealed if ahead else finer)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.id, s.device_id, s.metric,"
            f" coalesce({microseconds('h.kept_from')}, {EARLIEST_US}), {most}"
            " FROM devices_series s"
            " LEFT JOIN ingest_horizon h ON h.series_id = s.id AND h.step_s = %s"
            " LEFT JOIN ingest_horizon f ON f.series_id = s.id AND f.step_s = %s"
            f" WHERE s.id > %s AND {form.whose} ORDER BY s.id LIMIT %s",
            [form.step_s, -1 if form.finer is None else form.finer, after, SERIES_AT_ONCE],
        )
        rows: list[tuple[int, int, str, int, int]] = cursor.fetchall()
    return rows
