"""How many readings are stored of a device or of one series of it: exactly, without reading them.

Sealed readings are counted by their rollups, the others one by one, in one snapshot.
"""

from __future__ import annotations

from django.db.models import Q, QuerySet, Sum

from dashboards.snapshot import one_snapshot
from devices.models import Device, Series
from ingest.horizons import with_readings
from ingest.models import LineState, Reading, Rollup, TextReading


def readings_of_device(device: Device) -> int:
    return _readings(device.series.all())


def readings_of_series(series: Series) -> int:
    return _readings(Series.objects.filter(pk=series.pk))


def _readings(chosen: QuerySet[Series]) -> int:
    ids = chosen.order_by().values("pk")
    with one_snapshot():
        state = LineState.objects.get(pk=1)
        hours = with_readings(Rollup.objects.filter(series__in=ids, step_s=Rollup.HOUR_S))
        sealed: int | None = hours.aggregate(readings=Sum("count"))["readings"]
        # Two statements: of an OR of both, no engine makes two ranges of the key.
        recent = sum(
            Reading.objects.filter(side, series__in=ids, time__gte=watermark).count()
            for side, watermark in (
                (Q(series_id__lte=state.sealing_series), state.sealing_to),
                (Q(series_id__gt=state.sealing_series), state.sealing_from),
            )
        )
        return (sealed or 0) + recent + TextReading.objects.filter(series__in=ids).count()
