"""The dashboards' own figures for `/metrics`, read from the board when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboards.live.board import Board


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
