"""Why readings of a device were refused: those that are kept, by reason, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Sum

from dashboards.pages.wording import ago_text
from devices.models import Device
from ingest.fields import to_us
from ingest.models import RefusedReading

# Of one reason; more of the same teach nothing.
NEWEST_SHOWN = 10


@dataclass(frozen=True)
class Reason:
    """One code, with the sentence of its newest reading, and how many of it are kept."""

    code: str
    message: str
    readings: int
    last: datetime
    ago: str
    newest: list[RefusedReading]


def reasons(device: Device, now_ms: int) -> list[Reason]:
    """Each reason once; the one that refused a reading last comes first."""
    kept = device.refused.all()
    counted = kept.order_by().values("code").annotate(readings=Sum("count"), newest=Max("id"))
    return [
        _reason(list(kept.filter(code=each["code"])[:NEWEST_SHOWN]), each["readings"], now_ms)
        for each in counted.order_by("-newest")
    ]


def _reason(newest: list[RefusedReading], readings: int, now_ms: int) -> Reason:
    first = newest[0]
    ago = ago_text(now_ms - to_us(first.received_at) / 1000)
    return Reason(first.code, first.message, readings, first.received_at, ago, newest)
