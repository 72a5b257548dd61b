"""The line of one hub process, as its connections see it: gate, writer, relay, who is connected.

All of it on the event loop but what the writer's thread does; the writer's deliveries cross over
here, once for each commit.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from math import ceil
from typing import Final, Protocol

from devices.tokens import Bearer
from ingest import metrics
from ingest.admission import Admission
from ingest.buffer import Submission
from ingest.gate import Gate, Guest
from ingest.rates import Buckets, Rates
from ingest.relay import Relay
from ingest.session import Limits, Refused, Settlement, Taken
from ingest.storage import Engine, Outcome, StreamAnswer, StreamRequest
from ingest.writer import Delivery, Writer, WriterOptions

logger = logging.getLogger(__name__)

# How long a connection that repeats itself too often is not read: it may have left meanwhile.
REPEAT_WAIT_MOST_S: Final = 1.0


class Connection(Guest, Protocol):
    """What the line needs of a device's connection. All calls on the event loop."""

    def settle(self, settlement: Settlement) -> None:
        """Frames of it were committed, or were fenced off."""

    def replace(self) -> None:
        """A newer connection has taken its stream over."""

    def break_off(self) -> None:
        """One of its frames met a bug of ours."""


def now_us() -> int:
    return time.time_ns() // 1_000


