"""A device as a row of the fleet, or the head of its own page, shows it on the first paint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from dashboards.live.present import DevicePresent
from dashboards.pages import status
from dashboards.pages.wording import ago_text, value_text
from ingest.fields import from_us


@dataclass(frozen=True)
class ShownValue:
    metric: str
    text: str
    at: datetime
    ago: str
    unit: str


@dataclass(frozen=True)
class Row:
    """A device as its row, or the head of its page, shows it."""

    device: DevicePresent
    status: status.Status
    seen_at: datetime | None
    ago: str
    values: list[ShownValue]

    @property
    def stored(self) -> str:
        return f"{self.device.counts['stored']:,}"

    @property
    def rejected(self) -> str:
        return f"{self.device.counts['rejected']:,}"


def row_of(device: DevicePresent, now_ms: int) -> Row:
    relay_interval_s = settings.OPTIONS.relay_interval_s
    values = [
        ShownValue(
            metric,
            value_text(value),
            from_us(round(ts_ms * 1000)),
            ago_text(now_ms - ts_ms),
            device.units.get(metric, ""),
        )
        for metric, (ts_ms, value) in sorted(device.values.items())
    ]
    return Row(
        device,
        status.status_of(device.seen_ms, now_ms, device.interval_s, relay_interval_s),
        from_us(device.seen_ms * 1000) if device.seen_ms is not None else None,
        ago_text(now_ms - device.seen_ms) if device.seen_ms is not None else "never",
        values,
    )
