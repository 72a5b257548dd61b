"""Whose readings an export has, by its address, and no more than its reader may see.

`series` names single ones; `device` and `tag` name devices, all of whose series are meant, and
`metric` leaves in those of its name alone. Nothing named is everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet
from django.http import QueryDict

from dashboards.access import Reader
from dashboards.api.problems import FieldError, Problem, bad_parameter, not_found
from dashboards.export.runs import ExportedSeries
from dashboards.timespan import Span, span
from devices.models import Series
from devices.tagged import has_any_tag

PARAMETERS: Final = ("series", "device", "tag", "metric", "from", "to")
# Of one parameter. More would hardly go into an address; a tag or a metric names any number.
NAMES_MOST: Final = 500
# Readings may be as old as the calendar, and one that the hub takes now comes after `now`: a
# receiver slower than the devices would never come to an end.
FROM_DEFAULT, TO_DEFAULT = "0001-01-01T00:00:00Z", "now"
# Looked for together: what SQLite has not sealed is gone through once for all of them.
SERIES_AT_ONCE: Final = 500


def span_asked(query: QueryDict, now: datetime) -> Span:
    """Raises NoSpan and Problem."""
    return span(_one(query, "from", FROM_DEFAULT), _one(query, "to", TO_DEFAULT), now)


def selected(query: QueryDict, reader: Reader) -> QuerySet[Series]:
    """The series that are asked for. Raises Problem where one of the names is none."""
    for name, values in query.lists():
        _check(name, len(values))
    series, devices, tags, metrics = (
        list(dict.fromkeys(query.getlist(name))) for name in ("series", "device", "tag", "metric")
    )
    ids = _ids(reader, series)
    _check_known(reader, devices, tags, metrics)
    single = Q(pk__in=ids)
    if series and not (devices or tags or metrics):
        return reader.series().filter(single)
    several = Q()
    if devices or tags:
        several &= Q(device__uid__in=devices) | has_any_tag("device__tags", tags)
    if metrics:
        several &= Q(metric__in=metrics)
    return reader.series().filter(single | several if series else several)


def batches(chosen: QuerySet[Series]) -> Iterator[list[ExportedSeries]]:
    """The chosen series by their ids, looked for when they are asked for."""
    last_id = 0
    while True:
        rows = chosen.filter(pk__gt=last_id).order_by("pk")
        columns = rows.values_list("id", "device__uid", "metric", "kind", "unit")
        batch = [ExportedSeries(*row) for row in columns[:SERIES_AT_ONCE]]
        if not batch:
            return
        yield batch
        last_id = batch[-1].id


def _check(name: str, values: int) -> None:
    if name not in PARAMETERS:
        detail = f"{name} is no parameter here: it takes {', '.join(PARAMETERS)}."
        raise Problem("bad-parameter", detail, [FieldError(name, detail)])
    if values > NAMES_MOST:
        raise bad_parameter(name, f"should be named at most {NAMES_MOST} times")


def _one(query: QueryDict, name: str, default: str) -> str:
    values = query.getlist(name, [default])
    if len(values) > 1:
        raise bad_parameter(name, "should be named once")
    return values[0]


def _ids(reader: Reader, names: list[str]) -> list[int]:
    """Of series that are named UID/METRIC; a uid has no slash in it."""
    pairs = dict.fromkeys((_pair(name) for name in names), 0)
    rows = reader.series().filter(
        device__uid__in={uid for uid, _ in pairs}, metric__in={metric for _, metric in pairs}
    )
    for series_id, *pair in rows.values_list("id", "device__uid", "metric").iterator():
        if (key := (pair[0], pair[1])) in pairs:
            pairs[key] = series_id
    for (uid, metric), series_id in pairs.items():
        if not series_id:
            raise not_found(f"There is no series {uid}/{metric}.", "series")
    return list(pairs.values())


def _pair(name: str) -> tuple[str, str]:
    uid, slash, metric = name.partition("/")
    if not (uid and slash and metric):
        raise bad_parameter("series", f"should be UID/METRIC, not {name!r}")
    return uid, metric


def _check_known(reader: Reader, devices: list[str], tags: list[str], metrics: list[str]) -> None:
    """A name that is misspelt must not be left out in silence."""
    known = {
        "device": (devices, reader.devices().filter(uid__in=devices).values_list("uid", flat=True)),
        "metric": (
            metrics,
            reader.series().filter(metric__in=metrics).values_list("metric", flat=True).distinct(),
        ),
        "tag": (tags, _tags(reader, tags)),
    }
    for field, (names, found) in known.items():
        missing = set(names).difference(found) if names else set()
        if missing:
            raise not_found(f"There is no {field} {min(missing)}.", field)


def _tags(reader: Reader, tags: list[str]) -> Iterator[str]:
    """The tags of all devices that have one of `tags`."""
    wearing = reader.devices().filter(has_any_tag("tags", tags))
    for its in wearing.values_list("tags", flat=True).iterator():
        yield from map(str, its)
