"""What a dashboard charts: a series in buckets of one width. Pure."""

from __future__ import annotations

from typing import NamedTuple
from zoneinfo import ZoneInfo

from dashboards.grid import Grid


class Chart(NamedTuple):
    """One line of a chart, told to all who look at it alike."""

    series: str
    """`uid/metric`; a uid has no slash, a metric may."""
    step_ms: int
    zone: str
    """An IANA name; buckets of whole days begin at its midnights."""

    @property
    def uid(self) -> str:
        return self.series.partition("/")[0]

    @property
    def metric(self) -> str:
        return self.series.partition("/")[2]

    @property
    def step_us(self) -> int:
        return self.step_ms * 1_000

    def floor_us(self, at_us: int) -> int:
        """The beginning of the bucket that holds `at_us`."""
        return Grid(self.step_us, ZoneInfo(self.zone)).floor(at_us)
