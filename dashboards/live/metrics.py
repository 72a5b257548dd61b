"""The dashboards' own figures for `/metrics`, read from the board when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboards.live.board import Board
from dashboards.live.subscription import BOUNDS

BOUNDS_MET: Final = Counter(
    "weir_dashboard_bounds_met",
    "How often a dashboard asked for more than it may, by the bound's name",
    ["bound"],
)
for _bound in BOUNDS:
    BOUNDS_MET.labels(_bound)


class BoardCollector(Collector):
    """Give one to a registry: `REGISTRY.register(BoardCollector(board))`."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        board = self._board
        yield GaugeMetricFamily(
            "weir_dashboards", "Dashboards connected to this process.", board.dashboards
        )
        yield GaugeMetricFamily(
            "weir_board_stale",
            "1 while no hub's summary reaches this process.",
            board.stale_since_ms() is not None,
        )
        yield CounterMetricFamily(
            "weir_summaries", "Summaries merged from the channel layer.", board.summaries
        )
        yield CounterMetricFamily(
            "weir_summaries_refused", "Summaries that could not be read.", board.summaries_refused
        )
        yield CounterMetricFamily(
            "weir_dashboard_updates", "Updates sent to dashboards.", board.updates
        )
        yield CounterMetricFamily(
            "weir_dashboard_updates_merged",
            "Updates merged into the next because a dashboard had one in flight.",
            board.merged,
        )
        yield GaugeMetricFamily(
            "weir_charts", "Series that dashboards chart, by width.", len(board.tails)
        )
        yield CounterMetricFamily("weir_tails", "Tails read for charts.", board.tailing.read)
        yield CounterMetricFamily(
            "weir_tails_seconds", "Time spent on reading tails.", board.tailing.seconds
        )
        yield CounterMetricFamily(
            "weir_tail_hints",
            "Times a dashboard was told to fetch a chart's history.",
            board.tails.hints,
        )
