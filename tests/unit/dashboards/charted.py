"""A browser's charts, kept by the rule of docs/live.md, of which one clause may be left out."""

from __future__ import annotations

from typing import Any

import orjson

from dashboards.live.charts import Chart
from dashboards.live.lines import Charting

CLAUSES = [
    "what comes while history is asked for is kept",
    "a tail replaces",
    "what is far behind is fetched",
    "what was lost is fetched",
]

Columns = dict[int, tuple[int, float]]
"""By the start of a bucket, count and sum."""


class Shown:
    """One chart in a browser, as `series.js` has it."""

    def __init__(self, chart: Chart, without: str) -> None:
        self.chart = chart
        self.without = without
        self.columns: Columns = {}
        self.at_ms = 0
        self.asked: list[tuple[dict[str, Any], int]] | None = None
        """While history is asked for, the tails that came meanwhile."""
        self.from_us: int | None = 0
        """From where on history is to be fetched; None: it is whole."""
        self.refused = 0

    def take(self, tail: dict[str, Any], at_ms: int) -> None:
        if self.asked is not None:
            if self.without != "what comes while history is asked for is kept":
                self.asked.append((tail, at_ms))
            return
        if at_ms <= self.at_ms:
            return
        if "columns" not in tail:
            far = "what is far behind is fetched"
            if self.without == (far if tail["history_from"] else "what was lost is fetched"):
                return
            from_us = round((tail["history_from"] or 0) * 1_000)
            self.from_us = from_us if self.from_us is None else min(self.from_us, from_us)
            self.at_ms = at_ms
            return
        if tail["after"] > self.at_ms:
            self.refused += self.from_us is None
            self.from_us = 0
            return
        fresh = {int(start): tuple(found) for start, found in tail["columns"].items()}
        if self.without != "a tail replaces":
            kept = {s: found for s, found in self.columns.items() if s < tail["from"] * 1_000}
            self.columns = kept | fresh
        else:
            for start, found in fresh.items():
                count, total = self.columns.get(start, (0, 0.0))
                self.columns[start] = count + found[0], total + found[1]
        self.at_ms = at_ms

    def come_again(self, now_ms: int) -> None:
        """What is whole up to a moment ago goes on; all else is fetched anew."""
        if self.asked is not None or self.from_us is not None or self.at_ms < now_ms - 8_000:
            self.from_us, self.asked = 0, None

    def ask(self) -> int:
        assert self.from_us is not None
        self.asked = []
        from_us, self.from_us = self.from_us, None
        return from_us

    def answer(self, columns: Columns, from_us: int, at_ms: int) -> None:
        """What was fetched in part leaves `at_ms` as it is: that was said of what is before it."""
        from_us = self.chart.floor_us(from_us)
        self.columns = {s: found for s, found in self.columns.items() if s < from_us} | columns
        if from_us == 0:
            self.at_ms = at_ms
        held, self.asked = self.asked or [], None
        for tail, tail_at_ms in held:
            self.take(tail, tail_at_ms)


class Browser:
    """A dashboard: what it charts, what it has not seen yet, and what it asked for."""

    def __init__(self, charts: list[Chart], without: str) -> None:
        self.shown = [Shown(chart, without) for chart in charts]
        self.charting: Charting | None = None
        self.sent: list[tuple[list[str], int]] = []
        self.answers: list[tuple[Shown, Columns, int, int]] = []

    def come_again(self, now_ms: int) -> None:
        self.answers.clear()
        for shown in self.shown:
            shown.come_again(now_ms)

    def see(self) -> None:
        for texts, at_ms in self.sent:
            for tail in map(orjson.loads, texts):
                chart = Chart(tail["series"], tail["step_ms"], tail["zone"])
                for shown in self.shown:
                    if shown.chart == chart:
                        shown.take(tail, at_ms)
        self.sent.clear()

    def get_answers(self) -> None:
        for shown, columns, from_us, at_ms in self.answers:
            shown.answer(columns, from_us, at_ms)
        self.answers.clear()
