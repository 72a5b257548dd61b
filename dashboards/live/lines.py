"""One charted series: what changed of it, the tail that was read last, and who is told. Pure.

What is new is *near* where it lies within a span of the latest reading: then the tail tells it.
What lies farther back, as in a back-fill, is for history.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from dashboards.live.charts import Chart
from dashboards.live.recall import Change, Recall

SPAN_BUCKETS: Final = 60
SPAN_MIN_US: Final = 5_000_000
LATEST_US: Final = 2**63
"""Later than every reading."""


class Wanted(NamedTuple):
    """A tail to be read: all buckets of the chart from the one that holds `from_us` on."""

    chart: Chart
    from_us: int
    after_ms: int
    """Every reading that was heard of after this tick, and is near, is at `from_us` or later."""
    latest_us: int


class Tail(NamedTuple):
    """A tail that was read."""

    text: str | None
    """As it is told; None where there is no such series, or none that has buckets."""
    after_ms: int


@dataclass(slots=True, eq=False)
class Charting:
    """What one viewer charts, and what it was told of each."""

    told: dict[Chart, int] = field(default_factory=dict)
    """By which tick; what was heard of by then is in its chart, or it was told to fetch it."""
    hints: dict[Chart, int | None] = field(default_factory=dict)
    """What it is to fetch, and from which time on, in microseconds; None: all."""


class Line:
    """One series in buckets of one width, charted by at least one viewer."""

    __slots__ = ("chart", "far_us", "hinted_ms", "read_ms", "recall", "span_us", "tail", "viewers")

    def __init__(self, chart: Chart, recall: Recall) -> None:
        self.chart = chart
        self.recall = recall
        self.span_us = max(SPAN_BUCKETS * chart.step_ms * 1_000, SPAN_MIN_US)
        self.viewers: set[Charting] = set()
        self.tail: Tail | None = None
        self.read_ms = recall.start_ms
        """Everything near that was heard of by this tick is in the tail."""
        self.far_us: int | None = None
        """The earliest that is new, not near, and hinted at to nobody yet."""
        self.hinted_ms = 0

    def add(self, change: Change, kept_ms: int) -> None:
        self.recall.add(change, kept_ms)
        if self._is_far(change):
            since_us = change.since_us
            self.far_us = since_us if self.far_us is None else min(self.far_us, since_us)

    def wanted(self, apart_ms: int) -> Wanted | None:
        """What to read for whoever was told longest ago, or what fits into two spans; None where
        nothing changed since."""
        needed_ms = min(viewer.told[self.chart] for viewer in self.viewers) - apart_ms
        after_ms = self.recall.start_ms
        from_us: int | None = None
        latest_us = 0
        for change in self.recall.newest_first():
            near_us = max(change.since_us, change.latest_us - self.span_us)
            latest_us = latest_us or change.latest_us
            if change.heard_ms <= needed_ms or near_us < latest_us - 2 * self.span_us:
                after_ms = change.heard_ms
                break
            from_us = near_us if from_us is None else min(from_us, near_us)
        if from_us is None:
            return None
        return Wanted(self.chart, from_us, after_ms + apart_ms, latest_us)

    def new_since(self, told_ms: int) -> int | None:
        """The earliest that is new to who was told so long ago; None where that is not known."""
        if told_ms < self.recall.start_ms:
            return None
        return min((one.since_us for one in self.recall.after(told_ms)), default=LATEST_US)

    def far_since(self, told_ms: int) -> int | None:
        """The earliest of that which no tail tells; None where there is nothing."""
        far = (one.since_us for one in self.recall.after(told_ms) if self._is_far(one))
        return min(far, default=None)

    def has_waited(self, told_ms: int, since_ms: int) -> bool:
        """Whether something that was heard of by `since_ms` was not told yet."""
        unheard = self.recall.after(told_ms)
        return bool(unheard) and unheard[0].heard_ms <= since_ms

    def _is_far(self, change: Change) -> bool:
        return change.since_us < change.latest_us - self.span_us

    def hint(self, from_us: int | None) -> None:
        """Have all who chart it fetch history."""
        for viewer in self.viewers:
            viewer.hints[self.chart] = earlier(viewer.hints.get(self.chart, from_us), from_us)

    def hint_far(self, at_ms: int) -> None:
        self.hint(self.far_us)
        self.far_us, self.hinted_ms = None, at_ms


def earlier(one: int | None, other: int | None) -> int | None:
    """None is the earliest."""
    return None if one is None or other is None else min(one, other)
