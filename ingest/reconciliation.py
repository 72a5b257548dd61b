"""Compares a ledger with the database: reads the one, streams the other past it.

All of the database is seen in one snapshot, so a hub may run meanwhile. `ledger`, `comparison` and
`refolding` decide; this module only fetches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection, transaction

from devices.models import Series
from ingest.attempts import Attempts
from ingest.comparison import Finding, Matched, Stored, Unnamed
from ingest.ledger import TEXT, Ledger
from ingest.refolding import Bucket, Folding, Rollups

# Devices looked at together: few enough for one query's parameters, many enough that the readings
# not yet sealed, which SQLite keeps by time, are not gone through for each series.
_DEVICES = 500
_EXAMPLES = 10
_FETCHED = 2_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_SPAN = (1, 0)
COUNTS = ("lost", "duplicated", "phantom", "wrong", "miscounted", "rollup")


@dataclass(slots=True)
class Report:
    """What came of it; all of `counts` are 0 if all is well."""

    ledger: Ledger
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=lambda: {what: [] for what in COUNTS})
    unchecked: int = 0
    """Readings sent without a time: what time the hub gave them is not known here."""
    present: Counter[str] = field(default_factory=Counter)
    """Readings attempted and stored, by device."""
    astray: Counter[str] = field(default_factory=Counter)
    """Readings lost or wrong, by device."""

    def add(self, what: str, text: str, readings: int = 1) -> None:
        self.counts[what] += readings
        if len(self.examples[what]) < _EXAMPLES:
            self.examples[what].append(text)


class _Series(NamedTuple):
    """A series of the database; `id` is 0 for one that is attempted only."""

    id: int
    device: str
    metric: str
    kind: int


def reconcile(paths: Sequence[Path]) -> Report:
    """Compare the ledgers at `paths`, together, with the database. Raises BrokenLedger, OSError."""
    attempts = Attempts()
    ledger = Ledger()
    for path in paths:
        with path.open("rb") as lines:
            attempts.add(ledger.read(lines, str(path)))
    attempts.add(ledger.rest())
    attempts.sort()
    comparison = _Comparison(Report(ledger), attempts)
    with _one_snapshot():
        comparison.run()
    attempts.close()
    comparison.count_up()
    return comparison.report


class _Comparison:
    def __init__(self, report: Report, attempts: Attempts) -> None:
        self.report = report
        self._attempts = attempts
        self._unnamed = Unnamed(report.ledger.unnamed)
        self._spans = attempts.spans()
        self._timeless_devices: set[str] = set()
        self._watermark = (0, 0, 0)

    def run(self) -> None:
        state = f"SELECT {_us('sealing_from')}, {_us('sealing_to')}, sealing_series"
        with connection.cursor() as cursor:
            cursor.execute(f"{state} FROM ingest_linestate WHERE id = 1")
            self._watermark = cursor.fetchone()
        attempted = sorted(self._attempts.metrics())
        devices = sorted({device for device, _ in attempted})
        for start in range(0, len(devices), _DEVICES):
            some = devices[start : start + _DEVICES]
            known = _series_of(some)
            names = {(series.device, series.metric) for series in known}
            for text in (False, True):
                chosen = [series for series in known if (series.kind == TEXT) == text]
                for series, rows in _rows_by_series(chosen, some, text):
                    self._compare(series, rows)
            for device, metric in attempted:
                if some[0] <= device <= some[-1] and (device, metric) not in names:
                    self._compare(_Series(0, device, metric, TEXT), iter(()))

    def count_up(self) -> None:
        """What shows only in the sums."""
        report = self.report
        for device, told in sorted(report.ledger.told_stored.items()):
            accounted = report.present[device] + report.astray[device]
            if told > accounted and device not in self._timeless_devices:
                text = f"{device}: {told} acked as stored, {accounted} of them found"
                report.add("duplicated", text, told - accounted)
        for device, readings in sorted(report.ledger.miscounted().items()):
            text = f"{device}: acks counted {readings} readings more or less than their frames hold"
            report.add("miscounted", text, readings)

    def _compare(self, series: _Series, rows: Iterator[Stored]) -> None:
        metric = (series.device, series.metric)
        timeless = self._attempts.timeless(metric)
        if timeless:
            self.report.unchecked += timeless
            self._timeless_devices.add(series.device)
        span = _NO_SPAN if timeless else self._spans.get(series.device, _NO_SPAN)
        matched = Matched(series.kind, span)
        if series.id and series.kind != TEXT:
            rows = self._folding(series).passing(rows)  # type: ignore[arg-type]
        for finding in matched.findings(rows, self._attempts.of(metric)):
            self._add(series, finding)
        self.report.present[series.device] += matched.present

    def _folding(self, series: _Series) -> Folding:
        def found(finding: Finding) -> None:
            self._add(series, finding)

        minutes, hours = (Rollups(_rollups(series.id, step_s), found) for step_s in (60, 3600))
        sealing_from, sealing_to, through = self._watermark
        return Folding(minutes, hours, sealing_to if series.id <= through else sealing_from)

    def _add(self, series: _Series, finding: Finding) -> None:
        what = finding.what
        if what == "unnamed":
            if not self._unnamed.is_lost(finding):
                return
            what = "lost"
        if what in ("lost", "wrong"):
            self.report.astray[series.device] += 1
        at = f"{series.device} {series.metric} {_iso(finding.time_us)}"
        self.report.add(what, f"{at}: {finding.text}")


@contextmanager
def _one_snapshot() -> Iterator[None]:
    """All statements see one state. On SQLite deferred: Django's own would hold up the writer."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def _series_of(devices: Sequence[str]) -> list[_Series]:
    """The series of these devices, in the order of their ids."""
    found = Series.objects.filter(device__uid__in=devices).order_by("id")
    columns = found.values_list("id", "device__uid", "metric", "kind")
    return [_Series(*row) for row in columns]


