"""What Prometheus is told of the line. Never a label by device or metric: those have no bound."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingest.reading import Code

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SIZES: Final = (1, 10, 100, 1_000, 5_000, 10_000, 20_000, 50_000)

FRAMES = Counter("weir_frames", "Frames by what became of the message", ["outcome"])
BATCH_READINGS = Histogram("weir_batch_readings", "Readings of a committed batch", buckets=_SIZES)
BATCH_FRAMES = Histogram("weir_batch_frames", "Frames of a committed batch", buckets=_SIZES)
FLUSH_SECONDS = Histogram(
    "weir_flush_seconds", "Time to write and commit a batch", buckets=_SECONDS
)
COMMIT_SECONDS = Histogram(
    "weir_commit_seconds", "Time of a batch's COMMIT, fsync included", buckets=_SECONDS
)
ACK_SECONDS = Histogram(
    "weir_ack_seconds", "From a frame's receipt to its settlement", buckets=_SECONDS
)
CLOSED = Counter("weir_closed", "Connections that the hub closed, by the protocol's code", ["code"])
TOKENS = Counter("weir_tokens", "Tokens shown, by what the gate said", ["outcome"])
for _outcome in ("admitted", "wrong", "refused", "limited"):
    TOKENS.labels(_outcome)

REFUSED = Counter("weir_refused_readings", "Readings that were refused, by why", ["code"])
for _code in Code:
    REFUSED.labels(_code)
BOUNDS_MET = Counter("weir_bounds_met", "How often a bound was met, by its name", ["bound"])
# Those that are told to a device by the code of a refused reading are counted there.
BOUNDS: Final = (
    "buffer",
    "bytes_per_s",
    "exports",
    "frame_bytes",
    "frame_readings",
    "frames_per_s",
    "in_flight",
    "plain_connections",
    "readings_per_s",
    "refused_kept",
    "sockets",
    "sockets_waiting",
    "streams",
)
for _bound in BOUNDS:
    BOUNDS_MET.labels(_bound)

SOCKETS: Final = Gauge("weir_sockets", "WebSockets held, devices' and dashboards'")

TAKEN: Final = FRAMES.labels("taken")
NACKED: Final = FRAMES.labels("nacked")
IGNORED: Final = FRAMES.labels("ignored")


def count_bounds(met: list[str]) -> None:
    """Count the bounds in `met`, and empty it."""
    for bound in met:
        assert bound in BOUNDS, "labels have a bound too"
        BOUNDS_MET.labels(bound).inc()
    met.clear()


class MeanOf:
    """What was observed by a histogram since it was last asked, on the average."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._before = self._totals()

    def __call__(self) -> float | None:
        """None where nothing was."""
        now = self._totals()
        count, total = now[0] - self._before[0], now[1] - self._before[1]
        self._before = now
        return total / count if count else None

    def _totals(self) -> tuple[float, float]:
        [family] = self._histogram.collect()
        found = {sample.name.rpartition("_")[2]: sample.value for sample in family.samples}
        return found["count"], found["sum"]


class Tally:
    """Where each taken reading is: taken = stored + duplicate + rejected + fenced + pending.

    Each figure is counted on its own, where it happens; that they add up is checked by an alert.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = self._stored = self._duplicate = self._rejected = self._fenced = 0
        self._pending = 0

    def take(self, readings: int) -> None:
        with self._lock:
            self._taken += readings
            self._pending += readings

    def settle(self, readings: int, stored: int, duplicate: int, rejected: int) -> None:
        with self._lock:
            self._pending -= readings
            self._stored += stored
            self._duplicate += duplicate
            self._rejected += rejected

    def fence(self, readings: int) -> None:
        with self._lock:
            self._pending -= readings
            self._fenced += readings

    def snapshot(self) -> dict[str, int]:
        """All six, of one moment."""
        with self._lock:
            return {
                "taken": self._taken,
                "stored": self._stored,
                "duplicate": self._duplicate,
                "rejected": self._rejected,
                "fenced": self._fenced,
                "pending": self._pending,
            }


class LineCollector(Collector):
    """The figures that are read at the moment of the scrape."""

    def __init__(
        self,
        tally: Tally,
        gauges: dict[str, tuple[str, Callable[[], float]]],
        counters: dict[str, tuple[str, Callable[[], float]]],
        reasons: Mapping[str, tuple[str, Iterable[str], Callable[[], str | None]]],
    ) -> None:
        """`reasons` have all that there can be, and tell which of them holds now, if any."""
        self._tally = tally
        self._gauges = gauges
        self._counters = counters
        self._reasons = reasons

    def collect(self) -> Iterable[Metric]:
        now = self._tally.snapshot()
        yield CounterMetricFamily(
            "weir_readings_taken", "Readings of taken frames", value=now["taken"]
        )
        outcomes = CounterMetricFamily(
            "weir_readings", "Readings settled, by outcome", labels=["outcome"]
        )
        for outcome in ("stored", "duplicate", "rejected", "fenced"):
            outcomes.add_metric([outcome], now[outcome])
        yield outcomes
        yield GaugeMetricFamily(
            "weir_readings_pending", "Readings taken and not settled", now["pending"]
        )
        for name, (help_text, read) in self._gauges.items():
            yield GaugeMetricFamily(name, help_text, read())
        for name, (help_text, read) in self._counters.items():
            yield CounterMetricFamily(name, help_text, value=read())
        for name, (help_text, reasons, holding) in self._reasons.items():
            now_holding = holding()
            family = GaugeMetricFamily(name, help_text, labels=["reason"])
            for reason in reasons:
                family.add_metric([reason], float(reason == now_holding))
            yield family
