"""Compares a ledger with the database: reads the one, streams the other past it.

All of the database is seen in one snapshot, so a hub may run meanwhile. `ledger`, `comparison` and
`refolding` decide; this module only fetches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingest.attempts import Attempts
from ingest.comparison import Finding, Matched, Stored, Unnamed
from ingest.ledger import TEXT, Ledger
from ingest.refolding import Folding
from ingest.retention import KeptFrom
from ingest.stored import (
    DEVICES_AT_ONCE,
    KnownSeries,
    folding,
    horizons_of,
    iso,
    one_snapshot,
    rows_by_series,
    series_of,
    watermark,
)

_EXAMPLES = 10
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
    gone: Counter[str] = field(default_factory=Counter)
    """Readings attempted that are before the horizon of their series, by device: not looked for."""

    def add(self, what: str, text: str, readings: int = 1) -> None:
        self.counts[what] += readings
        if len(self.examples[what]) < _EXAMPLES:
            self.examples[what].append(text)


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
    with one_snapshot():
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
        self._horizons: dict[int, KeptFrom] = {}

    def run(self) -> None:
        self._watermark = watermark()
        attempted = sorted(self._attempts.metrics())
        devices = sorted({device for device, _ in attempted})
        for start in range(0, len(devices), DEVICES_AT_ONCE):
            some = devices[start : start + DEVICES_AT_ONCE]
            known = series_of(some)
            names = {(series.device, series.metric) for series in known}
            self._horizons = horizons_of(some)
            for text in (False, True):
                chosen = [series for series in known if (series.kind == TEXT) == text]
                for series, rows in rows_by_series(chosen, some, text):
                    self._compare(series, rows)
            for device, metric in attempted:
                if some[0] <= device <= some[-1] and (device, metric) not in names:
                    self._compare(KnownSeries(0, device, metric, TEXT), iter(()))

    def count_up(self) -> None:
        """What shows only in the sums."""
        report = self.report
        for device, told in sorted(report.ledger.told_stored.items()):
            accounted = report.present[device] + report.astray[device] + report.gone[device]
            if told > accounted and device not in self._timeless_devices:
                text = f"{device}: {told} acked as stored, {accounted} of them found"
                report.add("duplicated", text, told - accounted)
        for device, readings in sorted(report.ledger.miscounted().items()):
            text = f"{device}: acks counted {readings} readings more or less than their frames hold"
            report.add("miscounted", text, readings)

    def _compare(self, series: KnownSeries, rows: Iterator[Stored]) -> None:
        metric = (series.device, series.metric)
        timeless = self._attempts.timeless(metric)
        if timeless:
            self.report.unchecked += timeless
            self._timeless_devices.add(series.device)
        span = _NO_SPAN if timeless else self._spans.get(series.device, _NO_SPAN)
        kept = self._horizons.get(series.id, KeptFrom())
        matched = Matched(series.kind, span, kept.readings)
        if series.id and series.kind != TEXT:
            rows = self._folding(series, kept).passing(rows)  # type: ignore[arg-type]
        for finding in matched.findings(rows, self._attempts.of(metric)):
            self._add(series, finding)
        self.report.present[series.device] += matched.present
        self.report.gone[series.device] += matched.gone

    def _folding(self, series: KnownSeries, kept: KeptFrom) -> Folding:
        def found(finding: Finding) -> None:
            self._add(series, finding)

        return folding(series.id, kept, self._watermark, found)

    def _add(self, series: KnownSeries, finding: Finding) -> None:
        what = finding.what
        if what == "unnamed":
            if not self._unnamed.is_lost(finding):
                return
            what = "lost"
        if what in ("lost", "wrong"):
            self.report.astray[series.device] += 1
        at = f"{series.device} {series.metric} {iso(finding.time_us)}"
        self.report.add(what, f"{at}: {finding.text}")
