"""Charts of dashboards that follow the rule end up equal to what is stored, whatever happens.

Two hubs store readings: now, late, far behind, twice at one time. Summaries are late or lost, the
board reads now and then or fails to, dashboards are slow, go and come again. With any one clause of
the rule left out, charts come to be wrong; so none is there for nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from dashboards.live.charts import Chart
from dashboards.live.lines import Charting, Wanted
from dashboards.live.tails import Tails
from tests.unit.dashboards.charted import CLAUSES, Browser, Columns

HISTORIES = 60
STEPS = 400
START_MS = 1_795_326_596_000
SERIES = ("a/t", "a/u", "b/t")
CHARTS = [Chart(series, step_ms, "UTC") for series in SERIES for step_ms in (500, 2_000)]


class Stored:
    """The database: by series, the readings by their time in microseconds."""

    def __init__(self) -> None:
        self.readings: dict[str, dict[int, float]] = {series: {} for series in SERIES}

    def columns(self, chart: Chart, from_us: int = 0) -> Columns:
        """Whole buckets from the one that holds `from_us`."""
        columns: Columns = {}
        for at_us, value in self.readings[chart.series].items():
            if at_us >= chart.floor_us(from_us):
                count, total = columns.get(chart.floor_us(at_us), (0, 0.0))
                columns[chart.floor_us(at_us)] = count + 1, total + value
        return columns


class Hub:
    """What it stored and did not tell yet."""

    def __init__(self) -> None:
        self.untold: dict[str, dict[str, Any]] = {}
        self.lost = False

    def note(self, series: str, at_us: int) -> None:
        uid, _, metric = series.partition("/")
        device = self.untold.setdefault(uid, {"uid": uid, "since": at_us / 1_000, "values": {}})
        device["since"] = min(device["since"], at_us / 1_000)
        device["values"][metric] = max(device["values"].get(metric, (0, 0)), (at_us / 1_000, 0))


class World:
    def __init__(self, seed: int, without: str = "") -> None:
        self.random = random.Random(seed)
        self.now_ms = START_MS
        self.stored = Stored()
        self.hubs = [Hub(), Hub()]
        self.tails = Tails(self.now_ms)
        self.tick_ms = self.now_ms
        self.browsers = [Browser(CHARTS, without) for _ in range(3)]

    def store(self) -> None:
        behind_ms = self.random.choice([0, 0, 0, 0, 0, 300, 1_500, 1_500, 40_000, 200_000])
        series = self.random.choice(SERIES)
        at_us = (self.now_ms - behind_ms) // 250 * 250_000
        if at_us not in self.stored.readings[series]:
            self.stored.readings[series][at_us] = self.random.random()
        self.random.choice(self.hubs).note(series, at_us)

    def tell(self) -> None:
        hub = self.random.choice(self.hubs)
        if self.random.random() < 0.02:
            hub.lost, hub.untold = True, {}
            return
        self._hear(hub)

    def _hear(self, hub: Hub) -> None:
        if hub.lost:  # the number of this one tells that there was another
            self.tails.lose()
        self.tails.hear(list(hub.untold.values()))
        hub.lost, hub.untold = False, {}

    def tick(self, *, works: bool = False) -> None:
        self.tick_ms = max(self.now_ms, self.tick_ms + 1)
        self.tails.tick(self.tick_ms)
        if works or self.random.random() < 0.8:
            wanted = self.tails.to_read(100 if works else self.random.choice([1, 3, 100]))
            if not works and self.random.random() < 0.3:
                self.store()  # while it reads
            self.tails.take([(one, self.read(one)) for one in wanted], self.tick_ms)
        for browser in self.browsers:
            if browser.charting is not None and not browser.sent:
                texts = self.tails.tails_for(browser.charting, self.tick_ms)
                browser.sent.append((texts, self.tick_ms))

    def read(self, wanted: Wanted) -> str:
        chart = wanted.chart
        columns = self.stored.columns(chart, wanted.from_us)
        return orjson.dumps(
            {
                **chart._asdict(),
                "after": wanted.after_ms,
                "from": chart.floor_us(wanted.from_us) / 1_000,
                "columns": {str(start): found for start, found in columns.items()},
            }
        ).decode()

    def fetch(self) -> None:
        self._fetch(self.random.choice(self.browsers))

    def _fetch(self, browser: Browser) -> None:
        for shown in browser.shown:
            if shown.from_us is not None and shown.asked is None:
                from_us = shown.ask()
                columns = self.stored.columns(shown.chart, from_us)
                browser.answers.append((shown, columns, from_us, self.now_ms))

    def answer(self) -> None:
        self.random.choice(self.browsers).get_answers()

    def see(self) -> None:
        self.random.choice(self.browsers).see()

    def come_or_go(self) -> None:
        browser = self.random.choice(self.browsers)
        if browser.charting is None:
            self._come(browser)
        elif self.random.random() < 0.2:
            self.tails.chart(browser.charting, [], self.now_ms)
            browser.charting = None
            browser.sent.clear()

    def _come(self, browser: Browser) -> None:
        browser.charting = Charting()
        self.tails.chart(browser.charting, CHARTS, self.now_ms)
        browser.come_again(self.now_ms)

    def run(self) -> None:
        doing: list[Callable[[], None]] = [self.store] * 6 + [self.tell] * 4 + [self.see] * 6
        doing += [self.fetch] * 3 + [self.answer] * 3 + [self.come_or_go]
        due_ms = self.now_ms
        for _ in range(STEPS):
            self.random.choice(doing)()
            self.now_ms += self.random.choice([1, 20, 100, 300])
            if self.now_ms >= due_ms:
                self.tick()
                due_ms = self.now_ms + 1_000
        self.settle()

    def settle(self) -> None:
        """Nothing new comes, and all that is under way arrives."""
        for browser in self.browsers:
            if browser.charting is None:
                self._come(browser)
        for _ in range(8):
            for hub in self.hubs:
                self._hear(hub)
            self.now_ms += 3_000
            self.tick(works=True)
            for browser in self.browsers:
                browser.see()
                self._fetch(browser)
                browser.get_answers()

    def is_right(self) -> bool:
        return all(
            shown.columns == self.stored.columns(shown.chart)
            for browser in self.browsers
            for shown in browser.shown
        )


def run(seed: int, without: str = "") -> World:
    world = World(seed, without)
    world.run()
    return world


def test_every_chart_ends_up_equal_to_what_is_stored() -> None:
    for seed in range(HISTORIES):
        assert run(seed).is_right(), seed


def test_nobody_who_hears_all_is_sent_a_tail_that_leaves_something_out() -> None:
    for seed in range(HISTORIES // 3):
        assert not any(
            shown.refused for browser in run(seed).browsers for shown in browser.shown
        ), seed


@pytest.mark.parametrize("clause", CLAUSES)
def test_no_clause_of_the_rule_is_there_for_nothing(clause: str) -> None:
    assert any(not run(seed, without=clause).is_right() for seed in range(HISTORIES))
