"""From when on what is kept of a series, for whoever reads it."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from ingest.fields import to_us
from ingest.models import Horizon, Rollup
from ingest.retention import KeptFrom

_FORMS = {Horizon.READINGS: "readings", Rollup.MINUTE_S: "minutes", Rollup.HOUR_S: "hours"}


def kept_from(horizons: QuerySet[Horizon]) -> dict[int, KeptFrom]:
    """By series, those that were pruned alone."""
    found: dict[int, KeptFrom] = {}
    for series_id, step_s, moment in horizons.values_list("series_id", "step_s", "kept_from"):
        its = found.get(series_id, KeptFrom())
        found[series_id] = its._replace(**{_FORMS[step_s]: to_us(moment)})
    return found


def with_readings(rollups: QuerySet[Rollup]) -> QuerySet[Rollup]:
    """Those of `rollups` whose readings are kept, too."""
    gone = Horizon.objects.filter(
        series_id=OuterRef("series_id"),
        step_s=Horizon.READINGS,
        kept_from__gt=OuterRef("start"),
    )
    return rollups.filter(~Exists(gone))