class Line:
    """See the module. `open_engine` is called in the writer's thread."""

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        options: WriterOptions,
        limits: Limits,
        gate: Gate,
        relay: Relay,
        rate_burst_s: float = 60.0,
        plain_connections: int = 4,
        hello_timeout_s: float = 5.0,
        sockets_waiting: int = 1_000,
    ) -> None:
        self.limits = limits
        self.hello_timeout_s = hello_timeout_s
        self.gate = gate
        self.relay = relay
        self.tally = metrics.Tally()
        self.admission = Admission()
        self.buckets = Buckets(
            Rates(
                limits.frames_per_s, limits.readings_per_s, limits.bytes_per_s, burst_s=rate_burst_s
            )
        )
        self.writer = Writer(open_engine, options, self._cross_over, now_us)
        self.connected = 0
        self.in_flight = 0
        self.stopping = False  # what comes now is not taken: its sender has it still
        self._plain_connections = plain_connections
        self._plain: dict[int, int] = {}
        self._waiting_most = sockets_waiting
        self._waiting = 0
        self._streams: dict[tuple[int, str], Connection] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._collector = metrics.LineCollector(
            self.tally,
            gauges={
                "weir_frames_in_flight": ("Frames taken and not settled", lambda: self.in_flight),
                "weir_readings_buffered": (
                    "Readings that wait for the writer or are being written",
                    lambda: self.writer.buffer.readings,
                ),
                "weir_tasks": ("Tasks on the event loop", self._tasks),
                "weir_devices_connected": ("Device connections let in", lambda: self.connected),
                "weir_database_in_trouble": (
                    "1 while the database cannot be written",
                    lambda: float(self.writer.in_trouble is not None),
                ),
                "weir_database_damaged": (
                    "1 once the database turned out to be damaged: nothing more is written",
                    lambda: float(self.writer.is_damaged),
                ),
                "weir_durable": (
                    "0 where a power cut might lose what is acked, as the hub was told to allow",
                    lambda: float(self.writer.weakness is None),
                ),
            },
            counters={
                "weir_relay_summaries": ("Summaries sent", lambda: self.relay.sent),
                "weir_relay_dropped": (
                    "Summaries that the layer did not take",
                    lambda: self.relay.dropped,
                ),
            },
        )

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._collector.register()
        self.writer.start()
        self.gate.start()
        self.relay.start()

    async def stop(self, timeout_s: float = 10.0) -> bool:
        """Flush, ack and end; False where readings are left that could not be written."""
        self.stopping = True
        flushed = await asyncio.to_thread(self.writer.stop, timeout_s)
        await asyncio.sleep(0)  # what the writer delivered last is handled now
        await self.relay.stop()
        await self.gate.stop()
        self._collector.unregister()
        return flushed

    def refusal(self, bearer: Bearer, now_us: int) -> Refused | None:
        """Why no frame of this device can be taken now. Asked for each message."""
        wait_s = self.buckets.wait_s(bearer.device_id, time.monotonic())
        if wait_s:
            metrics.BOUNDS_MET.labels(f"{self.buckets.scarcest(bearer.device_id)}_per_s").inc()
            return "rate_limited", ceil(wait_s * 1_000)
        if not self.writer.buffer.has_room:
            metrics.BOUNDS_MET.labels("buffer").inc()
            return "busy", self.limits.busy_retry_ms
        return None

    def _tasks(self) -> int:
        return len(asyncio.all_tasks(self._loop))

    def repeat(self, bearer: Bearer, size_bytes: int) -> float:
        """The device has sent a frame again for nothing: how long not to read it, in seconds.

        Such a frame is never nacked, or a device might send it for ever; but it is paid for.
        """
        now_s = time.monotonic()
        self.buckets.take(bearer.device_id, 0, size_bytes, now_s)
        return min(self.buckets.wait_s(bearer.device_id, now_s), REPEAT_WAIT_MOST_S)

    def submit(
        self,
        connection: Connection,
        bearer: Bearer,
        taken: Taken,
        received_us: int,
        stream: tuple[int, int] | None,
    ) -> None:
        """A taken frame goes to the writer; `stream` is (id, epoch) of a reliable connection."""
        self.tally.take(taken.frame.readings)
        self.buckets.take(
            bearer.device_id, taken.frame.readings, taken.size_bytes, time.monotonic()
        )
        self.in_flight += 1
        metrics.TAKEN.inc()
        stream_id, epoch = stream or (None, 0)
        self.writer.submit(
            Submission(
                connection,
                bearer.device_id,
                bearer.token_id,
                taken.seq,
                taken.frame,
                received_us,
                stream_id,
                epoch,
            )
        )

    async def open_stream(self, request: StreamRequest) -> StreamAnswer | None:
        """The answer to a hello, once every earlier batch has settled; None if it can't be had."""
        answer: asyncio.Future[StreamAnswer | None] = asyncio.get_running_loop().create_future()
        self.writer.open_stream(
            StreamRequest((answer, request.key), request.device_id, request.hello)
        )
        return await answer

    def enter(self, connection: Connection) -> None:
        self.gate.enter(connection)
        self.connected += 1

    def leave(self, connection: Connection) -> None:
        self.gate.leave(connection)
        self.connected -= 1

    def enter_stream(self, device_id: int, name: str, connection: Connection) -> None:
        """The newest connection of a stream replaces the one before it."""
        before = self._streams.get((device_id, name))
        self._streams[device_id, name] = connection
        if before is not None and before is not connection:
            before.replace()

    def leave_stream(self, device_id: int, name: str, connection: Connection) -> None:
        if self._streams.get((device_id, name)) is connection:
            del self._streams[device_id, name]

    def retry_after_ms(self, least_ms: int = 1_000) -> int:
        """When to come again, for one of a crowd."""
        return round(least_ms * (1 + random.random()))

    def enter_waiting(self) -> bool:
        """Whether there is a place for one more socket that has yet to show a token."""
        if self._waiting >= self._waiting_most:
            metrics.BOUNDS_MET.labels("sockets_waiting").inc()
            return False
        self._waiting += 1
        metrics.SOCKETS_WAITING.inc()
        return True

    def leave_waiting(self) -> None:
        self._waiting -= 1
        metrics.SOCKETS_WAITING.dec()

    def enter_plain(self, device_id: int) -> bool:
        """Whether one more plain connection of the device is let in."""
        if self._plain.get(device_id, 0) >= self._plain_connections:
            metrics.BOUNDS_MET.labels("plain_connections").inc()
            return False
        self._plain[device_id] = self._plain.get(device_id, 0) + 1
        return True

    def leave_plain(self, device_id: int) -> None:
        self._plain[device_id] -= 1
        if not self._plain[device_id]:
            del self._plain[device_id]

    def _cross_over(self, delivery: Delivery) -> None:
        """From the writer's thread to the event loop."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._deliver, delivery)
        except RuntimeError:  # the loop is closed: nobody is left to be told
            logger.info("the event loop ended before the writer's last delivery")

    def _deliver(self, delivery: Delivery) -> None:
        for request, answer in delivery.streams:
            future, _ = request.key
            if not future.done():
                future.set_result(answer)
        for connection in delivery.broken:
            connection.break_off()
        if delivery.outcome is not None and delivery.flush is not None:
            metrics.BATCH_FRAMES.observe(delivery.flush.frames)
            metrics.BATCH_READINGS.observe(delivery.flush.readings)
            metrics.FLUSH_SECONDS.observe(delivery.flush.write_s)
            metrics.COMMIT_SECONDS.observe(delivery.outcome.commit_s)
            self.in_flight -= delivery.flush.frames
            self._settle(delivery.outcome)
        self.admission.let_in()

    def _settle(self, outcome: Outcome) -> None:
        for settlement in outcome.settlements:
            if settlement.fenced:
                self.tally.fence(settlement.readings)
            else:
                self.tally.settle(
                    settlement.readings,
                    settlement.stored,
                    settlement.duplicate,
                    settlement.rejected,
                )
            for _, refusal in settlement.refusals:
                metrics.REFUSED.labels(refusal.code).inc(refusal.count)
            settlement.connection.settle(settlement)
        if outcome.written:
            oldest_us = outcome.written[0].received_us
            metrics.ACK_SECONDS.observe(max(0, now_us() - oldest_us) / 1_000_000)
        if outcome.refusals_dropped:
            metrics.BOUNDS_MET.labels("refused_kept").inc(outcome.refusals_dropped)
        self.relay.note(outcome)
