"""The figures of this hub process at one moment, read from the registry that `/metrics` exports.

Nothing is counted here. A figure's name is that of the metric, without `weir_` and `_total`, and
with its label behind a slash: `readings/stored`, `refused_readings/bad_value`. Knows no page.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import REGISTRY
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

# What the hub counts, and what Python's client knows of the process (on Linux).
PREFIXES: Final = ("weir_", "process_")
OUTCOMES: Final = ("stored", "duplicate", "rejected", "fenced")


@dataclass(frozen=True)
class Histogram:
    """How often something took at most so long: `counts` up to each of `bounds`, then all."""

    bounds: list[float] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)
    sum: float = 0.0


@dataclass(frozen=True)
class Figures:
    """See the module. `host` and `pid` say whose they are."""

    at_ms: int
    host: str
    pid: int
    values: dict[str, float]
    histograms: dict[str, Histogram]

    def __getitem__(self, name: str) -> float:
        return self.values.get(name, 0.0)

    def labels(self, name: str) -> list[str]:
        """Those that a figure is there with."""
        return [
            each.removeprefix(f"{name}/") for each in self.values if each.startswith(f"{name}/")
        ]

    @property
    def hub(self) -> str:
        """No other process has it, nor the same number begun anew."""
        return f"{self.host}:{self.pid}:{self['process_start_time_seconds']:.2f}"

    @property
    def unaccounted(self) -> int:
        """Taken readings that are neither settled nor pending. None ever are."""
        found = sum(self[f"readings/{outcome}"] for outcome in OUTCOMES) + self["readings_pending"]
        return round(self["readings_taken"] - found)

    @property
    def up_s(self) -> float | None:
        """None where it is not known when the process began."""
        begun_s = self.values.get("process_start_time_seconds")
        return None if begun_s is None else self.at_ms / 1_000 - begun_s


def read_figures(registry: Collector = REGISTRY) -> Figures:
    """All of one reading of the registry; the readings by outcome are of one moment."""
    values: dict[str, float] = {}
    histograms: dict[str, Histogram] = {}
    for metric in registry.collect():
        if metric.name.startswith(PREFIXES):
            name = metric.name.removeprefix("weir_")
            if metric.type == "histogram":
                histograms[name] = _histogram(metric)
            else:
                values.update(_values(metric, name))
    at_ms = time.time_ns() // 1_000_000
    return Figures(at_ms, socket.gethostname(), os.getpid(), values, histograms)


def _values(metric: Metric, name: str) -> Iterable[tuple[str, float]]:
    for sample in metric.samples:
        if not sample.name.endswith("_created"):  # when a counter began, which is no figure
            yield "/".join([name, *sample.labels.values()]), sample.value


def _histogram(metric: Metric) -> Histogram:
    found = Histogram()
    for sample in metric.samples:
        if sample.name.endswith("_bucket"):
            if sample.labels["le"] != "+Inf":
                found.bounds.append(float(sample.labels["le"]))
            found.counts.append(sample.value)
    total = next(sample.value for sample in metric.samples if sample.name.endswith("_sum"))
    return Histogram(found.bounds, found.counts, total)
