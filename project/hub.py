"""The composition root: builds the parts of one hub process and starts and stops them together."""

from __future__ import annotations

import asyncio
import gc
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from channels.layers import get_channel_layer
from django.conf import settings
from prometheus_client import REGISTRY

from dashboards import charting, latest
from dashboards.latest import in_own_thread, known
from dashboards.live.board import Board
from dashboards.live.logins import Logins
from dashboards.live.metrics import BoardCollector
from ingest.flow import Budget
from ingest.gate import Gate
from ingest.gauges import line_collector
from ingest.limits import Limits
from ingest.line import Line
from ingest.places import Places
from ingest.relay import Relay
from ingest.storage import Engine
from ingest.storage.postgres import PostgresEngine
from ingest.storage.sqlite import SqliteEngine
from ingest.writer import WriterOptions
from project.options import Options

# The event loop and the writer share Python's lock. At its default of 5 ms the writer starves
# behind a busy loop (measured: 42,000 readings/s against 800,000 at 0.2 ms).
SWITCH_INTERVAL_S: Final = 0.0005
# Objects made before the collector looks for cycles, which the line makes none of: at Python's
# default of 700 it looked a few thousand times a second.
GC_THRESHOLDS: Final = (50_000, 20, 50)

# Of the time to stop, what the flush leaves: for the writer to give up, and for goodbyes.
GOODBYE_S: Final = 2.5


class Hub:
    """One hub process: the line, and its dashboards' board. Started once, on the event loop."""

    def __init__(self, options: Options) -> None:
        layer = get_channel_layer()
        self.relay = Relay(layer, secrets.token_hex(8), options.relay_interval_s, _now_ms)
        self.line = Line(
            lambda: open_engine(options),
            WriterOptions(
                flush_interval_s=options.flush_interval_s,
                flush_readings=options.flush_readings,
                retry_interval_s=options.retry_interval_s,
                seal_grace_s=options.seal_grace_s,
                refused_kept=options.refused_kept,
                streams=options.streams,
                metrics=options.metrics,
            ),
            Limits(
                frame_bytes=options.frame_max_bytes,
                frame_readings=options.frame_max_readings,
                in_flight=options.in_flight,
                frames_per_s=options.rate_frames_per_s,
                readings_per_s=options.rate_readings_per_s,
                bytes_per_s=options.rate_bytes_per_s,
                metrics=options.metrics,
                metric_characters=options.metric_max_characters,
                text_characters=options.text_max_characters,
                future_s=options.future_s,
                ping_s=options.ping_s,
            ),
            Gate(options.revocation_interval_s, options.failed_tokens_per_min),
            self.relay,
            budget=Budget(options.buffer_bytes, options.buffer_readings),
            rate_burst_s=options.rate_burst_s,
            places=Places(options.plain_connections, options.sockets_waiting),
            hello_timeout_s=options.hello_timeout_s,
        )
        self.board = Board(
            layer,
            time.time,
            load_fleet=in_own_thread(partial(known, latest.fleet)),
            load_catalogue=in_own_thread(partial(known, latest.catalogue)),
            load_tails=in_own_thread(charting.read_tails),
            interval_s=options.relay_interval_s,
            repeat=self.relay.repeat,
        )
        self.logins = Logins(options.revocation_interval_s)
        self._board_collector = BoardCollector(self.board)
        self._started: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Begin, if it has not begun. On the event loop."""
        if self._started is None:
            self._started = asyncio.get_running_loop().create_task(self._start(), name="weir-start")
        return self._started

    async def stop(self, within_s: float) -> bool:
        """Flush, ack, tell and end; False where readings are left that could not be written."""
        if self._started is None:
            return True
        await self._started
        flushed = await self.line.stop(max(within_s - GOODBYE_S, within_s / 2))
        await self.logins.stop()
        await self.board.stop()
        REGISTRY.unregister(self._board_collector)
        REGISTRY.unregister(self._line_collector)
        return flushed

    async def _start(self) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        # What start-up made stays, and a batch's short-lived lists make no cycles.
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self.line.start()
        self._line_collector = line_collector(self.line, asyncio.get_running_loop())
        REGISTRY.register(self._line_collector)
        await self.board.start()
        self.logins.start()
        REGISTRY.register(self._board_collector)


def open_engine(options: Options) -> Engine:
    """The writer's own engine, on the database that Django is set to."""
    database = settings.DATABASES["default"]
    if database["ENGINE"] == "django.db.backends.sqlite3":
        return SqliteEngine(
            database["NAME"],
            options.seal_slice_readings,
            options.seal_unit_readings,
            may_lose=options.unsafe_durability,
        )
    return PostgresEngine(
        {
            "host": database["HOST"],
            "port": database["PORT"],
            "user": database["USER"],
            "password": database["PASSWORD"],
            "dbname": database["NAME"],
            **database.get("OPTIONS", {}),
        },
        options.seal_slice_readings,
        may_lose=options.unsafe_durability,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


Application = Callable[..., Awaitable[Any]]


def starting(application: Application, hub: Hub) -> Application:
    """`application`, which starts the hub when first asked for anything: any server will do."""

    async def started(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await hub.start()
        await application(scope, receive, send)

    return started