def _rows_by_series(
    chosen: Sequence[_Series], devices: Sequence[str], text: bool
) -> Iterator[tuple[_Series, Iterator[Stored]]]:
    """Each of the `chosen` series with its readings by time, to be read before the next."""
    table = "ingest_textreading" if text else "ingest_reading"
    marks = ", ".join(["%s"] * len(devices))
    rows = _stream(
        f"SELECT series_id, {_us('time')}, value FROM {table} WHERE series_id IN ("
        "SELECT s.id FROM devices_series s JOIN devices_device d ON d.id = s.device_id"
        f" WHERE d.uid IN ({marks})) ORDER BY series_id, time",
        devices,
    )
    groups = groupby(rows, key=itemgetter(0))
    group = next(groups, None)
    for series in chosen:
        while group is not None and group[0] < series.id:
            group = next(groups, None)
        if group is not None and group[0] == series.id:
            yield series, ((time_us, value) for _, time_us, value in group[1])
            group = next(groups, None)
        else:
            yield series, iter(())


def _rollups(series_id: int, step_s: int) -> Iterator[Bucket]:
    rows = _stream(
        f"SELECT {_us('start')}, count, sum, min, max, first, {_us('first_time')},"
        f" last, {_us('last_time')}"
        " FROM ingest_rollup WHERE series_id = %s AND step_s = %s ORDER BY start",
        [series_id, step_s],
    )
    return (Bucket(*row) for row in rows)


def _stream(sql: str, parameters: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, of which few are in memory at once on either engine."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, parameters)
        while rows := cursor.fetchmany(_FETCHED):
            yield from rows


def _us(column: str) -> str:
    """SQL of a moment in microseconds, which SQLite keeps as they are."""
    if connection.vendor == "postgresql":
        return f"(extract(epoch FROM {column}) * 1000000)::bigint"
    return column


def _iso(time_us: int) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        return "with no usable time"
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
