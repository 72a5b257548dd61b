"""What charts end in, as the database has it: read for the board, and encoded where it is read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import orjson

from dashboards import buckets, queries
from dashboards.grid import DAY_US
from dashboards.live.charts import Chart
from dashboards.live.lines import Wanted
from dashboards.queries import Tail
from devices.models import Kind, Series

NO_GAP_US: Final = 2**63  # where gaps are is for who has the whole series


def read_tails(wanted: Sequence[Wanted]) -> list[str | None]:
    """The text of each tail, in the order asked for, all as of one moment after the call.

    None where there is no such series, or it has texts.
    """
    ids = _series_ids([one.chart for one in wanted])
    asked = {
        one: Tail(ids[one.chart.series], one.chart.step_us, one.chart.zone, one.from_us)
        for one in wanted
        if one.chart.series in ids
    }
    # A device's clock may be ahead; nothing that is stored is to be left out.
    now_us = time.time_ns() // 1_000
    until_us = max([now_us, *(one.latest_us for one in wanted)]) + DAY_US
    found = queries.tails(list(dict.fromkeys(asked.values())), until_us)
    return [_text(one, found[asked[one]]) if one in asked else None for one in wanted]


def _series_ids(charts: Sequence[Chart]) -> dict[str, int]:
    """By `uid/metric`; a few more than were asked for."""
    rows = Series.objects.filter(
        device__uid__in={chart.uid for chart in charts},
        metric__in={chart.metric for chart in charts},
    ).exclude(kind=Kind.TEXT)
    return {
        f"{uid}/{metric}": series_id
        for uid, metric, series_id in rows.values_list("device__uid", "metric", "id")
    }


def _text(wanted: Wanted, found: list[buckets.Bucket]) -> str:
    chart = wanted.chart
    tail = {
        **chart._asdict(),
        "after": wanted.after_ms,
        "from": chart.floor_us(wanted.from_us) / 1_000,
        "columns": buckets.columns(found, chart.step_us, NO_GAP_US),
    }
    return orjson.dumps(tail).decode()
