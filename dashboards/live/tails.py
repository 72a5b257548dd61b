"""Which tails are to be read, and which dashboard is told which. Pure.

    summaries ─▶ hear ─▶ tick ─▶ to_read ─▶ (the database) ─▶ take ─▶ tails_for each viewer

All who chart a series share its tail. It begins early enough for whoever was told longest ago,
within a bound: who lacks more is told to fetch history. To be told something twice does no harm,
and nothing that was heard of is told to nobody: that is all there is to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Any, Final

import orjson

from dashboards.live.charts import Chart
from dashboards.live.lines import LATEST_US, Charting, Line, Tail, Wanted, earlier
from dashboards.live.recall import Change, Recall

KEPT_MS: Final = 10_000
"""Changes of any device: whoever charts it may have asked for its history so long ago."""
KEPT_CHARTED_MS: Final = 90_000
"""Of a charted series: longer than a dashboard may go without an update."""
HINT_INTERVAL_MS: Final = 5_000
"""A back-fill has its charts fetched no more often."""
PATIENCE_MS: Final = 5_000
"""Who was not told of a change for so long, for whatever reason, fetches history."""
HUBS_APART_MS: Final = 1_000
"""So far apart the clocks of several hubs may be: history may come from another hub."""


class Tails:
    """The charted series of one process."""

    def __init__(self, now_ms: int) -> None:
        self.hints = 0
        """How often a dashboard was told to fetch history."""
        self._start_ms = now_ms
        self._lines: dict[Chart, Line] = {}
        self._of_device: dict[str, dict[str, list[Line]]] = {}
        self._recalls: dict[str, Recall] = {}
        self._heard: dict[str, tuple[int, int]] = {}
        self._touched: dict[Line, None] = {}
        self._unread: dict[Line, None] = {}  # what waits longest comes first
        self._far: dict[Line, None] = {}  # whose back-fill nobody was told of yet
        self._lost = False
        self._apart_ms = 0

    def __len__(self) -> int:
        return len(self._lines)

    def chart(self, viewer: Charting, charts: Iterable[Chart], now_ms: int) -> None:
        """What the viewer charts from now on, and nothing else."""
        wanted = dict.fromkeys(charts)
        for chart in viewer.told.keys() - wanted:
            self._leave(viewer, chart)
        for chart in wanted:
            if chart not in viewer.told:
                self._enter(viewer, chart, now_ms)

    def _enter(self, viewer: Charting, chart: Chart, now_ms: int) -> None:
        line = self._lines.get(chart)
        if line is None:
            known = self._recalls.get(chart.uid)
            line = Line(chart, known.copy() if known else Recall(self._start_ms))
            self._lines[chart] = line
            self._of_device.setdefault(chart.uid, {}).setdefault(chart.metric, []).append(line)
        line.viewers.add(viewer)
        start_ms, told_ms = line.recall.start_ms + self._apart_ms, now_ms - KEPT_MS
        viewer.told[chart] = max(start_ms, told_ms)
        if start_ms > told_ms:
            viewer.hints[chart] = None
        elif line.recall.heard_ms > told_ms:
            if line.tail is None or line.tail.after_ms > told_ms:
                self._unread[line] = None
            far_us = line.far_since(told_ms)
            if far_us is not None:
                viewer.hints[chart] = far_us

    def _leave(self, viewer: Charting, chart: Chart) -> None:
        del viewer.told[chart]
        viewer.hints.pop(chart, None)
        line = self._lines[chart]
        line.viewers.discard(viewer)
        if line.viewers:
            return
        del self._lines[chart]
        for waiting in (self._unread, self._touched, self._far):
            waiting.pop(line, None)
        metrics = self._of_device[chart.uid]
        metrics[chart.metric].remove(line)
        if not metrics[chart.metric]:
            del metrics[chart.metric]
        if not metrics:
            del self._of_device[chart.uid]

    def hear(self, summary: Iterable[Mapping[str, Any]]) -> None:
        """Note what is new, by device; the next tick hears of it."""
        for device in summary:
            since_ms, values = device.get("since"), device["values"]
            if since_ms is None or not values:
                continue
            uid = device["uid"]
            since_us = round(since_ms * 1_000)
            latest_us = round(max(at_ms for at_ms, _ in values.values()) * 1_000)
            if before := self._heard.get(uid):
                since_us, latest_us = min(before[0], since_us), max(before[1], latest_us)
            self._heard[uid] = since_us, latest_us
            if charted := self._of_device.get(uid):
                for metric in charted.keys() & values.keys():
                    self._touched.update(dict.fromkeys(charted[metric]))

    def lose(self) -> None:
        """Something was not heard of: what charts show is unknown from the next tick on."""
        self._lost = True

    def forget(self, uids: Collection[str]) -> None:
        """These devices are gone."""
        for uid in uids:
            self._recalls.pop(uid, None)

    def tick(self, at_ms: int, *, several_hubs: bool = False) -> None:
        """All that was heard until now is heard of by this tick, which is later than the last."""
        self._apart_ms = HUBS_APART_MS if several_hubs else 0
        heard, self._heard = self._heard, {}
        touched, self._touched = self._touched, {}
        if self._lost:
            self._begin_anew(at_ms)
            return
        changes = {
            uid: Change(at_ms, since_us, min(latest_us, at_ms * 1_000))
            for uid, (since_us, latest_us) in heard.items()
        }
        for uid, change in changes.items():
            recall = self._recalls.get(uid)
            if recall is None:
                recall = self._recalls[uid] = Recall(self._start_ms)
            recall.add(change, KEPT_MS)
        for line in touched:
            line.add(changes[line.chart.uid], KEPT_CHARTED_MS)
            self._unread[line] = None
            if line.far_us is not None:
                self._far[line] = None
        for line in list(self._far):
            if at_ms - line.hinted_ms >= HINT_INTERVAL_MS:
                line.hint_far(at_ms)
                del self._far[line]

    def _begin_anew(self, at_ms: int) -> None:
        self._lost = False
        self._start_ms = at_ms
        self._recalls.clear()
        self._unread.clear()
        self._far.clear()
        for line in self._lines.values():
            line.recall = Recall(at_ms)
            line.tail = line.far_us = None
            line.hint(None)

    def to_read(self, most: int) -> list[Wanted]:
        """At most so many tails of what changed since it was read."""
        found = []
        for line in list(islice(self._unread, most)):
            wanted = line.wanted(self._apart_ms)
            if wanted is None:
                del self._unread[line]
            else:
                found.append(wanted)
        return found

    def take(self, read: Iterable[tuple[Wanted, str | None]], at_ms: int) -> None:
        """Tails that were to be read at the tick `at_ms`, and were read since."""
        if at_ms < self._start_ms:
            return  # something was lost meanwhile
        for wanted, text in read:
            line = self._lines.get(wanted.chart)
            if line is None:
                continue
            line.tail = Tail(text, wanted.after_ms)
            line.read_ms = at_ms
            self._unread.pop(line, None)
            if line.recall.heard_ms > at_ms:
                self._unread[line] = None

    def tails_for(self, viewer: Charting, at_ms: int) -> list[str]:
        """What an update of the tick `at_ms` tells the viewer, which is told it once."""
        return [text for chart in viewer.told if (text := self._tail_for(viewer, chart, at_ms))]

    def _tail_for(self, viewer: Charting, chart: Chart, at_ms: int) -> str | None:
        line, told_ms = self._lines[chart], viewer.told[chart]
        if chart in viewer.hints:
            return self._history_for(viewer, line, at_ms, viewer.hints.pop(chart))
        if line.recall.heard_ms <= told_ms:
            return None
        if line in self._unread:
            late = line.has_waited(told_ms, at_ms - PATIENCE_MS)
            return self._history_for(viewer, line, at_ms) if late else None
        if line.tail is None or line.read_ms <= told_ms:
            return None
        if line.tail.after_ms > told_ms:
            return self._history_for(viewer, line, at_ms)
        viewer.told[chart] = at_ms
        return line.tail.text

    def _history_for(
        self, viewer: Charting, line: Line, at_ms: int, from_us: int | None = LATEST_US
    ) -> str:
        """Where it is to fetch history from: there, and from all that it was not told yet."""
        chart = line.chart
        from_us = earlier(from_us, line.new_since(viewer.told[chart] - self._apart_ms))
        viewer.told[chart] = at_ms
        self.hints += 1
        history_from = None if from_us is None else chart.floor_us(from_us) / 1_000
        return orjson.dumps({**chart._asdict(), "history_from": history_from}).decode()
